//! The venue's front: routes, signatures, envelopes, error codes, balances.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::http::{Incoming, Reply};
use super::world::World;
use super::{catalogue, ledger, orders, told};

/// How far a nonce may be from the exchange's clock.
const NONCE_WINDOW_MS: u64 = 60_000;

/// Code, HTTP status, message. Business refusals come with HTTP 500, and "not found" with 200.
const CODES: &[(i64, u16, &str)] = &[
    (204, 400, "DUPLICATE_CLORDID"),
    (208, 400, "INSTRUMENT_NOT_TRADABLE"),
    (209, 400, "INVALID_INSTRUMENT"),
    (212, 500, "INVALID_ORDERID"),
    (213, 400, "INVALID_ORDERQTY"),
    (218, 400, "INVALID_ORDTYPE"),
    (220, 400, "INVALID_SIDE"),
    (306, 500, "INSUFFICIENT_AVAILABLE_BALANCE"),
    (314, 400, "EXCEEDS_MAX_ORDER_SIZE"),
    (316, 500, "NO_ACTIVE_ORDER"),
    (415, 500, "BELOW_MIN_ORDER_SIZE"),
    (40001, 400, "BAD_REQUEST"),
    (40002, 400, "METHOD_NOT_FOUND"),
    (40004, 400, "MISSING_OR_INVALID_ARGUMENT"),
    (40101, 401, "UNAUTHORIZED"),
    (40102, 400, "INVALID_NONCE"),
    (40401, 200, "NOT_FOUND"),
];

/// An answer with a code other than 0. It may still have a result.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: i64,
    pub message: String,
    pub result: Option<String>,
}

impl Refusal {
    /// The refusal with this code, as the venue words it.
    pub fn of(code: i64) -> Refusal {
        let (_, status, message) = CODES.iter().find(|row| row.0 == code).expect("a known code");
        Refusal { status: *status, code, message: (*message).into(), result: None }
    }
}

/// The method a request names by its path.
pub fn method_of(incoming: &Incoming) -> Option<&str> {
    incoming.path.strip_prefix("/exchange/v1/")
}

/// A request's body, or null when it is not JSON.
pub fn body_of(incoming: &Incoming) -> Value {
    serde_json::from_slice(&incoming.body).unwrap_or(Value::Null)
}

/// A request's parameters: from the body, or from the query.
pub fn params_of(incoming: &Incoming) -> Map<String, Value> {
    if incoming.verb == "POST" {
        return body_of(incoming)["params"].as_object().cloned().unwrap_or_default();
    }
    let pairs = incoming.query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.into(), value.into())).collect()
}

/// An integer, as a number or as digits in a string.
pub fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// Does what the request asks for, and says so. With `forced`, a new order is rejected for it.
pub fn process(world: &mut World, incoming: &Incoming, forced: Option<&Refusal>) -> Reply {
    if incoming.header("user-agent").is_none_or(str::is_empty) {
        world.violate("a request without a User-Agent".into());
        return Reply::html(403);
    }
    let leaks = |text: &[u8], secret: &[u8]| text.windows(secret.len()).any(|w| w == secret);
    let secret = world.secret.clone().into_bytes();
    if !secret.is_empty() && (leaks(incoming.head.as_bytes(), &secret) || leaks(&incoming.body, &secret)) {
        world.violate("a request that holds the secret".into());
    }
    if incoming.header("host").is_none() {
        world.violate("a request without a Host".into());
    }
    let Some(method) = method_of(incoming) else {
        world.violate(format!("a request for {}", incoming.path));
        return Reply::html(404);
    };
    let answer = match (incoming.verb.as_str(), method.split_once('/')) {
        ("GET", Some(("public", name))) => public(world, name, &params_of(incoming)),
        ("POST", Some(("private", name))) => authenticate(world, incoming, method)
            .and_then(|(params, nonce)| private(world, name, &params, nonce, forced)),
        _ => Err(Refusal::of(40002)),
    };
    envelope(incoming, answer)
}

