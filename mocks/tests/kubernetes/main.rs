//! The mock Kubernetes against recordings of a real one, against rules, and against kubectl.

mod lab;
mod replay;
