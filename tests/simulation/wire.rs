//! The network: every request of the program arrives, or not, late, twice, and its answer comes back, or not, cut, or for another question.

use super::around::{Around, SECOND_MS};
use super::exchange::{FeeIn, Incoming, Refusal, Reply, dec, envelope, process};
use super::follow::ADDRESS;
use super::weather::Fault;
use rebalancer::clock::stamp;
use rebalancer::wire::{Answer, Failure, Request, Stream, Wire};
use std::io::{self, Cursor, Read};

/// A body that ends in an error.
pub struct Broken(pub Cursor<Vec<u8>>);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() => Err(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset")),
            count => Ok(count),
        }
    }
}

pub fn failure(not_sent: bool, message: &str) -> Failure {
    Failure { not_sent, message: message.to_string() }
}

/// What a server sees of a request.
fn incoming(request: &Request) -> Incoming {
    let path = request.url.trim_start_matches("http://127.0.0.1:1").to_string();
    let verb = if request.body.is_some() { "POST" } else { "GET" }.to_string();
    let head = format!("{verb} {path}\r\nHost: h\r\nUser-Agent: sim\r\nContent-Type: application/json\r\n");
    let body = request.body.clone().unwrap_or_default().into_bytes();
    Incoming { verb, path, query: String::new(), head, body }
}

/// A time as HTTP has it; nobody looks at the day of the week.
pub fn http_date(ms: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = stamp(ms, 0);
    let month = MONTHS[text[5..7].parse::<usize>().unwrap_or(1) - 1];
    format!("Sun, {} {month} {} {} GMT", &text[8..10], &text[..4], &text[11..])
}

/// An answer as the client gets it.
fn answer(reply: &Reply, length: Option<usize>, date_ms: Option<i64>, body: Box<dyn Stream>) -> Answer {
    let mut headers = Vec::new();
    if let Some(length) = length {
        headers.push(("Content-Length".to_string(), length.to_string()));
    }
    if let Some(ms) = date_ms {
        headers.push(("date".to_string(), http_date(ms)));
    }
    Answer { status: reply.status, headers, body }
}

impl Around {
    /// The exchange does what is asked, and the auditor looks at what it did.
    pub fn process(&self, incoming: &Incoming, forced: Option<&Refusal>) -> Reply {
        let method = incoming.path.trim_start_matches("/exchange/v1/");
        if method == "private/create-order" {
            self.choose_fate();
        }
        let mut world = self.world.borrow_mut();
        let orders = world.orders.len();
        let reply = process(&mut world, incoming, forced);
        if method == "private/create-order" {
            self.auditor.borrow_mut().judged(&world, orders, incoming, &reply, forced.is_some());
        }
        reply
    }

    /// How the next order will go.
    fn choose_fate(&self) {
        let (odd, lag_ms) = {
            let weather = self.weather.borrow();
            (weather.odd_orders_percent, weather.lag_ms)
        };
        let chance = &self.chance;
        let mut world = self.world.borrow_mut();
        world.lag_ms = lag_ms as u64;
        (world.hidden_ms, world.slow_fill_asks, world.partial) = (0, 0, None);
        if chance.percent(odd) {
            match chance.below(6) {
                // Asynchronous, but within half a minute.
                0 => world.hidden_ms = chance.pick(&[200, 1000, 8000, 25_000]),
                1 => world.slow_fill_asks = chance.pick(&[1, 3, 9]),
                2 => world.slow_fill_asks = u32::MAX,
                3 => world.partial = Some(dec("0.01").times(chance.below(100))),
                4 => world.partial = Some(dec("0")),
                _ => {
                    let third = matches!(world.fee_in, FeeIn::Coin(_));
                    world.fee_in = if third { FeeIn::Default } else { FeeIn::Quote };
                }
            }
            world.slow_fill_half = chance.percent(50);
        }
        // Assumed: an exchange that would take an id twice does not hide for half a minute what it took after half a minute.
        if self.late.get() && world.forgets_ids {
            world.hidden_ms = 0;
        }
    }

