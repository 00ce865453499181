//! What the program asks of any exchange, and the ways in which an exchange can fail it.
//!
//! [`Exchange`] is all that the planner's and executor's side knows. Shapes, names and codes of a venue stay in its own
//! file: `crypto_com` (with `signer` and `catalogue`) and `paper`.

pub mod catalogue;
pub mod crypto_com;
pub mod paper;
pub mod signer;

use crate::amount::{Percent, Quantity, Value};
use crate::market::{Coin, Market, Order, Quote};
use crate::named::Named;
use crate::text;

/// A longer message is cut: a line of the log.
const MOST_LETTERS: usize = 500;

/// Milliseconds since 1970 in UTC.
pub type Millis = i64;

/// What an exchange says about one coin against the quote currency.
#[derive(Clone, PartialEq, Eq)]
pub struct Listing {
    /// The trading rules.
    pub market: Market,
    /// Best bid and ask, when there are both.
    pub quote: Option<Quote>,
}

/// One coin in the account.
#[derive(Clone, PartialEq, Eq)]
pub struct Balance {
    /// The coin, or a currency such as USDT.
    pub coin: Coin,
    /// All that is yours, in coins.
    pub total: Quantity,
    /// The part that orders or products hold; never sold.
    pub locked: Quantity,
}

/// An order as the exchange knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct OrderState {
    /// The exchange's own id, kept as text.
    pub order_id: String,
    /// The exchange's word for its state, for the journal and the owner.
    pub status: String,
    /// Whether nothing more can happen to it.
    pub terminal: bool,
    /// Coins bought or sold so far: the order's only result.
    pub filled_quantity: Quantity,
    /// What was paid or got for them, before fees.
    pub filled_value: Value,
}

/// An order that waits in the book.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenOrder {
    /// Our id, when it is ours; whatever the owner's other programs chose, or empty.
    pub client_id: String,
    /// The exchange's name of the instrument.
    pub symbol: String,
}

/// How an exchange failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Refused; for an order: unless asking for it shows that the exchange has it after all.
    Refused,
    /// An order with this client id is there already.
    Duplicate,
    /// There is no order with this client id (yet).
    NoSuchOrder,
    /// Refused because of too many requests; nothing happened, and later it may work.
    RateLimited,
    /// The request did not leave this machine, or nobody took it.
    Unreachable,
    /// The request may have been accepted: no answer, or one that does not say.
    Unknown,
    /// The answer could not be understood.
    Garbled,
    /// The key or its permissions were not accepted.
    NotAuthorised,
    /// The exchange says that the time in the request is wrong.
    Clock,
}

/// A failed operation: its kind for the program, a sentence for the owner.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    /// What it means for money.
    pub kind: Kind,
    /// Lower-case sentence naming the object, the operation and the value. Never holds a secret.
    pub message: String,
}

impl Error {
    /// An error from its parts; what an exchange wrote may be in the message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: text::shown(&message.into(), MOST_LETTERS) }
    }

    /// Whether asking the same question again later may be answered: never said of sending an order.
    pub fn passing(&self) -> bool {
        matches!(self.kind, Kind::RateLimited | Kind::Unreachable | Kind::Unknown | Kind::Garbled)
    }
}

/// A venue with one account. Amounts are exact; one call is at most a constant number of requests.
pub trait Exchange {
    /// Trading rules, best bid and best ask of `coins` against the quote currency. A coin without an instrument is absent; one
    /// without both prices has no quote, never zero.
    ///
    /// # Errors
    /// Anything in [`Kind`]; lists are read as a whole or not at all.
    fn listings(&mut self, coins: &[Coin]) -> Result<Named<Listing>, Error>;

    /// Each of `coins` with every currency that it trades against, one pair each, read anew: for advice about the config.
    ///
    /// # Errors
    /// Anything in [`Kind`].
    fn quotes_of(&mut self, coins: &[Coin]) -> Result<Vec<(Coin, Coin)>, Error>;

    /// The whole account.
    ///
    /// # Errors
    /// Anything in [`Kind`]; also when one balance cannot be read or is negative.
    fn balances(&mut self) -> Result<Vec<Balance>, Error>;

    /// Every order that waits in the book.
    ///
    /// # Errors
    /// Anything in [`Kind`].
    fn open_orders(&mut self) -> Result<Vec<OpenOrder>, Error>;

    /// Sends an order once, so that the exchange cannot accept it after `expires`, by its own clock. Success means that it was received,
    /// not that it was filled.
    ///
    /// # Errors
    /// Anything in [`Kind`]; [`Kind::Unknown`] and [`Kind::Garbled`] mean that it may have been accepted.
    fn place(&mut self, order: &Order, client_id: &str, expires: Millis) -> Result<(), Error>;

    /// The state of an order by our id; `None` when the exchange does not know it (yet).
    ///
    /// # Errors
    /// Anything in [`Kind`].
    fn order(&mut self, client_id: &str) -> Result<Option<OrderState>, Error>;

    /// Asks to cancel an order by our id. Its end is to be read with [`Exchange::order`].
    ///
    /// # Errors
    /// Anything in [`Kind`].
    fn cancel(&mut self, client_id: &str) -> Result<(), Error>;

    /// The exchange's time now, once a reply has told it.
    fn time(&self) -> Option<Millis>;

    /// The moment by the exchange's clock after which an order that is sent now need not be accepted any more: its `expires`.
    fn order_expiry(&self) -> Millis;

    /// What the exchange takes of an order's value, at most, in percent.
    fn fee(&self) -> Percent;

    /// Forgets what was kept about trading rules, after an order was refused for breaking one.
    fn forget_markets(&mut self);

    /// Whether the key may trade: `None` when it cannot be told without trading.
    ///
    /// # Errors
    /// [`Kind::NotAuthorised`] with what to do, or anything in [`Kind`].
    fn may_trade(&mut self) -> Result<Option<bool>, Error>;
}
