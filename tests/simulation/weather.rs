//! What goes wrong, and how often. Each life has its own mixture: about half of all faults are switched off in it, the others are more
//! or less frequent, and storms come and go.

use super::chance::Chance;

/// What can happen to one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nobody listens; the client knows that it was not sent.
    Unreachable,
    /// It never arrives.
    Lost,
    /// It is done, and the answer never arrives.
    AnswerLost,
    /// It arrives up to two minutes later, when the client has long given up.
    Late,
    /// It arrives twice.
    Doubled,
    /// The answer to the question before, of the same kind, comes instead.
    Reordered,
    /// The answer is cut; its announced length tells.
    Cut,
    /// The answer is cut, and no length was announced.
    CutUnannounced,
    /// The connection breaks within the body.
    Broken,
    /// A gateway's page, instead of the exchange.
    Html,
    /// A gateway's page, after the exchange has done it.
    HtmlAfter,
    /// Too many requests.
    TooMany,
    /// An error of the exchange that says nothing.
    Internal,
    /// The exchange is being maintained.
    Maintenance,
    /// The time is refused.
    Nonce,
    /// The key is refused.
    Key,
    /// An order is rejected, with an id.
    Rejected,
    /// A redirect.
    Redirect,
    /// JSON that is something else.
    OtherJson,
    /// The answer comes at the last moment.
    Slow,
    /// The answer does not tell the time.
    NoDate,
}

const FAULTS: [Fault; 21] = [
    Fault::Unreachable,
    Fault::Lost,
    Fault::AnswerLost,
    Fault::Late,
    Fault::Doubled,
    Fault::Reordered,
    Fault::Cut,
    Fault::CutUnannounced,
    Fault::Broken,
    Fault::Html,
    Fault::HtmlAfter,
    Fault::TooMany,
    Fault::Internal,
    Fault::Maintenance,
    Fault::Nonce,
    Fault::Key,
    Fault::Rejected,
    Fault::Redirect,
    Fault::OtherJson,
    Fault::Slow,
    Fault::NoDate,
];

/// What can be wrong with a list of coins that arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListFault {
    /// No coin at all.
    Empty,
    /// Its last coins are missing, and it does not say so.
    Short,
    /// Sizes are null or zero, in between or at the end.
    NullSizes,
    /// Nobody has renewed it.
    Stale,
    /// It is from the future.
    Ahead,
    /// Its last coins are its first.
    Reversed,
    /// It has other coins, and only these.
    Strangers,
    /// There is none, because it was asked for too often.
    TooOften,
}

const LIST_FAULTS: [ListFault; 8] = [
    ListFault::Empty,
    ListFault::Short,
    ListFault::NullSizes,
    ListFault::Stale,
    ListFault::Ahead,
    ListFault::Reversed,
    ListFault::Strangers,
    ListFault::TooOften,
];

/// The mixture of one life, and how strong it is now.
#[derive(Default)]
pub struct Weather {
    faults: Vec<(Fault, u64)>,
    /// Of a million requests so many meet a fault.
    request_ppm: u64,
    /// Of a million lists so many are bad. They are asked for seldom.
    list_ppm: u64,
    /// Of a million operations on the disk so many fail.
    pub disk_ppm: u64,
    /// Before and after each operation and request the power goes so many times in a million.
    pub power_ppm: u64,
    /// A cycle is killed, likewise.
    pub kill_ppm: u64,
    /// Balances lag behind fills by at most so much.
    pub lag_ms: i64,
    /// Answers take up to so long, which is just within the limits.
    pub crawl_ms: i64,
    /// Orders may stay open, fill in part, be hidden for a while.
    pub odd_orders_percent: u64,
    /// Clocks are set, the disk fills up, the network is gone for hours.
    pub accidents: bool,
    /// What the owner of this life may meet at all.
    mixture: Mixture,
}

#[derive(Clone, Copy, Default)]
struct Mixture {
    disk: bool,
    power: bool,
    kill: bool,
    crawl: bool,
    list: bool,
    lag: bool,
    odd_orders: bool,
    accidents: bool,
}

impl Weather {
    /// A mixture of its own.
    pub fn new(chance: &Chance) -> Weather {
        let faults = FAULTS.iter().filter(|_| chance.percent(50)).map(|fault| (*fault, chance.pick(&[1, 1, 3, 10])));
        let faults = faults.collect();
        let on = || chance.percent(50);
        let (disk, power, kill) = (on(), on(), on());
        let (lag, odd_orders, accidents, crawl) = (on(), on(), on(), chance.percent(20));
        let list = chance.percent(70);
        let mixture = Mixture { disk, power, kill, crawl, list, lag, odd_orders, accidents };
        Weather { faults, mixture, ..Weather::default() }
    }

    /// The next spell: fair, changeable or a storm; gives its length in minutes. The worse, the shorter.
    pub fn change(&mut self, chance: &Chance) -> i64 {
        let (strength, minutes) =
            chance.pick(&[(0, 9000), (0, 1500), (1, 6000), (1, 1000), (4, 900), (4, 200), (16, 40)]);
        let ppm = |on: bool, ppm: u64| if on { ppm * strength } else { 0 };
        let Mixture { disk, power, kill, crawl, list, lag, odd_orders, accidents } = self.mixture;
        self.request_ppm = ppm(!self.faults.is_empty(), 25_000);
        self.list_ppm = ppm(list, 200_000);
        self.disk_ppm = ppm(disk, 6_000);
        self.power_ppm = ppm(power, 1_000);
        self.kill_ppm = ppm(kill, 1_000);
        self.crawl_ms = if crawl { chance.pick(&[200, 3000, 9500]) } else { 200 };
        self.lag_ms = if lag && strength > 0 { chance.pick(&[0, 300, 2500, 9000]) } else { 0 };
        self.odd_orders_percent = if odd_orders { 6 * strength.min(10) } else { 0 };
        self.accidents = accidents && strength > 0;
        chance.between(minutes / 4, minutes)
    }

    /// Fair from now on.
    pub fn clear(&mut self) {
        *self = Weather { crawl_ms: 200, ..Weather::default() };
    }

    /// What happens to the next request.
    pub fn fault(&self, chance: &Chance) -> Option<Fault> {
        if !chance.ppm(self.request_ppm) {
            return None;
        }
        let mut at = chance.below(self.faults.iter().map(|(_, weight)| weight).sum());
        let hit = self.faults.iter().find(|(_, weight)| {
            let hit = at < *weight;
            at = at.saturating_sub(*weight);
            hit
        });
        hit.map(|(fault, _)| *fault)
    }

    /// What is wrong with the next list.
    pub fn list_fault(&self, chance: &Chance) -> Option<ListFault> {
        chance.ppm(self.list_ppm).then(|| chance.pick(&LIST_FAULTS))
    }
}
