//! Anything in the place of what is remembered of a list: refused and left as it is, or it reads the same after it was written again.
//!
//! The first byte says what the rest is: raw bytes, or lines that are sealed first.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use rebalancer::store::seal;
use untrusted::lists;

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let mut file = Vec::new();
    if choice & 1 == 0 {
        file.extend_from_slice(rest);
    } else {
        for line in rest.split(|byte| *byte == b'\n') {
            let Ok(text) = std::str::from_utf8(line) else { return };
            file.extend_from_slice(seal(text).as_bytes());
        }
        // Torn.
        file.truncate(file.len().saturating_sub(usize::from(choice >> 4)));
    }
    lists::record(&file);
});
