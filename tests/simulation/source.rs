//! Whoever ranks the coins: their sizes wander, and what is asked for comes, or not, cut, old, empty, or with other
//! coins in it.

use super::around::{Around, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use super::chance::Chance;
use super::exchange::Reply;
use super::follow::{ADDRESS, COINS, FILE, Follow, Form, Place, id_of};
use super::setup::HOME;
use super::weather::{Fault, ListFault};
use super::wire::{Broken, failure, http_date};
use rebalancer::clock::stamp;
use rebalancer::wire::{Answer, Failure, Request, Stream};
use std::cell::RefCell;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// What stands on lists and is no coin of its own, or none of the exchange: id and symbol.
const OTHERS: [(&str, &str); 8] = [
    ("tether", "USDT"),
    ("usd-coin", "USDC"),
    ("wrapped-bitcoin", "WBTC"),
    ("staked-ether", "STETH"),
    ("binance-peg-dogecoin", "DOGE"),
    ("unicorn-token", "UNI"),
    ("no-market", "NOPE"),
    ("dotted", "FIL.E"),
];

/// Two coins of one name; it trades.
const TWINS: [(&str, &str); 2] = [("twin-one", "TWIN"), ("twin-two", "TWIN")];

/// One coin of the list.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// Empty when the list has no ids.
    pub id: String,
    pub symbol: String,
    /// The coin of the exchange that it is.
    pub coin: Option<String>,
    pub size: Option<u64>,
}

/// Something that was served: what it says, and how.
#[derive(Clone)]
pub struct Page {
    /// From 1.
    pub number: usize,
    pub rows: Vec<Row>,
    /// When its newest row is from.
    pub newest_ms: i64,
    text: String,
}

pub struct Source {
    pub follow: Follow,
    /// By size.
    rows: RefCell<Vec<Row>>,
    /// The answer before.
    before: RefCell<Option<Page>>,
    /// What the file says; nothing when it is no list.
    file: RefCell<Option<Page>>,
}

impl Source {
    pub fn new(chance: &Chance, follow: Follow, coins: &[String]) -> Source {
        let ids = follow.form.has_ids();
        let row = |id: &str, symbol: &str, coin: Option<&str>| Row {
            id: if ids { id.to_string() } else { String::new() },
            symbol: symbol.to_string(),
            coin: coin.map(str::to_string),
            size: None,
        };
        let mut rows: Vec<Row> = coins.iter().map(|coin| row(id_of(coin), coin, Some(coin))).collect();
        for (id, symbol) in OTHERS {
            // Without ids a coin's name is the coin, and a list of one's own with what is no name is none.
            let other = ids || !COINS.iter().any(|(coin, _)| *coin == symbol);
            if chance.percent(50) && other && (follow.form == Form::Markets || !symbol.contains('.')) {
                rows.insert(chance.below(rows.len() as u64 + 1) as usize, row(id, symbol, None));
            }
        }
        if ids && chance.percent(30) {
            for (id, symbol) in TWINS {
                rows.insert(chance.below(rows.len() as u64 + 1) as usize, row(id, symbol, Some(symbol)));
            }
        }
        if follow.place == Place::CoinGecko && chance.percent(10) {
            // A market of many coins that do not trade here has more than one page.
            let first = chance.below(4) as usize;
            for at in 0..60 {
                rows.insert(first, row(&format!("other-{at}"), &format!("OTHER{at}"), None));
            }
        }
        let mut size = 900_000_000_000;
        for row in &mut rows {
            row.size = Some(size);
            size = size / 100 * chance.between(70, 99) as u64;
        }
        Source { follow, rows: RefCell::new(rows), before: RefCell::default(), file: RefCell::default() }
    }

