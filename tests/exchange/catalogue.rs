//! The public lists: instruments, tickers and risk parameters, padded with generated rows to the
//! real exchange's size, and with what a real list has between the rows one looks for.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::decimal::{Dec, dec};
use super::world::{Market, World};

/// `public/get-instruments`: the result as JSON text, rows in alphabetical order.
pub fn instruments(world: &World) -> String {
    rows(&listings(world), |market| instrument(world, market))
}

/// `public/get-tickers`: all rows, in another order than the instruments, or the one that was asked
/// for; `None` when there is no such instrument.
pub fn tickers(world: &World, symbol: Option<&str>) -> Option<String> {
    let mut markets = listings(world);
    markets.reverse();
    markets.retain(|market| symbol.is_none_or(|wanted| market.symbol == wanted));
    if symbol.is_some() && markets.is_empty() {
        return None;
    }
    Some(rows(&markets, |market| ticker(world, market)))
}

/// `public/get-risk-parameters`: the result as JSON text, one row for each base currency.
pub fn risk_parameters(world: &World) -> String {
    let mut limits: BTreeMap<String, [Option<Dec>; 2]> = BTreeMap::new();
    for market in listings(world) {
        let row = limits.entry(market.base).or_default();
        row[0] = row[0].or(market.min_usd);
        row[1] = row[1].or(market.max_usd);
    }
    let rows: Vec<_> = limits.iter().map(|(coin, [min, max])| risk(coin, *min, *max)).collect();
    let swap = Row::new().text("instrument_name", "BTCUSD-PERP").text("unit_margin_rate", "7.0");
    Row::new()
        .text("default_max_product_leverage_for_spot", "1.0")
        .text("default_unit_margin_rate", "0.05")
        .text("default_collateral_cap", "0.0")
        .raw("update_timestamp_ms", world.now_ms())
        .raw("base_currency_config", format!("[{}]", rows.join(",")))
        .raw("perpetual_swap_config", format!("[{}]", swap.end()))
        .raw("futures_config", "[]")
        .end()
}

/// A JSON object, written field by field in the venue's order.
struct Row(String);

impl Row {
    fn new() -> Row {
        Row(String::from("{"))
    }

    fn text(self, name: &str, value: impl Display) -> Row {
        self.raw(name, format!("\"{value}\""))
    }

    fn raw(mut self, name: &str, value: impl Display) -> Row {
        let comma = if self.0.len() > 1 { "," } else { "" };
        self.0 += &format!("{comma}\"{name}\":{value}");
        self
    }

    fn end(self) -> String {
        self.0 + "}"
    }
}

