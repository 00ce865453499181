//! Any paper account: refused with its line and left as it is, or what serde_json reads in it; and after orders it can be read again.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use untrusted::files;

fuzz_target!(|data: &[u8]| {
    files::paper(data);
});
