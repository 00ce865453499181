//! What the venue answers, with its own member names, and the program's own files: what every cut and every change begins with.

/// One answer of the exchange.
#[derive(Clone, Copy)]
pub struct Shape {
    pub name: &'static str,
    /// The endpoint that answers so.
    pub method: &'static str,
    pub status: u16,
    pub body: &'static str,
    /// Whether it is good news: a value and no error.
    pub good: bool,
}

pub const BALANCE: &str = "private/user-balance";
pub const CREATE: &str = "private/create-order";
pub const DETAIL: &str = "private/get-order-detail";
pub const OPEN: &str = "private/get-open-orders";
pub const CANCEL: &str = "private/cancel-order";
pub const TICKERS: &str = "public/get-tickers";
pub const INSTRUMENTS: &str = "public/get-instruments";
pub const RISK: &str = "public/get-risk-parameters";
/// Every endpoint that the program asks.
pub const METHODS: [&str; 8] = [BALANCE, CREATE, DETAIL, OPEN, CANCEL, TICKERS, INSTRUMENTS, RISK];

const fn good(name: &'static str, method: &'static str, body: &'static str) -> Shape {
    Shape { name, method, status: 200, body, good: true }
}

const fn bad(name: &'static str, method: &'static str, status: u16, body: &'static str) -> Shape {
    Shape { name, method, status, body, good: false }
}

