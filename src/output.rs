//! What goes to standard output: aligned tables of at most 80 columns, and one JSON object with `--json`.

mod universe;

pub use universe::{List, changes_table, look_json, look_table};

use crate::amount::{Value, Weight};
use crate::execute::{Placed, Report};
use crate::json::{self, Object, list};
use crate::market::{Coin, Order, Side, Size};
use crate::plan::{Plan, Skip};
use crate::portfolio::Portfolio;
use crate::universe::record::Changes;

/// Decimals of weights in JSON.
const JSON_PLACES: u32 = 6;
const WIDTH: usize = 80;

/// One line of the table of coins.
struct Line {
    coin: String,
    quantity: String,
    price: String,
    value: Value,
    weight: Weight,
    target: Weight,
}

fn lines(portfolio: &Portfolio) -> Vec<Line> {
    let mut lines: Vec<Line> = portfolio
        .holdings
        .iter()
        .map(|holding| Line {
            coin: holding.coin.clone(),
            quantity: holding.total.to_string(),
            price: holding.price.to_string(),
            value: holding.value,
            weight: portfolio.weight(holding.value),
            target: Weight::from_percent(holding.target),
        })
        .collect();
    let cash = &portfolio.cash;
    lines.push(Line {
        coin: cash.coin.clone(),
        quantity: cash.total.to_string(),
        price: "1".to_string(),
        value: cash.total,
        weight: portfolio.weight(cash.total),
        target: Weight::from_percent(cash.target),
    });
    lines
}

/// The `coins` member of the JSON output.
fn coins_json(portfolio: &Portfolio) -> String {
    list(lines(portfolio).into_iter().map(|line| {
        Object::new()
            .text("coin", &line.coin)
            .text("quantity", &line.quantity)
            .text("price", &line.price)
            .text("value", &line.value.to_string())
            .text("weight", &line.weight.rounded(JSON_PLACES))
            .text("target", &line.target.rounded(JSON_PLACES))
            .text("drift", &(line.weight - line.target).rounded(JSON_PLACES))
            .end()
    }))
}

fn order_json(order: &Order) -> Object {
    let (name, amount) = match order.size {
        Size::Quantity(quantity) => ("quantity", quantity.to_string()),
        Size::Notional(value) => ("notional", value.to_string()),
    };
    Object::new()
        .text("instrument", &order.symbol)
        .text("side", order.side.word())
        .text(name, &amount)
        .text("value", &order.value.to_string())
}

fn placed_json(placed: &Placed) -> String {
    let json = order_json(&placed.order)
        .text("client_oid", &placed.client_id)
        .text("order_id", &placed.state.order_id)
        .text("status", &placed.state.status)
        .text("filled_quantity", &placed.state.filled_quantity.to_string())
        .text("filled_value", &placed.state.filled_value.to_string());
    match &placed.refused {
        Some(why) => json.text("refused", why).end(),
        None => json.end(),
    }
}

fn skipped_json(portfolio: &Portfolio, skipped: &[Skip]) -> String {
    let ignored = portfolio.ignored.iter().map(|(coin, reason)| (coin, reason));
    let all = skipped.iter().map(|skip| (&skip.coin, &skip.reason)).chain(ignored);
    list(all.map(|(coin, reason)| Object::new().text("coin", coin).text("reason", reason).end()))
}

/// `balanced`, `total`, `quote` and `coins`.
fn portfolio_json(portfolio: &Portfolio, plan: &Plan) -> Object {
    Object::new()
        .raw("balanced", if plan.balanced { "true" } else { "false" })
        .text("total", &portfolio.total.to_string())
        .text("quote", &portfolio.cash.coin)
        .raw("coins", &coins_json(portfolio))
}

/// The output of `plan --json`; with a list also what it changes.
pub fn plan_json(portfolio: &Portfolio, plan: &Plan, changes: Option<&Changes>) -> String {
    let orders = plan.sells.iter().chain(&plan.buys);
    let json = portfolio_json(portfolio, plan)
        .raw("orders", &list(orders.map(|order| order_json(order).end())))
        .raw("skipped", &skipped_json(portfolio, &plan.skipped));
    match changes {
        None => json.end(),
        Some(Changes { enter, leave }) => {
            let changes = Object::new().raw("enter", &names(enter)).raw("leave", &names(leave));
            json.raw("universe", &changes.end()).end()
        }
    }
}

/// A list of names as JSON.
fn names(names: &[Coin]) -> String {
    list(names.iter().map(|name| json::text(name)))
}

/// The output of `once --json`: the plan, the orders with what became of them, the portfolio after, and the error if there was one.
pub fn report_json(report: &Report, error: Option<&str>) -> String {
    let mut json = match (&report.before, &report.plan) {
        (Some(portfolio), Some(plan)) => {
            portfolio_json(portfolio, plan).raw("skipped", &skipped_json(portfolio, &plan.skipped))
        }
        _ => Object::new(),
    };
    json = json.raw("orders", &list(report.placed.iter().map(placed_json)));
    if let Some(after) = &report.after {
        let after = Object::new().text("total", &after.total.to_string()).raw("coins", &coins_json(after));
        json = json.raw("after", &after.end());
    }
    match error {
        Some(error) => json.text("error", error).end(),
        None => json.end(),
    }
}

