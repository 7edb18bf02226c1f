//! A hint to the processor: this memory will be read soon.
//!
//! What a look-up touches was mostly not touched for long, and then each step waits for the memory, 100 ns and more.
//! Asked for early, it comes while other work is done.

#![expect(unsafe_code, reason = "the instruction has no safe form; it reads nothing and cannot fail")]

/// Asks for the cache line where `place` begins.
#[inline]
pub fn prefetch<T: ?Sized>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch changes nothing that a program can see, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
            std::ptr::from_ref(place).cast::<i8>(),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _not_known_here = place;
}

/// Asks for all of the bytes, up to 4 KiB of them.
#[inline]
pub fn prefetch_bytes(bytes: &[u8]) {
    const LINE_BYTES: usize = 64;
    const BYTES_MAX: usize = 4 << 10;
    bytes[..bytes.len().min(BYTES_MAX)].chunks(LINE_BYTES).for_each(prefetch);
}
