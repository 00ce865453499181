//! The rows of CoinGecko's list, with every member that real ones have and what numbers and names look like there.

use std::time::{SystemTime, UNIX_EPOCH};

/// Ids that are not the symbol in small letters. Symbols that are not here have an id of their own: `echo` is
/// `echo-coin`.
const IDS: &[(&str, &str)] = &[
    ("BTC", "bitcoin"),
    ("ETH", "ethereum"),
    ("SOL", "solana"),
    ("UNI", "uniswap"),
    ("AAVE", "aave"),
    ("LINK", "chainlink"),
    ("LDO", "lido-dao"),
    ("CRV", "curve-dao-token"),
    ("USDT", "tether"),
    ("USDC", "usd-coin"),
    ("DAI", "dai"),
    ("WBTC", "wrapped-bitcoin"),
    ("STETH", "staked-ether"),
];

/// One coin of a list.
#[derive(Clone)]
pub struct Coin {
    pub id: String,
    pub symbol: String,
    pub name: String,
    /// As it stands in the row.
    pub cap: String,
    /// How many seconds ago it was updated.
    pub age_s: i64,
    /// A member that its row does not have.
    pub without: Option<&'static str>,
    /// So many letters more in its image's address.
    pub padding: usize,
}

impl Coin {
    /// Coins by their symbols, with caps that go down by a tenth from 100,000,000,000 dollars: `UNI AAVE`. With an id:
    /// `LUNA/terra-luna-2`, with a cap: `UNI=600` (which stays exactly as it is written), with both:
    /// `LUNA/terra-luna-2=5e+9`.
    pub fn all(coins: &str) -> Vec<Coin> {
        let mut cap = 100_000_000_000_u64;
        let coin = |(at, word): (usize, &str)| {
            let (word, given) = word.split_once('=').map_or((word, None), |(word, cap)| (word, Some(cap.to_string())));
            let (symbol, id) = word.split_once('/').map_or((word, None), |(symbol, id)| (symbol, Some(id.to_string())));
            let known = IDS.iter().find(|(known, _)| *known == symbol).map(|(_, id)| (*id).to_string());
            let name =
                ["Ünïcode Ω 币", "A \\\"quoted\\\" [name] {0}", "Plain", "back\\\\slash 1e5"][at % 4].to_string();
            let made_up = || format!("{}-coin", symbol.to_lowercase());
            let coin = Coin {
                id: id.or(known).unwrap_or_else(made_up),
                symbol: symbol.to_string(),
                name,
                cap: given.unwrap_or_else(|| cap.to_string()),
                age_s: 60 + at as i64,
                without: None,
                padding: 0,
            };
            cap -= cap / 10;
            coin
        };
        coins.split_whitespace().enumerate().map(coin).collect()
    }

    /// Its row. What is nullable is null in one row or another.
    pub fn row(&self, rank: usize) -> String {
        let text = |text: &str| format!("\"{text}\"");
        let or_null = |null: bool, value: &str| if null { "null".to_string() } else { value.to_string() };
        let huge = ["123456789012345678901234", "1.2345678e+24", "999999999999999999999999.5", "1000000000"][rank % 4];
        let roi = r#"{"times":87.6,"currency":"btc","percentage":8.76e+3,"id":"nested","market_cap":1}"#;
        let image = format!(
            "https://assets.example.invalid/coins/{rank}/large/{}.png?1696{}",
            self.id,
            "x".repeat(self.padding)
        );
        let members = [
            ("id", text(&self.id)),
            ("symbol", text(&self.symbol.to_lowercase())),
            ("name", text(&self.name)),
            ("image", text(&image)),
            ("current_price", or_null(rank % 7 == 3, "3.27")),
            ("market_cap", self.cap.clone()),
            ("market_cap_rank", or_null(rank % 5 == 4, &rank.to_string())),
            ("fully_diluted_valuation", or_null(rank.is_multiple_of(2), "2.5e+11")),
            ("total_volume", or_null(rank % 6 == 5, "91000000.5")),
            ("high_24h", or_null(rank.is_multiple_of(3), "3.33")),
            ("low_24h", or_null(rank % 3 == 1, "3.22e+0")),
            ("price_change_24h", or_null(rank % 3 == 2, "-1.5e-08")),
            ("price_change_percentage_24h", or_null(rank.is_multiple_of(4), "-0.04512")),
            ("market_cap_change_24h", or_null(rank % 4 == 1, "-1.0e+7")),
            ("market_cap_change_percentage_24h", or_null(rank % 4 == 2, "1.1")),
            ("circulating_supply", or_null(rank % 9 == 8, "630000000.0")),
            ("total_supply", or_null(rank % 9 == 7, huge)),
            ("max_supply", or_null(rank % 2 == 1, huge)),
            ("ath", "44.92".to_string()),
            ("ath_change_percentage", "-92.7".to_string()),
            ("ath_date", text("2021-05-03T05:25:04.822Z")),
            ("atl", "1.2e-7".to_string()),
            ("atl_change_percentage", "2.17e+4".to_string()),
            ("atl_date", text("2020-09-17T01:20:38.214Z")),
            ("roi", or_null(!rank.is_multiple_of(3), roi)),
            ("last_updated", text(&iso_date(now_s() - self.age_s))),
        ];
        let members = members.iter().filter(|(name, _)| self.without != Some(*name));
        let members: Vec<String> = members.map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// Seconds since 1970.
pub fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// Year, month from 0, day and second of the day, counted year by year.
fn calendar(seconds: i64) -> (i64, usize, i64, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut days, mut year, mut month) = (seconds / 86_400, 1970, 0);
    while days >= 365 + i64::from(leap(year)) {
        days -= 365 + i64::from(leap(year));
        year += 1;
    }
    let length = |month: usize| [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
    while days >= length(month) {
        days -= length(month);
        month += 1;
    }
    (year, month, days + 1, seconds % 86_400)
}

/// `2026-08-16T21:46:00.123Z` of seconds since 1970.
pub fn iso_date(seconds: i64) -> String {
    let (year, month, day, second) = calendar(seconds);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.123Z", month + 1)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` of seconds since 1970.
pub fn http_date(seconds: i64) -> String {
    let (year, month, day, second) = calendar(seconds);
    let weekday = DAYS[(seconds / 86_400 % 7) as usize];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", MONTHS[month])
}