    /// A reply that the exchange did not make.
    fn made_up(&self, fault: Fault, incoming: &Incoming) -> Option<Reply> {
        let refusal = |status, code, message: &str| Refusal { status, code, message: message.into(), result: None };
        Some(match fault {
            Fault::Html => Reply::html(self.chance.pick(&[403, 429, 502, 503])),
            Fault::TooMany => envelope(incoming, Err(refusal(429, 42901, "TOO_MANY_REQUESTS"))),
            Fault::Internal => {
                let (status, code) = self.chance.pick(&[(400, 50001), (408, 40801), (500, 50002), (500, 99_999)]);
                envelope(incoming, Err(refusal(status, code, "ERR_INTERNAL")))
            }
            Fault::Maintenance => Reply::json(500, r#"{"code":9010001,"message":"SYSTEM_MAINTENANCE"}"#.to_string()),
            Fault::Nonce => envelope(incoming, Err(refusal(400, 40102, "INVALID_NONCE"))),
            // It repeats what it was sent, and worse.
            Fault::Key if incoming.verb == "POST" => {
                envelope(incoming, Err(refusal(401, 40101, "UNAUTHORIZED test-secret test-key")))
            }
            Fault::Key => envelope(incoming, Err(refusal(401, 40103, "IP_ILLEGAL"))),
            Fault::Redirect => Reply { status: self.chance.pick(&[301, 302, 307, 308]), ..Reply::html(302) },
            Fault::OtherJson => {
                let bodies = ["{}", "[1, 2", "null", r#"{"code":0}"#, r#"{"code":0,"result":{}}"#, "", "\u{feff}{}"];
                Reply::json(200, self.chance.pick(&bodies).to_string())
            }
            _ => return None,
        })
    }

    fn deliver(&self, reply: &Reply, fault: Option<Fault>) -> Answer {
        let text = reply.body.clone().into_bytes();
        let date = (fault != Some(Fault::NoDate)).then(|| self.time());
        let cut = self.chance.below(text.len().max(1) as u64) as usize;
        match fault {
            Some(Fault::Cut) => answer(reply, Some(text.len()), date, Box::new(Cursor::new(text[..cut].to_vec()))),
            Some(Fault::CutUnannounced) => answer(reply, None, date, Box::new(Cursor::new(text[..cut].to_vec()))),
            Some(Fault::Broken) => answer(reply, None, date, Box::new(Broken(Cursor::new(text[..cut].to_vec())))),
            _ if self.chance.percent(30) => answer(reply, None, date, Box::new(Cursor::new(text))),
            _ => answer(reply, Some(text.len()), date, Box::new(Cursor::new(text))),
        }
    }

    /// What comes of a request that meets no fault on its way there, or one on the way back.
    fn arrive(&self, incoming: &Incoming, fault: Option<Fault>, left_ms: i64) -> Result<Answer, Failure> {
        let path = incoming.path.clone();
        let forced = match fault {
            Some(Fault::Rejected) => {
                let (status, code) = self.chance.pick(&[(500, 306), (400, 314), (400, 315), (500, 415), (500, 325)]);
                Some(Refusal { status, code, message: "REJECTED".into(), result: None })
            }
            _ => None,
        };
        let made_up = fault.and_then(|fault| self.made_up(fault, incoming));
        let genuine = made_up.is_none();
        let reply = match made_up {
            Some(reply) => reply,
            None => self.process(incoming, forced.as_ref()),
        };
        if fault == Some(Fault::Doubled) {
            let second = self.process(incoming, None);
            if self.chance.percent(50) {
                self.answered.borrow_mut().insert(path, second);
            }
        }
        self.power_may_go();
        match fault {
            Some(Fault::AnswerLost) => {
                self.advance(left_ms);
                return Err(failure(false, "the request timed out"));
            }
            Some(Fault::HtmlAfter) => return Ok(self.deliver(&Reply::html(502), None)),
            _ => {}
        }
        let before = self.answered.borrow_mut().insert(incoming.path.clone(), reply.clone());
        let reordered = before.filter(|_| fault == Some(Fault::Reordered));
        let whole = !matches!(fault, Some(Fault::Cut | Fault::CutUnannounced | Fault::Broken));
        let told = reordered.as_ref().unwrap_or(&reply);
        if whole && genuine {
            self.auditor.borrow_mut().told(&self.world.borrow(), incoming, told, reordered.is_none());
        } else if reply.status == 429 || matches!(fault, Some(Fault::Nonce | Fault::Key)) {
            self.auditor.borrow_mut().not_taken(incoming);
        }
        Ok(self.deliver(told, fault))
    }
}

impl Wire for Around {
    fn exchange(&self, request: Request) -> Result<Answer, Failure> {
        if let Some(source) = self.source.as_ref().filter(|_| request.url.starts_with(ADDRESS)) {
            return self.ask_source(source, &request);
        }
        let incoming = incoming(&request);
        self.trace(&incoming.path);
        if let Some(body) = &request.body {
            self.trace(body);
        }
        self.count("requests");
        let method = incoming.path.trim_start_matches("/exchange/v1/");
        self.auditor.borrow_mut().sending(self, method, request.body.as_deref());
        self.power_may_go();
        let timeout_ms = request.timeout_s as i64 * SECOND_MS;
        let mut fault = self.weather.borrow().fault(&self.chance);
        if self.network_gone.get() {
            fault = Some(Fault::Unreachable);
        }
        if fault == Some(Fault::Rejected) && method != "private/create-order"
            || fault == Some(Fault::Doubled) && self.world.borrow().forgets_ids
        {
            fault = None;
        }
        if let Some(fault) = fault {
            self.count("faults");
            self.trace(&format!("{fault:?}"));
        }
        let there_ms = self.chance.between(10, self.weather.borrow().crawl_ms);
        match fault {
            Some(Fault::Unreachable) => {
                self.auditor.borrow_mut().not_taken(&incoming);
                self.advance(there_ms);
                return Err(failure(true, "connection refused (is the network up?)"));
            }
            Some(Fault::Lost) => {
                self.advance(if self.chance.percent(50) { there_ms } else { timeout_ms });
                return Err(failure(false, "connection reset by peer"));
            }
            Some(Fault::Late) => {
                self.arrive_later(self.time() + self.chance.between(10, 120 * SECOND_MS), incoming);
                self.advance(if self.chance.percent(50) { there_ms } else { timeout_ms });
                return Err(failure(false, "the request timed out"));
            }
            Some(Fault::Slow) => self.advance(timeout_ms - SECOND_MS / 2),
            _ => self.advance(there_ms),
        }
        let outcome = self.arrive(&incoming, fault, timeout_ms - there_ms);
        self.advance(self.chance.between(5, 200));
        self.auditor.borrow_mut().answered(method, self.clock_error_ms());
        self.power_may_go();
        if let Ok(answer) = &outcome {
            self.trace(&format!("http {}", answer.status));
        }
        if self.tracing && outcome.is_ok() {
            let answered = self.answered.borrow();
            println!("             {}", answered.get(&incoming.path).map_or("", |reply| &reply.body));
        }
        outcome
    }
}
