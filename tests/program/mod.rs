//! Which file the tests run.

/// The program under test: the one that was built with the tests, or the one named by REBALANCER_PROGRAM (a static file under emulation).
pub fn program() -> std::ffi::OsString {
    std::env::var_os("REBALANCER_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_rebalancer").into())
}