/// The key is in one of them: an exchange may repeat a request.
pub const SHAPES: &[Shape] = &[
    good(
        "user-balance",
        BALANCE,
        r#"{"id":1,"method":"private/user-balance","code":0,"result":{"data":[{"instrument_name":"USD","total_available_balance":"19.00181564","total_cash_balance":"19.82186564","position_limit":"396.4373128","isolated_positions":[],"credit_limits":[],"is_liquidating":false,"terminatable":true,"position_balances":[{"instrument_name":"CRO","quantity":"29.01316839415396","reserved_qty":"0","market_value":"1.6401","collateral_eligible":true,"max_withdrawal_balance":"29.01316839"},{"instrument_name":"BTC","quantity":"0.0002119875","reserved_qty":"0.0001","collateral_eligible":"true"}]}]}}"#,
    ),
    good(
        "create-order ack",
        CREATE,
        r#"{"id":7,"method":"private/create-order","code":0,"result":{"client_oid":"rb1","order_id":"6530219466236720401"}}"#,
    ),
    bad(
        "create-order refused with an id",
        CREATE,
        400,
        r#"{"id":1,"method":"private/create-order","code":415,"message":"BELOW_MIN_ORDER_SIZE","result":{"client_oid":"rb1","order_id":"6530"}}"#,
    ),
    bad(
        "create-order refused for the account",
        CREATE,
        500,
        r#"{"id":2,"method":"private/create-order","code":306,"message":"INSUFFICIENT_AVAILABLE_BALANCE"}"#,
    ),
    good(
        "order-detail limit",
        DETAIL,
        r#"{"id":11,"method":"private/get-order-detail","code":0,"result":{"account_id":"52e7c00f","order_id":"6142909983412425183","client_oid":"rb1","order_type":"LIMIT","time_in_force":"GOOD_TILL_CANCEL","side":"BUY","exec_inst":["POST_ONLY"],"quantity":"0.0100","limit_price":"62000.00","order_value":"620.00","maker_fee_rate":"0.0025","avg_price":"0","ref_price_type":"NULL_VAL","cumulative_quantity":"0.0012","cumulative_value":"74.4","cumulative_fee":"0","status":"ACTIVE","instrument_name":"BTC_USDT","fee_instrument_name":"BTC","reason":0,"create_time":1786916797915,"create_time_ns":"1786916797915000000"}}"#,
    ),
    good(
        "order-detail market",
        DETAIL,
        r#"{"id":12,"method":"private/get-order-detail","code":0,"result":{"order_id":"65302194","client_oid":"rb1","order_type":"MARKET","side":"SELL","exec_inst":[],"quantity":"0.00079","avg_price":"62845.65","cumulative_quantity":"0.00079","cumulative_value":"49.6480635","cumulative_fee":"0.24","status":"FILLED","instrument_name":"BTC_USDT","reason":0}}"#,
    ),
    good(
        "order-detail notional",
        DETAIL,
        r#"{"id":13,"method":"private/get-order-detail","code":0,"result":{"client_oid":"rb1","order_type":"MARKET","time_in_force":"GOOD_TILL_CANCEL","side":"BUY","exec_inst":["NOTIONAL_ORDER"],"quantity":"17","order_value":"1.00000","avg_price":"0.05490","cumulative_quantity":"18","cumulative_value":"0.9882","cumulative_fee":"0.0828","status":"CANCELED","reason":0,"instrument_name":"CRO_USDT"}}"#,
    ),
    bad(
        "order-detail not found",
        DETAIL,
        200,
        r#"{"id":14,"method":"private/get-order-detail","code":40401,"message":"NOT_FOUND"}"#,
    ),
    good(
        "open-orders",
        OPEN,
        r#"{"id":15,"method":"private/get-open-orders","code":0,"result":{"data":[{"client_oid":"","order_id":"65","instrument_name":"BTC_USDT","status":"ACTIVE","exec_inst":[]},{"client_oid":"a\u00e9\ud83d\ude00\"\\\/","instrument_name":"ETH_USDT","limit_price":null}]}}"#,
    ),
    good("no open orders", OPEN, r#"{"id":16,"method":"private/get-open-orders","code":0,"result":{"data":[]}}"#),
    good(
        "cancel-order",
        CANCEL,
        r#"{"id":17,"method":"private/cancel-order","message":"NO_ERROR","code":0,"result":{"client_oid":"rb1","order_id":"65"}}"#,
    ),
    good(
        "get-tickers",
        TICKERS,
        r#"{"id":1,"method":"public/get-tickers","code":0,"result":{"data":[{"i":"BTC_USDT","h":"63332.40","l":"62686.94","a":"62841.92","v":"795.8533","c":"-0.0041","b":"62845.65","k":"62845.66","oi":"0","t":1786916797915},{"i":"ETH_USDT","b":null,"k":"1872.82","oi":null,"t":1786916797901},{"i":"USDT_USD","b":"1","k":"1.0001"}]}}"#,
    ),
    good(
        "get-instruments",
        INSTRUMENTS,
        r#"{"id":-1,"method":"public/get-instruments","code":0,"result":{"data":[{"symbol":"BTC_USDT","inst_type":"CCY_PAIR","display_name":"BTC/USDT","base_ccy":"BTC","quote_ccy":"USDT","quote_decimals":2,"price_tick_size":"0.01","qty_tick_size":"0.00001","max_leverage":"50","tradable":true},{"symbol":"ETH_USDT","inst_type":"CCY_PAIR","base_ccy":"ETH","quote_ccy":"USDT","price_tick_size":"0.1","qty_tick_size":"0.0001","tradable":false},{"symbol":"BTCUSD-PERP","inst_type":"PERPETUAL_SWAP","tradable":true}]}}"#,
    ),
    good(
        "get-risk-parameters",
        RISK,
        r#"{"id":-1,"method":"public/get-risk-parameters","code":0,"result":{"default_unit_margin_rate":"0.05","base_currency_config":[{"instrument_name":"BTC","min_order_notional_usd":"2.0","max_order_notional_usd":"1000000.0","order_limit":"x"},{"instrument_name":"CRPT"}],"perpetual_swap_config":[{"instrument_name":"BTCUSD-PERP"}]}}"#,
    ),
    bad(
        "unauthorised, the request repeated",
        BALANCE,
        401,
        r#"{"id":18,"method":"private/user-balance","code":40101,"message":"UNAUTHORIZED test-key","original":"{\"api_key\":\"test-key\"}"}"#,
    ),
    bad("too many requests", BALANCE, 429, r#"{"id":19,"code":42901,"message":"TOO_MANY_REQUESTS"}"#),
    bad("nonce", BALANCE, 400, r#"{"id":20,"method":"private/user-balance","code":40102,"message":"INVALID_NONCE"}"#),
    bad(
        "maintenance",
        BALANCE,
        503,
        r#"{"code":9010001,"message":"SYSTEM_MAINTENANCE","details":"back at 10:00 UTC"}"#,
    ),
    bad("maintenance of an order", CREATE, 503, r#"{"code":9010001,"message":"SYSTEM_MAINTENANCE","details":"soon"}"#),
    bad("a gateway's page", CREATE, 502, "<html><head><title>502 Bad Gateway</title></head></html>\r\n"),
];

/// The right answer of an endpoint.
pub fn right(method: &str) -> Shape {
    *SHAPES.iter().find(|shape| shape.method == method && shape.good).expect("an endpoint without a right answer")
}

pub const CONFIG: &str = r#"{
  "allocation": {"BTC": 50, "ETH": 39.5, "USDT": 10.5},
  "exchange": "crypto.com", "quote": "USDT",
  "tolerance": 5, "relative_tolerance": 20.25,
  "method": "drifted", "restore": "half",
  "min_trade": 5, "max_trade": 10000, "max_spread": 4, "cash_reserve": 0.50,
  "unlisted": "sell", "schedule": "daily 06:30", "utc_offset": "-05:30",
  "base_url": "https://api.crypto.com/exchange/v1", "state_dir": "."
}
"#;
/// Beside fixed coins, with every key of a list of CoinGecko's.
pub const CONFIG_GECKO: &str = r#"{
  "allocation": {"BTC": 15, "ETH": 4.5},
  "universe": {"source": "coingecko", "category": "decentralized-finance-defi", "base_url": "http://127.0.0.1:1/api",
    "top": 10, "leave_rank": 12, "leave_after": "36h", "weighting": "sqrt-market-cap",
    "max_weight": 20.5, "min_weight": 1.25, "share": 80.5,
    "include": ["AAVE"], "exclude": ["lido-dao", "UNI"], "refresh": "12h", "max_age": "90m"}
}
"#;
/// The whole of the portfolio, and parts of what a list leaves.
pub const CONFIG_LIST: &str = r#"{"universe":{"source":"list","list":"https://list.test/a.txt?b=c","top":3,"share":60},
"allocation":{"SOL":70,"ADA":30},"relative_tolerance":12}"#;
/// CoinGecko's markets: nulls, exponents, a supply of 24 digits, a coin without a cap at the end.
pub const GECKO: &str = r#"[{"id":"uniswap","symbol":"uni","name":"Uniswap \\ \"5\"","image":"https://example.invalid/uni.png?1","current_price":3.27,"market_cap":2060000000,"market_cap_rank":48,"fully_diluted_valuation":null,"circulating_supply":630000000.0,"max_supply":1e+24,"roi":{"times":-1.5,"currency":"usd"},"last_updated":"2026-08-16T21:40:00.123Z"},
{"id":"aave","symbol":"aave","market_cap":1.25e9,"price_change_24h":-0.03,"total_supply":100000000000000000000000,"sparkline_in_7d":{"price":[1,2.5,-3e-7]},"last_updated":"2026-08-16T21:41:00.000Z"},
{"id":"small","symbol":"$ml","market_cap":0.33,"last_updated":null},{"id":"none","symbol":"none","market_cap":null,"last_updated":"2024-01-01T00:00:00.000Z"}]"#;
/// Every form of a list of one's own.
pub const LISTS: [&str; 8] = [
    "# mine\nBTC 50\r\neth;30%\n1INCH\t20.5 # a remark\n",
    "BTC\nETH\n",
    "[\"BTC\", \"eth\", \"1INCH\"]",
    "{\"BTC\": 50, \"ETH\": 30.0, \"1INCH\": 2e+1}",
    "[{\"coin\": \"BTC\", \"weight\": 50}, {\"id\": \"ethereum\", \"symbol\": \"eth\", \"market_cap\": \"30.25\"}]",
    "{\"updated\": \"2026-08-16T21:40:00Z\", \"coins\": {\"BTC\": 33.33333333333333333333333, \"ETH\": 1e-3}}",
    "\u{feff}{\"coins\": [\"BTC\", {\"coin\": \"ETH\", \"weight\": null}]}",
    "\n [{\"symbol\":\"xbt\",\"coin\":\"BTC\",\"note\":[1,{\"a\":true}],\"weight\":123456789012345.654321}]\n",
];
pub const FLAT: &str = "{\"BTC\": 50, \"ETH\": 33.3333, \"SOL\": 16.6667}\n";
pub const PAPER: &str = r#"{
  "balances": {"BTC": "0.1", "ETH": 1.25, "USDT": "1000"},
  "prices": {"BTC": {"bid": "62902.76", "ask": "62902.77", "tick": "0.00001"}, "ETH": "1850.5"},
  "fee": "0.5",
  "orders": [{"client_oid":"rb1","order_id":"paper-1","filled_quantity":"0.5","filled_value":"31451.38"}]
}
"#;
pub const PAPER_LIVE: &str = "{\"balances\": {\"USDT\": \"1000\"}, \"prices\": \"live\", \"fee\": \"0.46\"}";
