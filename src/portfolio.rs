//! Holdings times prices: values, weights, drift. Nothing here is guessed: a price that is missing or not believed, or a
//! balance that cannot be, ends the cycle before any order.

use crate::amount::{Percent, Price, Quantity, Value, Weight};
use crate::config::Config;
use crate::exchange::{Balance, Listing};
use crate::market::{Bounds, Coin, Market, Quote};
use crate::named::Named;
use core::fmt;

/// A coin with its price, its rules and its target.
pub struct Holding {
    /// The coin.
    pub coin: Coin,
    /// All of it: counts in the weight.
    pub total: Quantity,
    /// What may be sold.
    pub free: Quantity,
    /// Best bid and ask.
    pub quote: Quote,
    /// The middle of them, at which it is valued.
    pub price: Price,
    /// `total` at `price`.
    pub value: Value,
    /// `free` at `price`.
    pub free_value: Value,
    /// Its target weight.
    pub target: Percent,
    /// Its trading rules.
    pub market: Market,
    /// Whether it is in the allocation; if not, it is to be sold off.
    pub listed: bool,
}

impl Holding {
    /// Smallest order value under every rule. A buy that cannot pay for one tick at the ask would buy nothing.
    pub fn minimum(&self, bounds: Bounds) -> Value {
        self.market.minimum(self.quote.ask, bounds)
    }

    /// What trading `value` costs: the fee, and the whole spread (half of it is lost for good, half when it is traded back).
    /// `None` when that is too large to count.
    pub fn cost(&self, value: Value, fee: Percent) -> Option<Value> {
        let spread = (self.quote.ask - self.quote.bid).value_of_up(self.price.quantity_for(value)?)?;
        Some(value.percent_up(fee)? + spread)
    }

    /// What selling `value` (at the middle) brings in cash: at the bid, without the fee. `None` when that is too large to count.
    pub fn proceeds(&self, value: Value, fee: Percent) -> Option<Value> {
        let sold = self.quote.bid.value_of(self.price.quantity_for(value)?)?;
        Some(sold - sold.percent_up(fee)?)
    }

    /// What `value` brings when it is sold as a whole number of ticks at the bid, where the exchange counts its minimum.
    pub fn worth_on_tick(&self, value: Value) -> Value {
        self.quote.bid.value_of(self.market.quantity_worth(value, self.price)).unwrap_or(value)
    }
}

/// The quote currency.
pub struct Cash {
    /// Its name.
    pub coin: Coin,
    /// What belongs to the portfolio: all of it but the reserve. Negative while the reserve is not all there.
    pub total: Value,
    /// What may be spent: the free part of it, but the reserve. Negative while the reserve is not all there and free.
    pub spendable: Value,
    /// Its target weight; zero when it has none.
    pub target: Percent,
}

/// What is owned and what is wanted, in one currency.
pub struct Portfolio {
    /// Every coin of the allocation but the quote currency, in the order of the config; then coins to be sold off.
    pub holdings: Vec<Holding>,
    /// The quote currency.
    pub cash: Cash,
    /// Value of all holdings and the cash.
    pub total: Value,
    /// Coins that are held but left alone, with the reason.
    pub ignored: Vec<(Coin, String)>,
}

/// Why there is no portfolio to plan with.
pub enum Error {
    /// The allocation names a coin that does not trade against the quote currency: the config must change.
    NoMarket(Coin, Coin),
    /// A price is missing, zero, crossed or too wide.
    Price(Coin, String),
    /// A balance cannot be, such as a negative one.
    Balance(Coin, String),
    /// An amount is too large to count.
    TooLarge(Coin),
    /// The cash reserve is larger than everything there is.
    Reserve(Value, Value),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoMarket(coin, quote) => {
                write!(
                    f,
                    "{coin} does not trade against {quote} at this exchange; change \"quote\" or take {coin} out of the allocation"
                )
            }
            Error::Price(coin, why) => write!(f, "the price of {coin} is not believed: {why}"),
            Error::Balance(coin, why) => write!(f, "the balance of {coin} is not believed: {why}"),
            Error::Reserve(reserve, total) => {
                write!(f, "cash_reserve is {reserve}, but the whole account is worth {total}; lower it")
            }
            Error::TooLarge(coin) => write!(f, "the value of {coin} is too large to count"),
        }
    }
}

/// The coins whose rules and prices a portfolio needs: the allocation but the quote currency, and what is to be sold off.
pub fn coins(config: &Config, balances: &[Balance]) -> Vec<Coin> {
    let listed = config.allocation.iter().map(|(coin, _)| coin.clone());
    let mut coins: Vec<Coin> = listed.filter(|coin| *coin != config.quote).collect();
    let unlisted = unlisted(config, balances).into_iter().map(|balance| &balance.coin);
    coins.extend(unlisted.filter(|coin| config.sells(coin)).cloned());
    coins
}

/// Held coins outside the allocation.
fn unlisted<'a>(config: &Config, balances: &'a [Balance]) -> Vec<&'a Balance> {
    let mut listed = Named::new();
    listed.insert(&config.quote, ());
    for (coin, _) in &config.allocation {
        listed.insert(coin, ());
    }
    balances.iter().filter(|balance| balance.total > Quantity::ZERO && !listed.contains(&balance.coin)).collect()
}

