//! A Kubernetes API as the platform of a service: it translates and decides nothing.
//!
//! - `informer`: what the API says of our objects, by watches.
//! - `view`: objects, read as what they mean.
//! - `platform`: the port that steps act on.
//! - `calls`: requests, and what their failures mean.
//! - `people`: calls, approvals, marks, quiet alerts.
//!
//! Nothing is tried again here: every request is sent once, and who decides may ask for it again. A watch that breaks is
//! taken up again by the library, after a while.
//!
//! Left out: other delivery tools' objects (each will be a translation to and from `Rollout`), several namespaces.

mod calls;
mod informer;
mod people;
mod platform;
#[cfg(test)]
mod tests;
mod view;

pub(super) use self::platform::infra_key;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use kube::api::DynamicObject;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use self::informer::{Cache, News};
use super::words::Kind;
use backspin_domain::engine_io::{ApprovalAnswer, Input};
use backspin_domain::execution::FailureReason;
use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::service::{Deploy, Inventory, RolloutState};
use backspin_domain::time::{MonoTime, WallTime};

/// How long the other side may take, in real time. Virtual time stands still meanwhile: what an engine waits for has deadlines
/// of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// Until there is a connection.
    pub(super) connect: Duration,
    /// Until a request is answered.
    pub(super) request: Duration,
    /// How long a watch may be silent; bookmarks come more often.
    pub(super) silence: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(10),
            silence: Duration::from_secs(90),
        }
    }
}

/// The API could not be reached at the start.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It is no address.
    #[error("`{address}` is not the address of a Kubernetes API")]
    Address {
        /// What was given.
        address: String,
    },
    /// The client cannot be set up.
    #[error("cannot set up a Kubernetes client")]
    Client(#[source] Box<kube::Error>),
}

/// One service, as a Kubernetes API shows it.
pub(super) struct Kubernetes {
    runtime: Rc<Runtime>,
    client: kube::Client,
    timeouts: Timeouts,
    service: ServiceId,
    wall_start: WallTime,
    news: mpsc::UnboundedReceiver<News>,
    cache: Cache,
    /// Shares by ready pods, where one Deployment holds all versions.
    ready_shares: Vec<(VersionId, f64)>,
    /// What was told last, so that only what differs is told.
    told_inventory: Option<Inventory>,
    told_deploy: Option<Deploy>,
    told_state: Option<RolloutState>,
    told_answers: Vec<ApprovalAnswer>,
    /// Whether a write was sent whose consequences have not been looked at.
    wrote: bool,
}

impl Kubernetes {
    /// Connects and begins to watch. Nothing is known before [`Kubernetes::catch_up`].
    pub(super) fn connect(
        runtime: Rc<Runtime>,
        address: &str,
        service: ServiceId,
        wall_start: WallTime,
        timeouts: Timeouts,
    ) -> Result<Self, ConnectError> {
        let uri = address.parse().map_err(|_| ConnectError::Address { address: address.to_owned() })?;
        let mut config = kube::Config::new(uri);
        // Trying again is the engine's business.
        config.default_retry = false;
        config.read_timeout = Some(timeouts.silence);
        config.connect_timeout = Some(timeouts.connect);
        let guard = runtime.enter();
        let client = kube::Client::try_from(config).map_err(|error| ConnectError::Client(Box::new(error)))?;
        let news = informer::watch(&client, &super::words::of_service(&service));
        drop(guard);
        Ok(Self {
            runtime,
            client,
            timeouts,
            service,
            wall_start,
            news,
            cache: Cache::default(),
            ready_shares: Vec::new(),
            told_inventory: None,
            told_deploy: None,
            told_state: None,
            told_answers: Vec::new(),
            wrote: false,
        })
    }

