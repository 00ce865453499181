//! How balances and orders are told: the private replies' shapes, with their traps.

use serde_json::{Value, json};

use super::decimal::{Dec, dec};
use super::orders::{Order, Params, Side, Status, text};
use super::world::World;

/// `private/user-balance`. The totals are margin arithmetic, and none of them is the cash.
pub fn balances(world: &mut World) -> String {
    let balances = world.balances_shown();
    let mut total = Dec::ZERO;
    let mut rows = Vec::new();
    for (coin, balance) in &balances {
        let worth = world.usd_price(coin).mul_floor(balance.quantity);
        let reserved = balance.reserved.ceil_places(14);
        let free = balance.quantity - reserved;
        total += worth;
        rows.push(json!({
            "instrument_name": coin,
            "quantity": balance.quantity.floor_places(14).to_string(),
            "reserved_qty": reserved.to_string(),
            "market_value": worth.floor_places(8).to_string(),
            "collateral_amount": worth.half().floor_places(8).to_string(),
            "collateral_eligible": "true", "haircut": "0.5",
            "max_withdrawal_balance": free.max(Dec::ZERO).floor_places(8).to_string(),
            "hourly_interest_rate": "0", "borrowable": {"quantity": "1", "limits": []},
        }));
    }
    let margin = total.mul_floor(dec("0.9")).floor_places(8).to_string();
    let cash = total.floor_places(8).to_string();
    json!({"data": [{
        "instrument_name": "USD", "total_available_balance": margin,
        "total_margin_balance": cash, "total_initial_margin": "0.82005001",
        "total_haircut": "0.82005001", "total_position_im": "0",
        "total_maintenance_margin": "0.41002501", "total_position_cost": "0",
        "total_cash_balance": cash, "total_collateral_value": margin,
        "total_session_unrealized_pnl": "0", "total_session_realized_pnl": "0",
        "total_risk_exposure": "1.64010001", "total_effective_leverage": "0.082742",
        "position_limit": "396.4373128", "used_position_limit": "1.64010001",
        "total_borrow": "0", "total_isolated_cash_balance": "0", "isolated_positions": [],
        "credit_limits": [], "is_liquidating": false, "has_risk": false, "terminatable": true,
        "position_balances": rows,
    }]})
    .to_string()
}

/// `private/get-open-orders`.
pub fn open_orders(world: &World, params: &Params) -> String {
    let wanted = text(params, "instrument_name");
    let open = |o: &&Order| o.status == Status::Active && wanted.is_none_or(|w| w == o.symbol);
    json!({"data": world.orders.iter().filter(open).map(order).collect::<Vec<_>>()}).to_string()
}

/// `private/get-trades`: one row for each order that filled, newest first. Fees are true here.
pub fn trades(world: &World, params: &Params) -> String {
    let wanted = text(params, "instrument_name");
    let filled = |o: &&Order| o.cumulative_quantity > Dec::ZERO && wanted.is_none_or(|wanted| wanted == o.symbol);
    let row = |order: &Order| {
        json!({
            "account_id": "52e7c00f", "event_date": "2026-11-22", "journal_type": "TRADING",
            "side": side(order), "instrument_name": order.symbol, "fees": (-order.fee).to_string(),
            "fee_credits": "0", "fee_instrument_name": order.fee_coin,
            "trade_id": format!("1{}", order.order_id), "taker_side": "TAKER",
            "traded_price": order.price.unwrap_or_default().to_string(),
            "traded_quantity": order.cumulative_quantity.to_string(),
            "client_oid": order.client_oid, "order_id": order.order_id,
            "create_time": order.created_ms,
            "create_time_ns": format!("{}000000", order.created_ms),
        })
    };
    let rows: Vec<_> = world.orders.iter().rev().filter(filled).map(row).collect();
    json!({"data": rows}).to_string()
}

fn side(order: &Order) -> &'static str {
    if order.side == Side::Buy { "BUY" } else { "SELL" }
}

/// The order object of get-order-detail and get-open-orders.
pub fn order(order: &Order) -> Value {
    let status = match order.status {
        Status::Active => "ACTIVE",
        Status::Filled => "FILLED",
        Status::Canceled => "CANCELED",
        Status::Rejected => "REJECTED",
        Status::Expired => "EXPIRED",
    };
    let price = order.price.unwrap_or_default();
    let by_notional = order.notional.is_some();
    // Market orders carry a hidden price band of 5 %; a buy's quantity is guessed at its far end.
    let quantity = order.quantity.unwrap_or_else(|| match price > Dec::ZERO {
        true => order.due.div_floor(dec("1.05")).floor_to(order.tick),
        false => Dec::ZERO,
    });
    let banded = || quantity.mul_floor(price).mul_floor(dec("0.95"));
    let average = match order.cumulative_quantity > Dec::ZERO {
        true => {
            let average = order.cumulative_value.div_floor(order.cumulative_quantity);
            average.fixed(order.price_places)
        }
        false => "0".into(),
    };
    let fee = if by_notional { order.fee_base } else { order.fee };
    let told_in = if by_notional { &order.quote } else { &order.fee_coin };
    json!({
        "account_id": "52e7c00f-1324-5a6z-bfgt-de445bde21a5",
        "order_id": order.order_id, "client_oid": order.client_oid,
        "order_type": "MARKET", "time_in_force": "GOOD_TILL_CANCEL", "side": side(order),
        "exec_inst": if by_notional { json!(["NOTIONAL_ORDER"]) } else { json!([]) },
        "quantity": quantity.to_string(),
        "order_value": order.notional.unwrap_or_else(banded).fixed(order.price_places),
        "maker_fee_rate": "0", "taker_fee_rate": "0", "avg_price": average,
        "trigger_price": "0", "ref_price": "0", "ref_price_type": "NULL_VAL",
        "cumulative_quantity": order.cumulative_quantity.to_string(),
        "cumulative_value": order.cumulative_value.to_string(),
        "cumulative_fee": fee.to_string(), "status": status, "update_user_id": "52e7c00f",
        "order_date": "2026-11-22", "instrument_name": order.symbol,
        "fee_instrument_name": told_in, "reason": order.code,
        "create_time": order.created_ms, "create_time_ns": format!("{}000000", order.created_ms),
        "update_time": order.created_ms + 3,
        "product_type": "DIGITAL_CURRENCIES", "extra": {"status": "FILLED", "quantity": [null, 1]},
    })
}
