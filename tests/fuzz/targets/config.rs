//! Any config: refused with a line and a sentence that a terminal can show, or what serde_json reads in it.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use untrusted::files;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    files::config(text, &rebalancer::config::parse(text, Path::new("/")));
});
