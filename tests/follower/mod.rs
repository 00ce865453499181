//! An owner who follows a list: the loopback exchange, the loopback source, and runs of the real program between them.
//!
//! Time passes by the exchange's clock, which the program goes by when it reads the list: see [`Follower::later`]. It
//! begins 40 s behind the machine's, and may be a minute off.

#![allow(dead_code)]

use crate::exchange::{Exchange, Market, Side, World, dec};
use crate::owner::{Books, Owner, Run, assert_weights};
use crate::source::{DEFI, Source};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Mutex;

/// The owner's own coin, which no list names.
pub const OWN: (&str, &str) = ("KEEP", "3.14159265358979");
/// Coins at about a hundred USDT each.
const COINS: &str = "UNI AAVE LINK LDO CRV SOL ALFA BRAVO CARGO DELTA ECHO FOXTROT KEEP USDC";
/// What a run may lose of a weight to fees, spread and ticks, in points.
pub const NEAR: &str = "0.7";

/// A market of many coins, and 10,000 USDT to spend.
pub fn market() -> World {
    let mut world = World::new();
    world.list("BTC_USDT", "0.00001", "0.01", "59990", "60010");
    world.list("ETH_USDT", "0.0001", "0.01", "1999", "2001");
    for coin in COINS.split(' ') {
        world.list(&format!("{coin}_USDT"), "0.0001", "0.01", "99.95", "100.05");
    }
    world.list("USDT_USD", "0.1", "0.00001", "0.99912", "0.99916");
    world.hold("USDT", "10000");
    world.hold(OWN.0, OWN.1);
    world.clock_skew_s = -40;
    world
}

pub struct Follower {
    pub exchange: Exchange,
    pub source: Source,
    pub owner: Owner,
    books: Mutex<Books>,
}

impl Follower {
    /// Follows these coins ([`crate::source::Coin::all`]) by rules such as `"top": 4`, with everything.
    pub fn new(coins: &str, rules: &str) -> Follower {
        Follower::with(market(), coins, rules, "")
    }

    /// In another world, and with more keys of the config, such as `"allocation": {"BTC": 100},`.
    pub fn with(world: World, coins: &str, rules: &str, keys: &str) -> Follower {
        let exchange = Exchange::start(world);
        let source = Source::start(coins);
        let books = Mutex::new(Books::open(&exchange));
        let owner = Owner::new(&exchange, "");
        let follower = Follower { exchange, source, owner, books };
        follower.follow(rules, keys);
        follower
    }

    /// Another config for the same owner, with CoinGecko as source.
    pub fn follow(&self, rules: &str, keys: &str) {
        let source = format!(r#""source": "coingecko", "category": "{DEFI}", "base_url": "SOURCE""#);
        self.configure(&source, rules, keys);
    }

    /// Another config for the same owner, with any source; `SOURCE` and `PAGE` stand for the loopback source's
    /// addresses.
    pub fn configure(&self, source: &str, rules: &str, keys: &str) {
        let config = format!("{{\n  {keys}\n  \"universe\": {{{source}, {rules}}},\n  \"base_url\": \"URL\"\n}}\n");
        let config = config.replace("SOURCE", &self.source.url()).replace("PAGE", &self.source.page_url());
        self.write("config.json", &config.replace("URL", &self.exchange.url()));
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.owner.home.join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.owner.home.join(name)).unwrap_or_default()
    }

    /// Five seconds pass.
    pub fn later(&self) {
        self.later_by(5);
    }

    /// Seconds pass, in fives: next to the machine's clock the program takes that one.
    pub fn later_by(&self, seconds: i64) {
        self.exchange.world().clock_skew_s += seconds;
    }

    /// The account is counted anew, because something else than trading has changed what it is worth.
    pub fn count_anew(&self) {
        *self.books.lock().unwrap() = Books::open(&self.exchange);
    }

    /// A pair is not traded any more, and the program's copy of the list of pairs is too old to be used.
    pub fn delist(&self, symbol: &str) -> Market {
        let market = self.exchange.world().markets.remove(symbol).unwrap();
        self.markets_changed();
        market
    }

    /// A pair is traded again.
    pub fn relist(&self, market: Market) {
        self.exchange.world().markets.insert(market.symbol.clone(), market);
        self.markets_changed();
    }

    fn markets_changed(&self) {
        self.count_anew();
        std::fs::remove_file(self.owner.home.join("markets.cache")).unwrap();
    }

    /// One cycle, which did nothing forbidden.
    pub fn once(&self) -> Run {
        let run = self.owner.run(&["once"]);
        self.check(&run.log);
        run
    }

