//! The list that a portfolio follows, from outside: the built binary between a loopback exchange and a loopback source that goes wrong.
//!
//! | file | what it asks |
//! |---|---|
//! | `bought` | which coins, in which weights |
//! | `members` | who comes and goes, and who has the last word |
//! | `faults` | everything that can be wrong with a source |
//! | `asked` | how often a source is asked, for what, and with which key |
//! | `lists` | a list of one's own, from a file and from a page |
//! | `restart` | deaths in the middle, and damage to what is remembered |
//! | `shown` | what the owner sees |
//! | `trust` | what a list may change by itself, and whose coins are whose |

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug, missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

#[path = "../exchange/mod.rs"]
mod exchange;
#[path = "../follower/mod.rs"]
mod follower;
#[path = "../owner/mod.rs"]
mod owner;
#[path = "../source/mod.rs"]
mod source;

mod asked;
mod bought;
mod faults;
mod lists;
mod members;
mod restart;
mod shown;
mod trust;