impl Portfolio {
    /// Puts together what the exchange told.
    ///
    /// # Errors
    /// The first coin whose market, price or balance cannot be relied on.
    pub fn new(config: &Config, balances: &[Balance], listings: &Named<Listing>) -> Result<Portfolio, Error> {
        let mut held = Named::new();
        for balance in balances {
            check(balance)?;
            if held.insert(&balance.coin, balance).is_some() {
                return Err(Error::Balance(balance.coin.clone(), "it is listed twice".to_string()));
            }
        }
        let source = Source { held, listings, max_spread: config.max_spread };
        let mut holdings = Vec::new();
        for (coin, target) in config.allocation.iter().filter(|(coin, _)| *coin != config.quote) {
            if !listings.contains(coin) {
                return Err(Error::NoMarket(coin.clone(), config.quote.clone()));
            }
            holdings.push(source.holding(coin, *target)?);
        }
        let mut ignored = Vec::new();
        for balance in unlisted(config, balances) {
            let coin = &balance.coin;
            let outcome = match (config.sells(coin), listings.contains(coin)) {
                (false, _) => Err("it is not in the allocation".to_string()),
                (true, false) => Err(format!("it does not trade against {}", config.quote)),
                (true, true) => source.holding(coin, Percent::ZERO).map_err(|error| error.to_string()),
            };
            match outcome {
                Ok(holding) => holdings.push(Holding { listed: false, ..holding }),
                Err(why) => ignored.push((coin.clone(), why)),
            }
        }
        let cash = source.cash(config);
        let coins: Value = holdings.iter().map(|holding| holding.value).sum();
        let total = coins + cash.total;
        if total < Value::ZERO {
            return Err(Error::Reserve(config.cash_reserve, coins + cash.total + config.cash_reserve));
        }
        Ok(Portfolio { holdings, cash, total, ignored })
    }

    /// The weight of a value in this portfolio.
    pub fn weight(&self, value: Value) -> Weight {
        Weight::of(value, self.total)
    }
}

fn check(balance: &Balance) -> Result<(), Error> {
    let why = if balance.total < Quantity::ZERO {
        format!("it is negative ({}): the coin is borrowed; close the margin position first", balance.total)
    } else if balance.locked < Quantity::ZERO || balance.locked > balance.total {
        format!("{} of {} is said to be locked", balance.locked, balance.total)
    } else {
        return Ok(());
    };
    Err(Error::Balance(balance.coin.clone(), why))
}

struct Source<'a> {
    held: Named<&'a Balance>,
    listings: &'a Named<Listing>,
    max_spread: Percent,
}

impl Source<'_> {
    fn holding(&self, coin: &Coin, target: Percent) -> Result<Holding, Error> {
        let listing = self.listings.get(coin);
        let quote = listing.and_then(|listing| listing.quote);
        let quote = quote.ok_or_else(|| Error::Price(coin.clone(), "the exchange names no bid and ask".to_string()))?;
        believe(quote, self.max_spread).map_err(|why| Error::Price(coin.clone(), why))?;
        let balance = self.held.get(coin.as_str());
        let total = balance.map_or(Quantity::ZERO, |balance| balance.total);
        let free = balance.map_or(Quantity::ZERO, |balance| balance.total - balance.locked);
        let price = quote.middle();
        let value = |quantity| price.value_of(quantity).ok_or_else(|| Error::TooLarge(coin.clone()));
        let market = listing.map(|listing| listing.market.clone());
        Ok(Holding {
            coin: coin.clone(),
            total,
            free,
            quote,
            price,
            value: value(total)?,
            free_value: value(free)?,
            target,
            listed: true,
            market: market.ok_or_else(|| Error::Price(coin.clone(), "it has no market".to_string()))?,
        })
    }

    fn cash(&self, config: &Config) -> Cash {
        let balance = self.held.get(config.quote.as_str());
        let total = balance.map_or(Value::ZERO, |balance| balance.total.as_value());
        let free = balance.map_or(Value::ZERO, |balance| (balance.total - balance.locked).as_value());
        let target = config.allocation.iter().find(|(coin, _)| *coin == config.quote);
        Cash {
            coin: config.quote.clone(),
            total: total - config.cash_reserve,
            spendable: free - config.cash_reserve,
            target: target.map_or(Percent::ZERO, |(_, target)| *target),
        }
    }
}

/// Whether bid and ask make a price.
///
/// # Errors
/// Why not.
pub fn believe(quote: Quote, max_spread: Percent) -> Result<(), String> {
    let Quote { bid, ask } = quote;
    if bid <= Price::ZERO || ask <= Price::ZERO {
        return Err(format!("bid {bid}, ask {ask}"));
    }
    if bid > ask {
        return Err(format!("the bid {bid} is above the ask {ask}"));
    }
    if max_spread.exceeded_by(ask - bid, quote.middle()) {
        return Err(format!("bid {bid} and ask {ask} are more than max_spread, {max_spread} percent, apart"));
    }
    Ok(())
}
