//! Policies: the file that says how a rollback is decided and done, read and checked.
//!
//! [`document`] is how every file of ours is read (scenarios too): one spanned tree, one schema, every problem
//! at once. A policy never reads a clock, a socket or the environment; only its loader opens files.

pub mod document;
