//! How a training keeps its memory.

/// Has glibc keep what is freed instead of giving it back to the system: each step takes and frees the same tensors, and the system fills
/// each page that it gives anew with zeros. Measured on one thread with cnn4 in bfloat16, batches of 64, six epochs of CK+48, in turns: 54 to
/// 58 s of processor time as glibc is set, 2.9 to 6.1 s of them the system's; 51 to 52 s so, 0.9 to 1.0 s the system's. Only for trainings: a program
/// that runs for days beside others should give its memory back.
pub(super) fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Taken from the system at once.
        const STEP: libc::c_int = 256 << 20;
        // Large tensors come from the same memory as small ones, which is never trimmed and grows in large steps.
        for (setting, value) in
            [(libc::M_MMAP_MAX, 0), (libc::M_TRIM_THRESHOLD, libc::c_int::MAX), (libc::M_TOP_PAD, STEP)]
        {
            // SAFETY: takes two numbers and locks glibc's own state. What it refuses stays as it was.
            unsafe { libc::mallopt(setting, value) };
        }
    }
}
