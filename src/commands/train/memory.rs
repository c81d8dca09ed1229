//! How trainings allocate memory.

/// Makes glibc keep freed memory instead of returning it to the system: each step allocates and frees the same tensors, and the system
/// fills every new page with zeros. Measured alternately on one thread with cnn4 in bfloat16, batches of 64, six epochs of CK+48: 54 to 58
/// s of processor time with glibc's defaults, 2.9 to 6.1 s of them in the kernel; 51 to 52 s with these settings, 0.9 to 1.0 s of them in
/// the kernel. Only for trainings: a program that runs for days beside others should return its memory.
pub(super) fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Number of bytes to request from the system at once.
        const STEP: libc::c_int = 256 << 20;
        // Large tensors come from the heap like small ones; the heap is never trimmed and grows in large steps.
        for (setting, value) in
            [(libc::M_MMAP_MAX, 0), (libc::M_TRIM_THRESHOLD, libc::c_int::MAX), (libc::M_TOP_PAD, STEP)]
        {
            // SAFETY: the call takes two numbers and locks glibc's own state. A setting that it refuses stays as it was.
            unsafe { libc::mallopt(setting, value) };
        }
    }
}
