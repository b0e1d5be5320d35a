//! Cases from seeds.

mod small;

pub use small::small;
