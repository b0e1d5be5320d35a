//! Names and numbers of things. Ordered, cheap to clone, never mixed up.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid name; use 1 to 63 letters, digits, `-`, `_` or `.`")]
pub struct BadName {
    /// What was found.
    pub text: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
        )]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the characters and the length.
            pub fn new(text: &str) -> Result<Self, BadName> {
                let fits = (1..=63).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
                if fits { Ok(Self(text.into())) } else { Err(BadName { text: text.to_owned() }) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A service, as its owners call it.
    ServiceId
}
name! {
    /// A version of a service, as it was shipped.
    VersionId
}
name! {
    /// A feature flag.
    FlagKey
}
name! {
    /// Somebody who may approve or command: a person, a role or a standing approval.
    ActorId
}

/// SHA-256 of a plan as it is written down: what an approval is bound to, so that it cannot serve another plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanHash(pub [u8; 32]);

/// Why a text is not the hash of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the hash of a plan; it has 64 hexadecimal digits")]
pub struct BadHash {
    /// What was found.
    pub text: String,
}

impl TryFrom<String> for PlanHash {
    type Error = BadHash;
    fn try_from(text: String) -> Result<Self, BadHash> {
        let digit = |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            let Some(found) = digit(2 * place) else { return Err(BadHash { text }) };
            *byte = found;
        }
        if text.len() == 64 { Ok(Self(bytes)) } else { Err(BadHash { text }) }
    }
}

impl From<PlanHash> for String {
    fn from(hash: PlanHash) -> String {
        hash.to_string()
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A call for a person: whoever gets it twice knows by this that it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageKey(pub u32);

/// One plan being run. Counts up from 1 within an engine's journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(pub u32);

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "execution {}", self.0)
    }
}

/// One try of one step of one execution: the key by which an effect is recognised when it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The execution.
    pub execution: ExecutionId,
    /// The step's place in the plan, from 0.
    pub step: u16,
    /// The try, from 1.
    pub attempt: u16,
}
