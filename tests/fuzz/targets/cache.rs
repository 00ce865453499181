//! Any file of trading rules: not believed, or kept and read again the same.
//!
//! The first byte says what the rest is: raw bytes, or lines that are sealed first.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use rebalancer::amount::Price;
use rebalancer::exchange::catalogue::Cache;
use rebalancer::market::Quote;
use std::path::{Path, PathBuf};
use untrusted::files::sealed_or_raw;
use untrusted::{Memory, NOW};

/// A currency whose bid and ask are the same.
fn at(usd: &str) -> Quote {
    let price = Price::parse(usd).unwrap();
    Quote { bid: price, ask: price }
}

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let path = Path::new("markets.cache");
    let Some(file) = sealed_or_raw(*choice, rest) else { return };
    let disk = Memory::with(path, &file);
    let cache = Cache::new(&disk, PathBuf::from(path), "test USDT".to_string());
    let Some(rules) = cache.load(NOW) else { return };
    assert_eq!(disk.get(path), file, "reading changed the file");
    for (coin, rules) in rules.iter() {
        let Some(rules) = rules else { continue };
        for usd in ["1", "0.000000000000000001", "100000000000000000", "0.9997"] {
            if let Some(market) = rules.market(coin, at(usd)) {
                assert!(market.symbol == rules.symbol && market.quantity_tick == rules.quantity_tick);
            }
        }
    }
    cache.save(NOW, &rules);
    assert!(cache.load(NOW).is_some_and(|again| again == rules), "it reads otherwise after it was kept");
});
