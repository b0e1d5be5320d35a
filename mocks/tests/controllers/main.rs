//! The rollout controllers: rule by rule, against recorded Kubernetes, and under random commands and pods.

mod conformance;
mod properties;
mod rules;
mod world;
