//! The mock Kubernetes against recordings of a real one, against rules, and against kubectl.

mod checklist;
mod faults;
mod fuzz;
mod http;
mod kubectl;
mod lab;
mod replay;
mod rollouts;
mod watches;
