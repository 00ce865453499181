//! Keeps a cryptocurrency portfolio at its target weights, unattended, on hardware that loses power.
//!
//! Data flows one way, and the files lie in that order:
//!
//! ```text
//! cli -> config -> universe -> exchange (instruments, prices, balances) -> portfolio -> plan -> journal -> execute -> journal -> schedule
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | [`cli`] | exactly what was typed; the help text |
//! | [`config`] | file and environment become a checked `Config` |
//! | [`universe`] | a list of coins becomes an allocation |
//! | [`amount`] | exact base-10 amounts; weights and shares |
//! | [`market`] | one instrument's rules; the only place where an order is rounded |
//! | [`portfolio`] | holdings times prices: values and weights |
//! | [`plan`] | (portfolio, rules) to orders, or the reason for none; pure |
//! | [`execute`] | a cycle: recover, sell, confirm, look again, buy, verify |
//! | [`journal`] | every order before it is sent; recovery |
//! | [`store`] | sealed lines, atomic replacement, locks |
//! | [`schedule`], [`rhythm`] | when the next run is due, when a failed one is tried again; pure |
//! | [`daemon`] | the sleep loop: starts a cycle as a process of its own |
//! | [`command`] | what each command does, and its exit code |
//! | [`check`] | the doctor |
//! | [`named`], [`text`] | values by name; whole texts with a limit |
//! | [`machine`] | what is outside, passed in: [`clock`], [`disk`], [`wire`] |
//! | [`log`] | what the owner reads |
//! | [`http`], [`tls`], [`json`] | requests and replies, with every limit |
//! | [`exchange`] | the trait; `crypto_com` and `paper` behind it |
//! | [`output`] | tables and JSON |
//!
//! What always holds: no order without its synced record; no second order while one is unknown; an order's result is its fills; no
//! price, balance or clock is guessed; nothing locked or unlisted is sold; no binary floating point.

pub mod amount;
pub mod check;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod daemon;
pub mod disk;
pub mod exchange;
pub mod execute;
pub mod http;
pub mod journal;
pub mod json;
pub mod log;
pub mod machine;
pub mod market;
pub mod named;
pub mod output;
pub mod plan;
pub mod portfolio;
pub mod rhythm;
pub mod schedule;
pub mod store;
pub mod text;
pub mod tls;
pub mod universe;
pub mod wire;
