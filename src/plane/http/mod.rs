//! The HTTP plane: the engine's inputs come through sockets only.

pub mod metrics;