/// Wraps a result or a refusal: `id` and `code` are numbers, and so is a public reply's made-up id.
pub fn envelope(incoming: &Incoming, answer: Result<String, Refusal>) -> Reply {
    let method = method_of(incoming).unwrap_or("");
    let id = match method {
        "public/get-tickers" => 1,
        _ => integer(&body_of(incoming)["id"]).unwrap_or(-1),
    };
    let open = format!(r#"{{"id":{id},"method":{},"#, Value::from(method));
    let news = r#""trace":{"code":7,"result":[{"data":null}]},"#;
    match answer {
        Ok(result) => {
            let message = match method {
                "private/cancel-order" => r#""message":"NO_ERROR","#,
                _ => "",
            };
            Reply::json(200, format!(r#"{open}{news}"code":0,{message}"result":{result}}}"#))
        }
        Err(refusal) => {
            let message = Value::from(refusal.message);
            let result = refusal.result.map(|result| format!(r#","result":{result}"#));
            let tail = format!(r#","message":{message}{}}}"#, result.unwrap_or_default());
            Reply::json(refusal.status, format!(r#"{open}"code":{}{tail}"#, refusal.code))
        }
    }
}

fn public(world: &World, name: &str, params: &Map<String, Value>) -> Result<String, Refusal> {
    match name {
        "get-instruments" => Ok(catalogue::instruments(world)),
        "get-risk-parameters" => Ok(catalogue::risk_parameters(world)),
        "get-tickers" => {
            let symbol = params.get("instrument_name").and_then(Value::as_str);
            catalogue::tickers(world, symbol).ok_or_else(|| Refusal::of(40004))
        }
        _ => Err(Refusal::of(40002)),
    }
}

pub(super) fn private(
    world: &mut World,
    name: &str,
    params: &Map<String, Value>,
    nonce: i64,
    forced: Option<&Refusal>,
) -> Result<String, Refusal> {
    ledger::write(world, name, params, nonce);
    match name {
        "user-balance" => Ok(told::balances(world)),
        "create-order" => orders::create(world, params, nonce, forced),
        "get-order-detail" => orders::detail(world, params),
        "get-open-orders" => Ok(told::open_orders(world, params)),
        "cancel-order" => orders::cancel(world, params),
        "get-trades" => Ok(told::trades(world, params)),
        _ => Err(Refusal::of(40002)),
    }
}

/// Checks form, key, signature, nonce and parameters, in this order.
fn authenticate(world: &mut World, incoming: &Incoming, method: &str) -> Result<(Map<String, Value>, i64), Refusal> {
    let kind = incoming.header("content-type").unwrap_or("");
    let body = body_of(incoming);
    let params = match &body["params"] {
        Value::Object(params) => params.clone(),
        _ => Map::new(),
    };
    if kind.split(';').next() != Some("application/json")
        || body["method"] != method
        || integer(&body["id"]).is_none()
        || !body["params"].is_object()
    {
        world.violate(format!("{method}: not a request: {kind:?} {body}"));
        return Err(Refusal::of(40001));
    }
    if body["api_key"] != world.key.as_str() {
        return Err(Refusal::of(40101));
    }
    let as_sent = |value: &Value| value.as_str().map_or(value.to_string(), str::to_string);
    let (id, nonce_text) = (as_sent(&body["id"]), as_sent(&body["nonce"]));
    let signed = [method, &id, &world.key, &param_string(&params), &nonce_text].concat();
    if body["sig"] != sign(&world.secret, &signed).as_str() {
        world.violate(format!("{method}: wrong signature"));
        return Err(Refusal::of(40101));
    }
    let Some(nonce) = integer(&body["nonce"]) else {
        world.violate(format!("{method}: nonce {}", body["nonce"]));
        return Err(Refusal::of(40102));
    };
    if nonce.abs_diff(world.now_ms()) > NONCE_WINDOW_MS {
        return Err(Refusal::of(40102));
    }
    let flat = |(name, value): (&String, &Value)| match value {
        Value::Array(items) => name == "exec_inst" && items.iter().all(Value::is_string),
        other => other.is_string(),
    };
    if !params.iter().all(flat) {
        world.violate(format!("{method}: parameters are strings on this venue: {}", body["params"]));
        return Err(Refusal::of(40004));
    }
    Ok((params, nonce))
}

/// Hex HMAC-SHA256 of the text.
pub fn sign(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parameters as they enter the signature: names in order, each followed by its value.
pub fn param_string(params: &Map<String, Value>) -> String {
    let mut names: Vec<_> = params.iter().collect();
    names.sort_by_key(|(name, _)| name.as_str());
    names.into_iter().map(|(name, value)| format!("{name}{}", flattened(value))).collect()
}

fn flattened(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(flattened).collect(),
        Value::Object(params) => param_string(params),
        other => other.to_string(),
    }
}
