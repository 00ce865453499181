//! Whether an account is balanced, by the owner's own words and exact arithmetic that is not the program's.

use super::exchange::{Dec, Market, World, dec};
use rebalancer::config::{Config, Method, Restore};

struct Place {
    coin: String,
    value: Dec,
    free: Dec,
    target: Dec,
    band: Dec,
    minimum: Dec,
    /// More cannot be moved in one cycle: a hundred orders of the largest size.
    most: Option<Dec>,
    tick_value: Dec,
}

/// The smallest order, in the quote currency.
pub fn minimum(world: &World, market: &Market, min_trade: Dec) -> Dec {
    let tick_value = market.qty_tick.mul_floor(market.ask.unwrap_or_default());
    let usd = world.usd_price(&market.quote);
    // Rounded up by two ticks at the most where it has to be converted.
    let exchange = market.min_usd.unwrap_or(Dec::ONE).max(Dec::ONE).div_floor(usd) + market.price_tick.times(2);
    min_trade.max(exchange).max(tick_value)
}

/// The first coin that is out of its band although an order could bring it back; `None` when there is none. The
/// allocation is in percent, and sums to 100; `departed` are coins that are to be sold off.
pub fn unbalanced(world: &World, config: &Config, allocation: &[(String, Dec)], departed: &[String]) -> Option<String> {
    let exact = |amount: &dyn ToString| dec(&amount.to_string());
    let sum: Dec = allocation.iter().map(|(_, percent)| *percent).sum();
    if sum != dec("100") {
        return Some(format!("the allocation sums to {sum}"));
    }
    let hundredth = dec("0.01");
    let reserve = exact(&config.cash_reserve);
    let free_cash = world.free(&config.quote) - reserve;
    let cash = world.coin_value(&config.quote, &config.quote) - reserve;
    let value = |coin: &str| world.coin_value(coin, &config.quote);
    let listed = |coin: &str| coin == config.quote || allocation.iter().any(|(name, _)| name == coin);
    let mut total = cash;
    for (coin, _) in allocation.iter().filter(|(coin, _)| *coin != config.quote) {
        total += value(coin);
    }
    let sold = |coin: &&String| !listed(coin) && (config.sell_unlisted || departed.contains(coin));
    total += world.balances.keys().filter(sold).map(|coin| value(coin)).sum();
    if total < Dec::ZERO {
        return None;
    }
    let mut places = Vec::new();
    let kept = allocation.iter().filter(|(coin, _)| *coin != config.quote);
    for (coin, percent) in kept
        .map(|(coin, percent)| (coin, Some(*percent)))
        .chain(world.balances.keys().filter(sold).map(|coin| (coin, None)))
    {
        let market = world.markets.get(&format!("{coin}_{}", config.quote));
        let Some(market) = market else {
            assert!(percent.is_none(), "{coin} does not trade in the end");
            continue;
        };
        let ask = market.ask.unwrap_or_default();
        // What is sold off has no band.
        let sold_off = percent.is_none();
        let percent = percent.unwrap_or_default();
        let relative =
            config.relative_tolerance.map(|relative| percent.mul_floor(exact(&relative)).mul_floor(hundredth));
        let absolute = if sold_off { Dec::ZERO } else { exact(&config.tolerance) };
        let band = relative.filter(|_| percent > Dec::ZERO).map_or(absolute, |relative| relative.min(absolute));
        let tick_value = market.qty_tick.mul_floor(ask);
        let usd = world.usd_price(&config.quote);
        let mid = market.mid().unwrap_or_default();
        let limits =
            config.max_trade.map(|max| exact(&max)).into_iter().chain(market.max_usd.map(|max| max.div_floor(usd)));
        places.push(Place {
            coin: coin.clone(),
            value: value(coin),
            free: world.free(coin).mul_floor(mid),
            target: total.mul_floor(percent).mul_floor(hundredth),
            band: total.mul_floor(band).mul_floor(hundredth),
            minimum: minimum(world, market, exact(&config.min_trade)),
            // Of whole ticks.
            most: limits.min().map(|most| most.div_floor(tick_value).floor_to(Dec::ONE).mul_floor(tick_value)),
            tick_value,
        });
    }
    // Cash below its own target pays for nothing.
    let cash_target = allocation.iter().find(|(coin, _)| *coin == config.quote);
    let cash_target = cash_target.map_or(Dec::ZERO, |(_, percent)| total.mul_floor(*percent).mul_floor(hundredth));
    let pays = free_cash.min(cash - cash_target);
    // While cash is locked that the reserve needs, no coin is sold to pay for another.
    let locked = free_cash < cash.min(Dec::ZERO);
    if locked {
        return None;
    }
    places.iter().find_map(|place| place.complaint(&places, config, total, pays))
}

impl Place {
    /// How far it is from where an order would bring it, when it is out of its band.
    fn complaint(&self, places: &[Place], config: &Config, total: Dec, free_cash: Dec) -> Option<String> {
        let Place { coin, value, target, band, minimum, tick_value, .. } = self;
        let high = *value > *target;
        let off = if high { *value - *target } else { *target - *value };
        let way = match config.restore {
            Restore::Target => off,
            Restore::Half => off - band.half(),
            Restore::Edge => off - *band,
        };
        // What fees, spread and rounding may leave, and what the exchange's minimum is rounded up by.
        let slack = *minimum
            + *tick_value
            + *tick_value
            + minimum.mul_floor(dec("0.06"))
            + dec("0.02")
            + off.mul_floor(dec("0.02"));
        let moved = if config.method == Method::Drifted { way } else { off };
        let too_much = self.most.is_some_and(|most| moved > most.times(95) || most <= *minimum);
        if off <= *band || way <= slack || too_much {
            return None;
        }
        let possible = match high {
            true => self.free,
            // What the others can give, and the cash.
            false => {
                let gives = |place: &Place| {
                    let above = (place.value - place.target).max(Dec::ZERO).min(place.free);
                    let too_much = place.most.is_some_and(|most| above > most.times(95) || most <= place.minimum);
                    if !too_much && above > place.minimum + place.tick_value { above } else { Dec::ZERO }
                };
                let others: Dec = places.iter().map(gives).sum();
                others + free_cash.max(Dec::ZERO)
            }
        };
        (possible > slack + slack).then(|| {
            format!("{coin} is worth {value} of {total}, target {target}, band {band}, minimum {minimum}, {possible} could be moved")
        })
    }
}