    /// Sizes go up and down, and ranks with them.
    fn wander(&self, chance: &Chance) {
        let mut rows = self.rows.borrow_mut();
        for row in rows.iter_mut() {
            let percent = if chance.percent(2) { chance.pick(&[20, 400]) } else { chance.between(88, 113) as u64 };
            let size = row.size.unwrap_or(1_000_000) / 100 * percent;
            row.size = Some(size.clamp(1_000_000, 3_000_000_000_000));
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.size));
    }

    /// The list as it is served, on pages of so many rows.
    fn page(&self, chance: &Chance, now: i64, fault: Option<ListFault>, (number, per_page): (usize, usize)) -> Page {
        let mut rows = self.rows.borrow().clone();
        let mut newest_ms = now - chance.between(0, 10 * MINUTE_MS);
        let some = |rows: &Vec<Row>| chance.below(rows.len() as u64) as usize;
        match fault {
            Some(ListFault::Empty) => rows.clear(),
            Some(ListFault::Short) => rows.truncate(some(&rows)),
            Some(ListFault::NullSizes) => match chance.below(4) {
                0 => rows.iter_mut().for_each(|row| row.size = None),
                // Those without a size come last, as they may.
                1 => {
                    let first = some(&rows);
                    rows.iter_mut().skip(first).for_each(|row| row.size = None);
                }
                2 => {
                    let at = some(&rows);
                    rows[at].size = Some(0);
                }
                _ => {
                    let at = some(&rows);
                    rows[at].size = None;
                }
            },
            Some(ListFault::Stale) => newest_ms -= chance.pick(&[3 * HOUR_MS, 30 * HOUR_MS, 8 * DAY_MS]),
            Some(ListFault::Ahead) => newest_ms = now + chance.pick(&[3 * MINUTE_MS, DAY_MS]),
            Some(ListFault::Reversed) => {
                let sizes: Vec<Option<u64>> = rows.iter().map(|row| row.size).collect();
                rows.reverse();
                rows.iter_mut().zip(sizes).for_each(|(row, size)| row.size = size);
            }
            Some(ListFault::Strangers) => {
                for (at, row) in rows.iter_mut().enumerate() {
                    let name = format!("STRANGE{at}");
                    (row.id, row.symbol, row.coin) = (name.to_lowercase(), name, None);
                }
                if !self.follow.form.has_ids() {
                    rows.iter_mut().for_each(|row| row.id.clear());
                }
            }
            Some(ListFault::TooOften) | None => {}
        }
        let rows: Vec<Row> = rows.into_iter().skip((number - 1) * per_page).take(per_page).collect();
        let text = text(chance, self.follow.form, &rows, newest_ms);
        Page { number, rows, newest_ms, text }
    }
}

fn iso(ms: i64) -> String {
    format!("{}.000Z", stamp(ms, 0).replace(' ', "T"))
}

