//! Any list of coins: refused, or what serde_json or a plain reading of its lines finds in it.
//!
//! The first byte says what the rest is: the text of a list of one's own, or an answer of CoinGecko's.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use untrusted::lists;

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    if choice & 1 == 1 {
        lists::coingecko(rest);
    } else if let Ok(text) = std::str::from_utf8(rest) {
        lists::list(text);
    }
});