/// The output of `status --json`.
pub fn status_json(portfolio: &Portfolio, plan: &Plan, last: &str, next: &str, list: Option<&List<'_>>) -> String {
    let json = portfolio_json(portfolio, plan)
        .raw("skipped", &skipped_json(portfolio, &plan.skipped))
        .text("last_run", last)
        .text("next_run", next);
    match list {
        None => json.end(),
        Some(list) => json.raw("universe", &list.json()).end(),
    }
}

/// An error of a command with `--json`.
pub fn error_json(error: &str) -> String {
    Object::new().text("error", error).end()
}

/// Cuts plain decimal text to a width, from its last decimal on; whole digits are never cut.
fn fit(decimal: &str, width: usize) -> String {
    match decimal.split_once('.') {
        Some((whole, part)) if decimal.len() > width => {
            let room = width.saturating_sub(whole.len() + 1);
            match part.get(..room.min(part.len())) {
                Some(part) if !part.is_empty() => format!("{whole}.{part}"),
                _ => whole.to_string(),
            }
        }
        _ => decimal.to_string(),
    }
}

/// The table of holdings, weights and drift.
pub fn table(portfolio: &Portfolio) -> String {
    let quote = &portfolio.cash.coin;
    let mut out = format!(
        "{:<10} {:>14} {:>12} {:>14} {:>8} {:>8} {:>8}\n",
        "coin", "quantity", "price", "value", "weight", "target", "drift"
    );
    for line in lines(portfolio) {
        let drift = (line.weight - line.target).rounded(2);
        let drift = if drift.starts_with('-') { drift } else { format!("+{drift}") };
        out.push_str(&format!(
            "{:<10.10} {:>14} {:>12} {:>14} {:>8} {:>8} {:>8}\n",
            line.coin,
            fit(&line.quantity, 14),
            fit(&line.price, 12),
            line.value.rounded(2),
            line.weight.rounded(2),
            line.target.rounded(2),
            drift
        ));
    }
    out.push_str(&format!("{:<10} {:>42} {quote}\n", "total", portfolio.total.rounded(2)));
    out
}

/// The orders of a plan and what is skipped.
pub fn orders_table(portfolio: &Portfolio, plan: &Plan) -> String {
    let quote = &portfolio.cash.coin;
    let mut out = String::new();
    if plan.balanced {
        out.push_str("balanced: no order\n");
    } else if plan.sells.is_empty() && plan.buys.is_empty() {
        out.push_str("out of balance, but no order is possible\n");
    }
    for order in plan.sells.iter().chain(&plan.buys) {
        let what = match (order.side, order.size) {
            (Side::Sell, Size::Quantity(quantity)) => format!("sell {quantity} {}", order.coin),
            (_, Size::Notional(value)) => format!("buy  {} for {value} {quote}", order.coin),
            (Side::Buy, Size::Quantity(quantity)) => format!("buy  {quantity} {}", order.coin),
        };
        out.push_str(&format!("{what:<38} {:>14} {quote}\n", order.value.rounded(2)));
    }
    push_notes(&mut out, portfolio, &plan.skipped);
    out
}

/// What became of each order.
pub fn placed_table(portfolio: &Portfolio, placed: &[Placed]) -> String {
    let quote = &portfolio.cash.coin;
    let mut out = String::new();
    for placed in placed {
        let side = match placed.order.side {
            Side::Sell => "sold",
            Side::Buy => "bought",
        };
        let state = &placed.state;
        out.push_str(&match &placed.refused {
            Some(why) => wrapped(&format!("refused: {}: {why}", crate::execute::sentence(&placed.order)), "  "),
            None => {
                let what = format!("{side:<6} {} {}", state.filled_quantity, placed.order.coin);
                format!("{what:<38} {:>14} {quote}\n", state.filled_value.rounded(2))
            }
        });
    }
    out
}

fn push_notes(out: &mut String, portfolio: &Portfolio, skipped: &[Skip]) {
    for skip in skipped {
        out.push_str(&wrapped(&format!("{}: {}", skip.coin, skip.reason), "  "));
    }
    for (coin, reason) in &portfolio.ignored {
        out.push_str(&wrapped(&format!("{coin} is left alone and not counted: {reason}"), "  "));
    }
}

/// A sentence broken at spaces into lines of at most 80 columns; further lines begin with `indent`.
pub fn wrapped(sentence: &str, indent: &str) -> String {
    broken(sentence, indent, WIDTH)
}

/// The same for another width.
fn broken(sentence: &str, indent: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in sentence.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
    out
}