    /// Waits until all that there is up to these versions was heard, and gives what it means, in order: the deploy's
    /// movements, then the inventory if it changed, then answers of people.
    pub(super) fn catch_up(&mut self, versions: &BTreeMap<Kind, u64>, inputs: &mut impl Extend<Input>) {
        let mut changed = Vec::new();
        let runtime = Rc::clone(&self.runtime);
        runtime.block_on(async {
            while !(self.cache.is_synced() && self.cache.has_heard(versions)) {
                let Some(news) = self.news.recv().await else { return };
                self.cache.take(news, &mut changed);
            }
        });
        if changed.is_empty() {
            return;
        }
        changed.sort_by_key(|(version, _)| *version);
        self.refresh_ready_shares();
        let mut answers = Vec::new();
        for (_, change) in changed {
            match change {
                (Kind::Rollout, _, Some(rollout)) => self.tell_rollout(&rollout, inputs),
                (Kind::ConfigMap, _, Some(config)) => {
                    let new = people::answer(&config).filter(|answer| !self.told_answers.contains(answer));
                    self.told_answers.extend(new.clone());
                    answers.extend(new.map(Input::ApprovalAnswered));
                }
                _ => {}
            }
        }
        let inventory = self.inventory();
        if inventory.is_some() && inventory != self.told_inventory {
            inputs.extend(inventory.iter().cloned().map(|it| Input::Inventory(Box::new(it))));
            self.told_inventory = inventory;
        }
        inputs.extend(answers);
    }

    fn tell_rollout(&mut self, rollout: &DynamicObject, inputs: &mut impl Extend<Input>) {
        let deploy = self.deploy_of(rollout);
        if deploy.is_some() && deploy != self.told_deploy {
            inputs.extend(deploy.clone().map(Input::Deployed));
            self.told_deploy = deploy;
        }
        let state = Self::state_of(rollout);
        if state.is_some() && state != self.told_state {
            let service = self.service.clone();
            inputs.extend(state.map(|state| Input::RolloutChanged { service, state }));
            self.told_state = state;
        }
    }

    /// All that an engine has to know which knows nothing.
    pub(super) fn introduce(&self) -> impl Iterator<Item = Input> {
        let inventory = self.told_inventory.clone().map(|it| Input::Inventory(Box::new(it)));
        let deploy = self.told_deploy.clone().map(Input::Deployed);
        let service = self.service.clone();
        let state = self.told_state.map(|state| Input::RolloutChanged { service, state });
        [inventory, deploy, state].into_iter().flatten()
    }

    /// The service as the API lists it now, past what watches have told; none if it is not there.
    ///
    /// # Errors
    /// Where one of its kinds cannot be listed.
    pub(super) fn list(&mut self) -> Result<Option<Inventory>, FailureReason> {
        let ours = informer::ours(&super::words::of_service(&self.service));
        let mut listed = Cache::default();
        for kind in Kind::WATCHED {
            listed.put_list(kind, self.all(kind, &ours)?);
        }
        // What it means is read from it as from what watches tell.
        let watched = std::mem::replace(&mut self.cache, listed);
        let inventory = self.inventory();
        self.cache = watched;
        Ok(inventory)
    }

    /// Whether something was written since this was asked last.
    pub(super) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    /// The deploy, once it has begun.
    pub(super) fn deploy(&self) -> Option<&Deploy> {
        self.told_deploy.as_ref()
    }

    /// Versions, oldest first.
    pub(super) fn versions(&self) -> Vec<VersionId> {
        self.facts().map_or_else(Vec::new, |facts| facts.versions)
    }

    /// Since when the deploy runs, and the share that the candidate is configured to get.
    pub(super) fn rollout_view(&self, now: MonoTime) -> backspin_domain::frame::RolloutView {
        let deploy = self.told_deploy.as_ref();
        backspin_domain::frame::RolloutView {
            since_deploy: deploy.map(|deploy| now.since(deploy.at)),
            candidate_share: deploy.map_or(0.0, |deploy| self.configured(&deploy.candidate)),
        }
    }
}
