//! The mock Prometheus of a run, and what writes into it.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};

use backspin_mocks::prometheus;
use backspin_mocks::store::Store;
use tokio::runtime::Runtime;

use crate::direct::WALL_START;
use crate::http::HttpError;
use crate::http::metrics::Exporter;
use backspin_domain::frame::Frame;
use backspin_domain::id::ServiceId;
use backspin_world::World;

/// The mock Prometheus and what writes into it.
pub(in crate::http) struct PrometheusSide {
    server: prometheus::Server,
    exporter: Exporter,
    scraped: Frame,
}

impl PrometheusSide {
    /// The server lives on the client's runtime: it answers while the client waits.
    pub(in crate::http) fn start(
        runtime: &Runtime,
        world: &World,
        service: &ServiceId,
    ) -> Result<Self, HttpError> {
        let store = Arc::new(RwLock::new(Store::default()));
        let exporter = Exporter::new(Arc::clone(&store), world, service, WALL_START);
        let starting = prometheus::Server::start(store, prometheus::Settings::default(), || WALL_START.0);
        let server =
            runtime.block_on(starting).map_err(|error| HttpError::Serve(std::io::Error::other(error)))?;
        Ok(Self { server, exporter, scraped: Frame::default() })
    }

    /// Takes the scrape that the world just made; `away`: the server does not answer, whatever the scenario says.
    pub(in crate::http) fn scrape(&mut self, world: &World, away: bool) {
        world.scrape_into(&mut self.scraped);
        self.server.set_away(away || world.metrics_are_down());
        self.exporter.write(world, &self.scraped).expect("times rise, and a run's series fit");
    }

    /// Where it listens.
    pub(in crate::http) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Requests that came through the socket.
    pub(in crate::http) fn requests(&self) -> u64 {
        self.server.requests()
    }
}
