//! Random: bits that nobody can guess (on the real side), or that the seed fixes (in the simulation).
//!
//! Never here: a generator of our own; `stdx::prng` is for jitter and tests.

/// Where randomness comes from.
pub trait Random: Send + Sync {
    /// Fills `bytes` with random bits.
    fn fill(&self, bytes: &mut [u8]);

    /// 64 random bits.
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }
}
