//! Tuning: which policy is best, how sure that is, and what it hangs on.
//!
//! A tune file ([`space`]) names parts of a policy, where each may lie, what is to be made small and what must hold. Every
//! candidate plays the same scenarios on the same seeds ([`runs`]), most of it looked up and not played ([`course`]).
//! [`search`] begins with an even spread, goes on where it is good, and gives more seeds to fewer candidates; [`judged`]
//! tells how far the result can be trusted: on families that were left out, and once on some that were locked away.
//!
//! What is never done: reading a clock, choosing by runs that were held out, or letting the number of cores be seen in a
//! result.

pub mod course;
pub mod field;
pub mod front;
pub mod journal;
pub mod judged;
pub mod model;
pub mod report;
pub mod runs;
pub mod search;
pub mod sensitivity;
pub mod space;
pub mod threshold;
pub mod told;
pub mod worth;

#[cfg(test)]
mod tests;

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