fn rows(markets: &[Market], row: impl Fn(&Market) -> String) -> String {
    let rows: Vec<_> = markets.iter().map(row).collect();
    format!(r#"{{"data":[{}]}}"#, rows.join(","))
}

/// Every listed market; in a padded list also a perpetual swap on each base, and made-up rows.
fn listings(world: &World) -> Vec<Market> {
    let mut all: Vec<Market> = world.markets.values().cloned().collect();
    if world.catalogue > 0 {
        let bases: BTreeMap<_, _> = all.iter().map(|m| (m.base.clone(), m.clone())).collect();
        all.extend(bases.into_iter().map(|(base, market)| Market {
            symbol: format!("{base}USD-PERP"),
            quote: "USD".into(),
            qty_tick: dec("0.0001"),
            quantity_decimals: 4,
            ..market
        }));
        all.extend((0..world.catalogue.saturating_sub(all.len())).map(made_up));
    }
    all.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    all
}

/// The made-up row with this number: three to a coin, two of them spot pairs, one a perpetual swap.
fn made_up(number: usize) -> Market {
    let coin = number / 3;
    let base = format!("{}{coin:03}", char::from(b'A' + (coin % 26) as u8));
    let (symbol, quote) = match number {
        0 => (format!("{base}_BTC@OEX_HK"), "BTC"),
        1 => (format!("{base}USD-261225"), "USD"),
        _ if number.is_multiple_of(3) => (format!("{base}_USD"), "USD"),
        _ if number % 3 == 1 => (format!("{base}USD-PERP"), "USD"),
        _ => (format!("{base}_USDT"), "USDT"),
    };
    let decimals = if number == 0 { 14 } else { 2 + number % 7 };
    let units = 1000 + (number as u64 * 7919) % 9000;
    let scale = 10_u64.pow(decimals as u32);
    let bid = dec(&format!("{}.{:0decimals$}", units / scale, units % scale));
    let tick = dec(&format!("0.{:0decimals$}", 1));
    let (qty_tick, quantity_decimals) = [("0.00001", 5), ("0.1", 1), ("1", 0), ("10000", 0)][number % 4];
    Market {
        symbol,
        base,
        quote: quote.into(),
        qty_tick: dec(qty_tick),
        price_tick: tick,
        quote_decimals: decimals,
        quantity_decimals,
        tradable: true,
        bid: (number > 0).then_some(bid),
        ask: Some(bid + tick),
        last: Some(bid),
        min_usd: (!coin.is_multiple_of(5)).then_some(Dec::ONE),
        max_usd: Some(dec("100000")),
    }
}

fn instrument(world: &World, market: &Market) -> String {
    let Market { symbol, base, quote, .. } = market;
    let spot = !symbol.contains('-');
    let (kind, display) = match spot {
        true => ("CCY_PAIR", format!("{base}/{quote}")),
        false if symbol.ends_with("-PERP") => ("PERPETUAL_SWAP", format!("{base}USD Perpetual")),
        false => ("FUTURE", format!("{base}USD Futures")),
    };
    let mut row = Row::new()
        .text("symbol", symbol)
        .text("inst_type", kind)
        .text("display_name", display)
        .text("base_ccy", base)
        .text("quote_ccy", quote)
        .raw("quote_decimals", market.quote_decimals)
        .raw("quantity_decimals", market.quantity_decimals)
        .text("price_tick_size", market.price_tick)
        .text("qty_tick_size", market.qty_tick)
        .text("max_leverage", "50")
        .raw("tradable", market.tradable)
        .raw("expiry_timestamp_ms", 0)
        .raw("beta_product", false);
    if !spot {
        row = row.text("underlying_symbol", format!("{base}USD-INDEX")).text("contract_size", 1);
    }
    if !symbol.contains('@') {
        row = row.text("product_type", "DIGITAL_CURRENCIES");
    }
    if world.markets.contains_key(symbol) {
        // A field nobody has heard of, holding names everybody knows.
        row = row.raw("session", r#"{"symbol":"X_Y","tradable":false,"qty_tick_size":["9",null]}"#);
    }
    row.raw("margin_buy_enabled", false).raw("margin_sell_enabled", false).end()
}

fn ticker(world: &World, market: &Market) -> String {
    let price = |price: Option<Dec>| match price {
        Some(price) => format!("\"{}\"", price.fixed(price.places().max(market.quote_decimals))),
        None => "null".to_string(),
    };
    let seen = market.last.or(market.mid()).or(Some(Dec::ZERO));
    let mut row = Row::new()
        .text("i", &market.symbol)
        .raw("h", price(seen))
        .raw("l", price(seen))
        .raw("a", price(market.last))
        .text("v", "795.8533")
        .text("vv", "50184158.41")
        .text("c", "-0.0041");
    if world.markets.contains_key(&market.symbol) {
        row = row.raw("depth", r#"{"b":"0.1","k":"0.2","a":null,"levels":[["1","2"]]}"#);
    }
    let interest = if market.quote_decimals.is_multiple_of(3) { "null" } else { "\"0\"" };
    row.raw("b", price(market.bid)).raw("k", price(market.ask)).raw("oi", interest).raw("t", world.now_ms()).end()
}

fn risk(coin: &str, min: Option<Dec>, max: Option<Dec>) -> String {
    let row = Row::new().text("instrument_name", coin).text("minimum_haircut", "0").text("unit_margin_rate", "0.00025");
    let limits = [("order_limit", max), ("max_order_notional_usd", max), ("min_order_notional_usd", min)];
    let told = |row: Row, (name, limit): (&str, Option<Dec>)| match limit {
        Some(limit) => row.text(name, limit.fixed(limit.places().max(1))),
        None => row,
    };
    limits
        .into_iter()
        .fold(row, told)
        .text("long_pos_limit_perps", "7800000.0")
        .text("short_pos_limit_perps", "7800000.0")
        .end()
}