    /// One cycle that ends well.
    pub fn good(&self) -> Run {
        let run = self.once();
        assert_eq!(run.code, 0, "{}", run.log);
        run
    }

    /// A command without the owner's environment for keys, and with a key for the source.
    pub fn keyed(&self, args: &[&str], key: &str) -> Command {
        let mut command = self.owner.command(args);
        command.env("REBALANCER_COINGECKO_KEY", key);
        command
    }

    /// What was lost is what trading cost, nothing forbidden was asked of either, and the owner's own coin is whole.
    pub fn check(&self, what: &str) {
        self.books.lock().unwrap().check(&self.exchange, what);
        let violations = self.source.desk().violations.clone();
        assert!(violations.is_empty(), "{what}: {violations:?}");
        let own = self.exchange.world().balances.get(OWN.0).copied().unwrap_or_default();
        assert_eq!(own.quantity, dec(OWN.1), "{what}: the owner's own coin");
    }

    /// Afterwards no client id was executed twice, and every order that the exchange has is in the journal.
    pub fn check_orders(&self, what: &str) {
        let ids: Vec<String> = self.exchange.world().orders.iter().map(|order| order.client_oid.clone()).collect();
        let unique: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "{what}: an order was doubled");
        let journal = self.owner.journal();
        for id in &ids {
            assert!(journal.contains(&format!("\"order\":\"{id}\"")), "{what}: {id} has no record\n{journal}");
            assert!(journal.contains(&format!("\"done\":\"{id}\"")), "{what}: {id} has no outcome\n{journal}");
        }
    }

    /// How many orders the exchange has seen.
    pub fn orders(&self) -> usize {
        self.exchange.world().orders.len()
    }

    /// How many orders there were to sell a coin.
    pub fn sales(&self, coin: &str) -> usize {
        let world = self.exchange.world();
        world.orders.iter().filter(|order| order.side == Side::Sell && order.symbol == format!("{coin}_USDT")).count()
    }

    /// How much of a coin there is, as text.
    pub fn held(&self, coin: &str) -> String {
        self.exchange.world().balances.get(coin).copied().unwrap_or_default().quantity.to_string()
    }

    /// Weights of the account are near these, such as `UNI 25 AAVE 25`. The owner's own coin is not counted.
    pub fn assert_weights(&self, weights: &str, what: &str) {
        let own = self.exchange.world().balances.remove(OWN.0);
        let words: Vec<&str> = weights.split(' ').collect();
        let pairs: Vec<(&str, &str)> = words.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        assert_weights(&self.exchange, &pairs, NEAR, what);
        if let Some(own) = own {
            self.exchange.world().balances.insert(OWN.0.to_string(), own);
        }
    }

    /// What a command prints with `--json` when it ends well.
    pub fn json(&self, command: &str) -> Json {
        let run = self.owner.run(&[command, "--json"]);
        assert_eq!(run.code, 0, "{command}: {}", run.log);
        run.json()
    }

    /// What `status --json` says of the list.
    pub fn list(&self) -> Json {
        self.json("status")["universe"].clone()
    }

    /// The members by their places: `UNI AAVE`.
    pub fn members(&self) -> String {
        names(&self.list()["members"])
    }

    /// The targets that `plan --json` goes by, of all coins that have one.
    pub fn targets(&self) -> BTreeMap<String, String> {
        let plan = self.json("plan");
        let coins = plan["coins"].as_array().unwrap().iter();
        let target = |coin: &Json| (text(&coin["coin"]), text(&coin["target"]));
        coins.map(target).filter(|(_, target)| target != "0.000000").collect()
    }

    /// What is remembered of the list, as the program wrote it.
    pub fn state(&self) -> String {
        self.read("rebalancer.universe")
    }

    /// The line of `universe --json` about the coin with this id.
    pub fn line(&self, id: &str) -> Json {
        let json = self.json("universe");
        let lines = json["coins"].as_array().unwrap();
        let line = lines.iter().find(|line| line["id"] == id);
        line.unwrap_or_else(|| panic!("no {id}: {json}")).clone()
    }
}

/// A JSON string as text.
pub fn text(json: &Json) -> String {
    json.as_str().unwrap_or_else(|| panic!("no text: {json}")).to_string()
}

/// The coins of a list of objects, or of names.
pub fn names(list: &Json) -> String {
    let name = |item: &Json| if item.is_string() { text(item) } else { text(&item["coin"]) };
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().map(name).collect::<Vec<_>>().join(" ")
}
