//! Paging states carry a seal, so that a client cannot make one up.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of the seal in front of the content.
const SEAL_BYTES: usize = 16;

/// A node's secret.
pub struct Seal {
    mac: Hmac<Sha256>,
}

impl Seal {
    /// A seal of this key.
    pub fn new(key: &[u8; 32]) -> Seal {
        Seal { mac: Hmac::new_from_slice(key).expect("HMAC takes keys of any length") }
    }

    /// The content with its seal.
    pub fn close(&self, content: &[u8]) -> Bytes {
        let mut sealed = Vec::with_capacity(SEAL_BYTES + content.len());
        sealed.extend_from_slice(&self.seal_of(content));
        sealed.extend_from_slice(content);
        sealed.into()
    }

    /// The content, if the seal is ours.
    pub fn open(&self, sealed: &Bytes) -> Option<Bytes> {
        let seal = sealed.get(..SEAL_BYTES)?;
        let content = sealed.slice(SEAL_BYTES..);
        let wanted = self.seal_of(&content);
        // No early exit: how long it takes must not tell how much was right.
        let difference = seal.iter().zip(&wanted).fold(0, |difference, (a, b)| difference | (a ^ b));
        (difference == 0).then_some(content)
    }

    fn seal_of(&self, content: &[u8]) -> [u8; SEAL_BYTES] {
        let mut mac = self.mac.clone();
        mac.update(content);
        let full = mac.finalize().into_bytes();
        let mut seal = [0; SEAL_BYTES];
        seal.copy_from_slice(&full[..SEAL_BYTES]);
        seal
    }
}
