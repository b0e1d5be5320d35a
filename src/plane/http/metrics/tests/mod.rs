//! The whole way, over real sockets.

mod equality;
mod failures;
mod group;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
