//! The whole way: a world behind a mock Prometheus, fetched over real sockets, kept, framed and judged. The clock that the fetching
//! waits on is a counter.

mod end_to_end;
mod fetching;
mod framing;
mod gate;
mod keeping;
mod meaning;
mod real;
pub(crate) mod served;