/// The list in its form.
fn text(chance: &Chance, form: Form, rows: &[Row], newest_ms: i64) -> String {
    let number = |size: Option<u64>| match size {
        None => "null".to_string(),
        Some(size) if size % 10_000 == 0 && chance.percent(20) => format!("{}e+4", size / 10_000),
        Some(size) if chance.percent(20) => format!("{size}.0"),
        Some(size) => size.to_string(),
    };
    let each = |word: &dyn Fn(&Row) -> String, between: &str| rows.iter().map(word).collect::<Vec<_>>().join(between);
    match form {
        Form::Markets => {
            let newest = chance.below(rows.len().max(1) as u64) as usize;
            let row = |(at, row): (usize, &Row)| {
                let updated = if at == newest { newest_ms } else { newest_ms - chance.between(0, HOUR_MS) };
                format!(
                    concat!(
                        r#"{{"id":"{}","symbol":"{}","name":"Some \"Coin\" {}","image":"https://example.invalid/a?1,2","#,
                        r#""current_price":1.5e-05,"market_cap":{},"market_cap_rank":{},"fully_diluted_valuation":null,"#,
                        r#""total_supply":1e+24,"roi":{{"times":1.2,"currency":"usd"}},"last_updated":{}}}"#
                    ),
                    row.id,
                    row.symbol.to_lowercase(),
                    at,
                    number(row.size),
                    at + 1,
                    if at != newest && chance.percent(5) {
                        "null".to_string()
                    } else {
                        format!("\"{}\"", iso(updated))
                    },
                )
            };
            format!("[{}]", rows.iter().enumerate().map(row).collect::<Vec<_>>().join(","))
        }
        Form::Lines => format!("# coins\r\n{}", each(&|row| format!("{}\r\n", row.symbol), "")),
        Form::WeightedLines => {
            format!("# coins\n\n{}", each(&|row| format!("{}, {} # so much\n", row.symbol, number(row.size)), ""))
        }
        Form::Names => format!("[{}]", each(&|row| format!("\"{}\"", row.symbol), ", ")),
        Form::Weights => {
            let coins = each(&|row| format!("\"{}\": {}", row.symbol, number(row.size)), ", ");
            format!("{{\"updated\": \"{}\", \"coins\": {{{coins}}}}}\n", iso(newest_ms))
        }
        Form::Rows => {
            let row = |row: &Row| {
                let (id, symbol, size) = (&row.id, row.symbol.to_lowercase(), number(row.size));
                format!(r#"{{"id": "{id}", "symbol": "{symbol}", "market_cap": {size}}}"#)
            };
            format!("[{}]", each(&row, ",\n"))
        }
    }
}

/// A page that was cut after so many bytes, as far as it is still a list: coins on whole lines.
fn cut(page: &Page, form: Form, bytes: usize) -> Option<Page> {
    let text = &page.text[..bytes];
    if !form.is_lines() || !text.ends_with('\n') {
        return None;
    }
    let coins = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    Some(Page { rows: page.rows[..coins].to_vec(), ..page.clone() })
}

/// A number in an address.
fn number(url: &str, name: &str) -> Option<usize> {
    let rest = url.split(&format!("&{name}=")).nth(1)?;
    rest.split('&').next()?.parse().ok()
}

fn file() -> PathBuf {
    Path::new(HOME).join(FILE)
}

impl Around {
    /// The sizes wander, and a file is written anew by whoever writes it.
    pub fn list_moves(&self) {
        let Some(source) = &self.source else { return };
        source.wander(&self.chance);
        self.write_list();
    }

    /// The list is written to its file, at once and for good: well, badly, or not at all.
    pub fn write_list(&self) {
        let Some(source) = self.source.as_ref().filter(|source| source.follow.place == Place::File) else { return };
        let (chance, fault) = (&self.chance, self.weather.borrow().list_fault(&self.chance));
        let page = source.page(chance, self.time(), fault, (1, usize::MAX));
        let cut_at = fault.is_some_and(|_| chance.percent(20)).then(|| chance.below(page.text.len() as u64) as usize);
        let mut files = self.files.borrow_mut();
        let text = &page.text[..cut_at.unwrap_or(page.text.len())];
        files.appear(&file(), text.as_bytes(), page.newest_ms);
        if fault.is_some() && chance.percent(10) {
            files.vanish(&file());
        }
        let seen = match cut_at {
            None => Some(page.clone()),
            Some(at) => cut(&page, source.follow.form, at),
        };
        *source.file.borrow_mut() = seen;
    }

    /// The program has read a file.
    pub fn list_file_is_read(&self, path: &Path) {
        let Some(source) = self.source.as_ref().filter(|source| source.follow.place == Place::File) else { return };
        if path != file() {
            return;
        }
        let mut auditor = self.auditor.borrow_mut();
        auditor.list_asked(self);
        auditor.list_told(source.file.borrow().as_ref());
    }

    /// A request to the source.
    pub fn ask_source(&self, source: &Source, request: &Request) -> Result<Answer, Failure> {
        let path = request.url.trim_start_matches(ADDRESS);
        self.trace(path);
        self.count("requests for the list");
        self.auditor.borrow_mut().list_asked(self);
        self.power_may_go();
        let chance = &self.chance;
        let (mut fault, list_fault) = {
            let weather = self.weather.borrow();
            (weather.fault(chance), weather.list_fault(chance))
        };
        if self.network_gone.get() {
            fault = Some(Fault::Unreachable);
        }
        if let Some(fault) = fault {
            self.trace(&format!("{fault:?}"));
        }
        if let Some(fault) = list_fault {
            self.trace(&format!("{fault:?}"));
            self.count("bad lists");
        }
        let timeout_ms = request.timeout_s as i64 * SECOND_MS;
        let there_ms = chance.between(10, self.weather.borrow().crawl_ms);
        match fault {
            Some(Fault::Unreachable) => {
                self.advance(there_ms);
                return Err(failure(true, "connection refused (is the network up?)"));
            }
            Some(Fault::Lost | Fault::AnswerLost | Fault::Late) => {
                self.advance(if chance.percent(50) { there_ms } else { timeout_ms });
                return Err(failure(false, "the request timed out"));
            }
            Some(Fault::Slow) => self.advance(timeout_ms - SECOND_MS / 2),
            _ => self.advance(there_ms),
        }
        let fault = if list_fault == Some(ListFault::TooOften) { Some(Fault::TooMany) } else { fault };
        let answer = match self.not_the_list(fault) {
            Some(reply) => {
                if reply.status == 429 {
                    self.auditor.borrow_mut().list_too_often();
                }
                let body = Cursor::new(reply.body.into_bytes());
                Answer { status: reply.status, headers: Vec::new(), body: Box::new(body) }
            }
            None => self.serve(source, path, fault, list_fault),
        };
        self.trace(&format!("http {}", answer.status));
        self.advance(chance.between(5, 200));
        self.power_may_go();
        Ok(answer)
    }

    /// An answer that is no list.
    fn not_the_list(&self, fault: Option<Fault>) -> Option<Reply> {
        let json = |status, body: &str| Reply::json(status, body.to_string());
        Some(match fault? {
            Fault::Html | Fault::HtmlAfter => Reply::html(self.chance.pick(&[200, 403, 404, 429, 502, 503])),
            Fault::TooMany => {
                json(429, r#"{"status":{"error_code":429,"error_message":"You've exceeded the Rate Limit."}}"#)
            }
            Fault::Internal => json(500, r#"{"error":"Internal Server Error"}"#),
            Fault::Maintenance => json(503, ""),
            Fault::Key => json(401, r#"{"status":{"error_code":10002,"error_message":"API Key Missing test-key"}}"#),
            Fault::Redirect => Reply::html(self.chance.pick(&[301, 302, 307, 308])),
            Fault::OtherJson => {
                json(200, self.chance.pick(&["{}", "[1, 2", "null", "", "[[]]", r#"{"error": "x"}"#, "[{}]"]))
            }
            _ => return None,
        })
    }

    /// An answer that is one, more or less.
    fn serve(&self, source: &Source, path: &str, fault: Option<Fault>, list_fault: Option<ListFault>) -> Answer {
        let pages = (number(path, "page").unwrap_or(1), number(path, "per_page").unwrap_or(usize::MAX));
        let mut page = source.page(&self.chance, self.time(), list_fault, pages);
        let before = source.before.borrow_mut().replace(page.clone());
        if let Some(before) = before.filter(|before| fault == Some(Fault::Reordered) && before.number == page.number) {
            page = before;
        }
        if self.tracing {
            println!("             {}", page.text);
        }
        let text = page.text.clone().into_bytes();
        let part = self.chance.below(text.len() as u64) as usize;
        let (body, announced, told): (Box<dyn Stream>, bool, _) = match fault {
            Some(Fault::Cut) => (Box::new(Cursor::new(text[..part].to_vec())), true, None),
            Some(Fault::Broken) => (Box::new(Broken(Cursor::new(text[..part].to_vec()))), false, None),
            Some(Fault::CutUnannounced) => {
                let told = cut(&page, source.follow.form, part);
                (Box::new(Cursor::new(text[..part].to_vec())), false, told)
            }
            _ => (Box::new(Cursor::new(text.clone())), self.chance.percent(70), Some(page.clone())),
        };
        let mut headers = vec![("Last-Modified".to_string(), http_date(page.newest_ms))];
        if announced {
            headers.push(("content-length".to_string(), text.len().to_string()));
        }
        self.auditor.borrow_mut().list_told(told.as_ref());
        Answer { status: 200, headers, body }
    }
}
