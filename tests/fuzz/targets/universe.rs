//! Anything in the place of what is remembered of a list: refused and left as it is, or it reads the same after it was written again.
//!
//! The first byte says what the rest is: raw bytes, or lines that are sealed first.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use untrusted::files::sealed_or_raw;
use untrusted::lists;

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let Some(mut file) = sealed_or_raw(*choice, rest) else { return };
    if choice & 1 == 1 {
        // Torn.
        file.truncate(file.len().saturating_sub(usize::from(choice >> 4)));
    }
    lists::record(&file);
});
