//! The switches: which request goes wrong, how, and how often.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Shared;
use super::http::{Frame, Incoming, Reply, Stream};
use super::venue::{self, Refusal};
use super::world::World;

/// One misbehaviour, for the requests it names.
#[derive(Clone)]
pub struct Fault {
    /// Such as `private/create-order`; a trailing `*` matches any ending, so `*` is every request.
    pub method: String,
    /// Let so many of the matching requests that reach this fault pass first; counted down.
    pub skip: u32,
    /// Then act so many times; counted down, `u32::MAX` for ever.
    pub times: u32,
    pub act: Act,
}

impl Fault {
    /// Acts on the next matching request only.
    pub fn once(method: &str, act: Act) -> Fault {
        Fault { method: method.into(), skip: 0, times: 1, act }
    }

    /// Acts on every matching request.
    pub fn always(method: &str, act: Act) -> Fault {
        Fault { times: u32::MAX, ..Fault::once(method, act) }
    }

    /// Lets the first `skip` matching requests pass.
    pub fn after(self, skip: u32) -> Fault {
        Fault { skip, ..self }
    }

    fn matches(&self, method: &str) -> bool {
        match self.method.strip_suffix('*') {
            Some(prefix) => method.starts_with(prefix),
            None => self.method == method,
        }
    }
}

/// What goes wrong.
#[derive(Clone)]
pub enum Act {
    /// Close without processing.
    CloseBefore,
    /// Process, close without an answer.
    CloseAfter,
    /// Process; announce the whole length, send so many body bytes, close.
    Cut(usize),
    /// Process; send so many body bytes in whole chunks, close without the last chunk.
    CutChunked(usize),
    /// A gateway's HTML page; not processed.
    Html(u16),
    /// Process, answer with a gateway's HTML page.
    HtmlAfter(u16),
    /// Answer with this; not processed.
    Reply { status: u16, body: String },
    /// Process, answer with this.
    ReplyAfter { status: u16, body: String },
    /// Refuse without processing: an error envelope without a result.
    Code { status: u16, code: i64, message: String },
    /// Record the order as REJECTED; the answer has the code and a result with the order's id.
    RejectWithId { status: u16, code: i64, message: String },
    /// Process at once, answer late.
    Delay { ms: u64 },
    /// Close now, process so much later; the nonce is judged then.
    Late { ms: u64 },
    /// Answer with a redirect; not processed.
    Redirect { status: u16, to: String },
    /// Process; a body without length and without end (stops at 64 MB or 60 s).
    Endless,
    /// Process; the right answer, head included, one byte each so many ms (for 60 s at most).
    Drip { ms: u64 },
    /// Call `f`, then lose the request (`before`); or process it, call `f`, and lose the answer.
    Call { before: bool, f: Arc<dyn Fn() + Send + Sync> },
    /// The right answer, in chunked transfer encoding.
    Chunked,
}

/// What the client knows of a request's outcome once the exchange has acted.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    /// It has the venue's own answer.
    Yes,
    /// It has no answer that means anything.
    No,
    /// It has an answer of the test's making; the exchange does not judge.
    Unclear,
}

fn known(act: Option<&Act>) -> Known {
    use Act::*;
    match act {
        None | Some(Delay { .. } | Drip { .. } | Chunked) => Known::Yes,
        Some(CloseBefore | CloseAfter | Cut(_) | CutChunked(_)) => Known::No,
        Some(Late { .. } | Endless | Call { .. }) => Known::No,
        Some(Html(status) | HtmlAfter(status)) if *status >= 500 => Known::No,
        Some(_) => Known::Unclear,
    }
}

/// The first fault that matches and whose counters allow it; counts down.
pub fn choose(world: &mut World, method: &str) -> Option<Act> {
    for fault in world.faults.iter_mut().filter(|f| f.times > 0 && f.matches(method)) {
        if fault.skip > 0 {
            fault.skip -= 1;
            continue;
        }
        if fault.times != u32::MAX {
            fault.times -= 1;
        }
        return Some(fault.act.clone());
    }
    None
}

/// Keeps `unknown` up to date: an order whose answer was lost may not be followed by another order
/// before the client has asked for it, or sent the same one again, and was answered.
pub fn watch(world: &mut World, method: &str, client_oid: Option<&str>, act: Option<&Act>) {
    let Some(oid) = client_oid else { return };
    let creates = method == "private/create-order";
    if creates && world.strict_unknown {
        let open: BTreeSet<_> = world.unknown.iter().filter(|other| *other != oid).collect();
        if !open.is_empty() {
            let text = format!("order {oid} was sent while the outcome of {open:?} is unknown");
            world.violations.push(text);
        }
    }
    match known(act) {
        Known::Yes if creates || method == "private/get-order-detail" => {
            world.unknown.remove(oid);
        }
        Known::No if creates => {
            world.unknown.insert(oid.to_string());
        }
        _ => {}
    }
}

/// Processes and answers one request the way `act` says.
pub fn play(shared: &Shared, incoming: &Incoming, act: Option<Act>, mut stream: Stream) {
    let process = |forced: Option<&Refusal>| venue::process(&mut shared.world(), incoming, forced);
    let refusal = |status, code, message| Refusal { status, code, message, result: None };
    let mut frame = Frame::Whole;
    let mut reply = match act {
        None => process(None),
        Some(Act::CloseBefore) => return,
        Some(Act::CloseAfter) => {
            process(None);
            return;
        }
        Some(Act::Late { ms }) => {
            drop(stream);
            thread::sleep(Duration::from_millis(ms));
            if !shared.stopped() {
                process(None);
            }
            return;
        }
        Some(Act::Call { before, f }) => {
            if !before {
                process(None);
            }
            f();
            return;
        }
        Some(Act::Html(status)) => Reply::html(status),
        Some(Act::HtmlAfter(status)) => {
            process(None);
            Reply::html(status)
        }
        Some(Act::Reply { status, body }) => Reply::json(status, body),
        Some(Act::ReplyAfter { status, body }) => {
            process(None);
            Reply::json(status, body)
        }
        Some(Act::Code { status, code, message }) => venue::envelope(incoming, Err(refusal(status, code, message))),
        Some(Act::RejectWithId { status, code, message }) => process(Some(&refusal(status, code, message))),
        Some(Act::Redirect { status, to }) => Reply { location: Some(to), ..Reply::html(status) },
        Some(Act::Delay { ms }) => {
            let reply = process(None);
            thread::sleep(Duration::from_millis(ms));
            reply
        }
        Some(shape) => {
            frame = match shape {
                Act::Cut(bytes) => Frame::Cut(bytes),
                Act::CutChunked(bytes) => Frame::CutChunked(bytes),
                Act::Endless => Frame::Endless,
                Act::Drip { ms } => Frame::Drip(ms),
                _ => Frame::Chunked,
            };
            process(None)
        }
    };
    {
        let world = shared.world();
        reply.date_s = world.send_date.then(|| world.now_ms().div_euclid(1000));
    }
    // A client that hangs up in the middle is none of the exchange's business.
    let _ = reply.send(&mut stream, frame, &|| shared.stopped());
}
