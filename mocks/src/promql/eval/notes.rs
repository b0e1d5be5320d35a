//! Warnings and infos beside an answer.

use std::collections::BTreeSet;

use super::number::general;

/// What an evaluation says beside its value; each text once, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What is probably wrong with the query or the data.
    pub warnings: BTreeSet<String>,
    /// What may be unexpected.
    pub infos: BTreeSet<String>,
}

/// What a note is about; texts of Prometheus 3.5, `util/annotations`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Note<'a> {
    InvalidQuantile(f64),
    BadBucketLabel { name: &'a str, le: &'a str },
    NotACounter { name: &'a str },
    RaisedBuckets { name: &'a str },
}

impl Notes {
    /// Adds a note about the part of `text` that starts at byte `offset`.
    pub(super) fn add(&mut self, note: Note<'_>, text: &str, offset: usize) {
        let place = position(text, offset);
        match note {
            Note::InvalidQuantile(phi) => {
                let got = general(phi);
                self.warn(&format!("quantile value should be between 0 and 1, got {got} ({place})"));
            }
            Note::BadBucketLabel { name, le } => self.warn(&format!(
                "bucket label \"le\" is missing or has a malformed value of {} for metric name {} ({place})",
                crate::store::quoted(le),
                crate::store::quoted(name)
            )),
            Note::NotACounter { name } => self.inform(&format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {} ({place})",
                crate::store::quoted(name)
            )),
            Note::RaisedBuckets { name } => self.inform(&format!(
                "input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) for metric name {} \
                 ({place})",
                crate::store::quoted(name)
            )),
        }
    }

    fn warn(&mut self, text: &str) {
        self.warnings.insert(format!("PromQL warning: {text}"));
    }

    fn inform(&mut self, text: &str) {
        self.infos.insert(format!("PromQL info: {text}"));
    }
}

/// `line:column` of a byte, both from 1; columns are bytes, as in Prometheus.
pub(crate) fn position(text: &str, offset: usize) -> String {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.split(|&byte| byte == b'\n').count();
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    format!("{line}:{column}")
}
