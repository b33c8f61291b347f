//! Memory that the allocator keeps.

/// Gives memory that is free, and that the allocator keeps for itself, back to the system. Only glibc's keeps so much of it that this is
/// needed: with other allocators nothing happens. It takes about a millisecond for each 10 MB. Another thread that allocates meanwhile may
/// have to wait so long, so that it should be called often rather than late.
pub fn give_back_free_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: any thread may call it at any time, as `malloc` itself.
    unsafe {
        libc::malloc_trim(0);
    }
}
