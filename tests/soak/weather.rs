//! The weather of an exchange: calm, then a storm of faults, then calm again.

use crate::exchange::{Act, Fault, World};
use crate::random::Random;

const METHODS: [&str; 11] = [
    "*",
    "*",
    "*",
    "private/*",
    "private/user-balance",
    "private/get-open-orders",
    "private/create-order",
    "private/create-order",
    "private/get-order-detail",
    "public/get-tickers",
    "public/get-instruments",
];
/// As many faults wait for their request at most.
const MOST_WAITING: usize = 6;

/// Changes by the second.
pub struct Weather {
    storm: bool,
    left_s: i64,
    /// Faults that have happened.
    pub played: usize,
    pub storms: u64,
}

impl Weather {
    pub fn new(random: &mut Random) -> Weather {
        Weather { storm: false, left_s: random.between(5, 40), played: 0, storms: 0 }
    }

    /// A second passes. Weather that has lasted too long for a program that waits longer and longer clears up.
    pub fn step(&mut self, world: &mut World, random: &mut Random, elsewhere: &str, too_long: bool) {
        self.left_s -= 1;
        if self.left_s <= 0 || (self.storm && too_long) {
            self.storm = !self.storm && !too_long;
            self.left_s = if self.storm { random.between(5, 25) } else { random.between(20, 80) };
            self.clear(world);
            if self.storm {
                self.storms += 1;
                begin(world, random);
            }
        }
        self.count_played(world);
        if random.one_in(40) && !too_long && world.faults.is_empty() {
            // Orders are rare: this one waits for the next, whatever the weather.
            world.faults.push(fault("private/create-order", random, elsewhere));
        }
        if !self.storm {
            return;
        }
        if world.faults.len() < MOST_WAITING && random.one_in(3) {
            let method = random.pick(&METHODS);
            world.faults.push(fault(method, random, elsewhere));
        }
    }

    pub fn is_storm(&self) -> bool {
        self.storm
    }

    /// The sun shines.
    pub fn clear(&mut self, world: &mut World) {
        self.count_played(world);
        world.faults.clear();
        (world.lag_ms, world.lag_reads) = (0, 0);
        (world.hidden_details, world.slow_fill_asks, world.slow_fill_half) = (0, 0, true);
        world.send_date = true;
        for market in world.markets.values_mut() {
            market.tradable = true;
        }
    }

    fn count_played(&mut self, world: &mut World) {
        let before = world.faults.len();
        world.faults.retain(|fault| fault.times > 0);
        self.played += before - world.faults.len();
    }
}

/// What stays wrong for the whole storm.
fn begin(world: &mut World, random: &mut Random) {
    match random.between(0, 7) {
        0 => world.lag_ms = random.number() % 3500,
        1 => world.lag_reads = random.pick(&[1, 2, 4]),
        2 => world.hidden_details = random.pick(&[1, 2]),
        3 => world.slow_fill_asks = random.pick(&[1, 2, 4]),
        4 => (world.lag_reads, world.hidden_details, world.slow_fill_asks) = (1, 1, 2),
        5 if random.one_in(4) => (world.slow_fill_asks, world.slow_fill_half) = (u32::MAX, random.one_in(2)),
        6 if random.one_in(2) => {
            let symbols: Vec<String> = world.markets.keys().cloned().collect();
            world.market(&random.pick(&symbols)).tradable = false;
        }
        7 => world.send_date = false,
        _ => {}
    }
}

fn fault(method: &str, random: &mut Random, elsewhere: &str) -> Fault {
    let act = act(method, random, elsewhere);
    let (skip, times) = (random.pick(&[0, 0, 0, 1, 3]), random.pick(&[1, 1, 1, 2, 5]));
    Fault { method: method.to_string(), skip, times, act }
}

fn act(method: &str, random: &mut Random, elsewhere: &str) -> Act {
    let code = |status, code, message: &str| Act::Code { status, code, message: message.into() };
    let bytes = usize::try_from(random.between(0, 300)).unwrap_or(0);
    match random.between(0, 22) {
        0 => Act::CloseBefore,
        1 => Act::CloseAfter,
        2 => Act::Cut(bytes),
        3 => Act::CutChunked(bytes),
        4 => Act::Html(502),
        5 => Act::HtmlAfter(502),
        6 => Act::Html(403),
        7 => Act::Html(429),
        8 => Act::HtmlAfter(504),
        9 => code(429, 42901, "TOO_MANY_REQUESTS"),
        10 => code(400, 50001, "ERR_INTERNAL"),
        11 => code(408, 40801, "REQUEST_TIMEOUT"),
        12 => code(400, 40102, "INVALID_NONCE"),
        13 => {
            let body = r#"{"code":9010001,"message":"SYSTEM_MAINTENANCE","details":"back soon"}"#;
            Act::Reply { status: 503, body: body.into() }
        }
        14 => Act::ReplyAfter { status: 200, body: "{}".into() },
        15 => Act::ReplyAfter { status: 200, body: "[1, 2".into() },
        16 => Act::Delay { ms: random.number() % 4000 },
        17 => Act::Late { ms: random.number() % 12_000 },
        // Later than it can be accepted.
        18 => Act::Late { ms: 36_000 + random.number() % 4000 },
        19 => Act::Redirect { status: random.pick(&[301, 302, 307, 308]), to: elsewhere.into() },
        20 => Act::Drip { ms: 1 },
        21 if method == "private/create-order" => {
            let (code, message) = random.pick(&[(415, "BELOW_MIN_ORDER_SIZE"), (325, "EXCEED_DAILY_VOL_LIMIT")]);
            Act::RejectWithId { status: 500, code, message: message.into() }
        }
        _ => Act::Chunked,
    }
}
