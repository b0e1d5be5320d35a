//! Signing the head, so that it can be told from one that somebody else wrote.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// The secret key that signs heads (Ed25519). Wiped from memory when dropped; never printed.
#[derive(Clone)]
pub struct HeadKey(SigningKey);

/// The public key that heads are checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadPublicKey(VerifyingKey);

impl HeadKey {
    /// From its 32 secret bytes, which must come from a good source of chance and be kept apart from the journal.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&secret))
    }

    /// What others check with.
    pub fn public(&self) -> HeadPublicKey {
        HeadPublicKey(self.0.verifying_key())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for HeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeadKey(secret)")
    }
}

impl HeadPublicKey {
    /// From its 32 bytes; none if they are no key.
    pub fn new(bytes: [u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(&bytes).ok().map(Self)
    }

    /// Its 32 bytes.
    pub fn bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// Length of a signature.
pub(super) const SIGNATURE_BYTES: usize = 64;
