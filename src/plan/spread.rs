//! How an amount is distributed: over coins that can give or take it, and down to what there is to spend.

use crate::amount::{Share, Value};

/// Makes amounts sum to no more than `funds`, all by the same share; what rounding leaves goes to the largest.
pub fn shrink(amounts: &mut [Value], funds: Value) {
    let sum: Value = amounts.iter().copied().sum();
    if sum <= funds {
        return;
    }
    let share = Share::of(funds, sum);
    amounts.iter_mut().for_each(|amount| *amount = amount.share(share));
    let rest = funds - amounts.iter().copied().sum();
    if let Some(largest) = amounts.iter_mut().max() {
        *largest += rest;
    }
}

/// A coin that can give or take up to `room`, in an order of at least `min`.
pub(super) struct Candidate {
    pub(super) at: usize,
    pub(super) room: Value,
    pub(super) min: Value,
    pub(super) trades: bool,
}

/// Distributes an amount over candidates, whole rooms first, no piece below its minimum. With `cover` the pieces sum to at least
/// the amount where the rooms allow; without it to at most the amount.
pub(super) fn spread(amount: Value, candidates: &[Candidate], cover: bool) -> Vec<(usize, Value)> {
    let mut pieces: Vec<(usize, Value)> = Vec::new();
    let mut rest = amount;
    let mut before: Option<Value> = None; // How much the previous piece may give up.
    for candidate in candidates {
        if rest <= Value::ZERO {
            break;
        }
        let mut piece = candidate.room.min(rest);
        if piece < candidate.min {
            // The last piece is too small. Take what it lacks from the piece before, or round it up.
            let lack = candidate.min - piece;
            match (pieces.last_mut(), before) {
                (Some((_, previous)), Some(spare)) if cover || spare >= lack => {
                    *previous -= lack.min(spare);
                    rest += lack.min(spare);
                    piece = candidate.min;
                }
                _ if cover => piece = candidate.min,
                _ => break,
            }
        }
        before = Some(piece.minus_or_zero(candidate.min));
        pieces.push((candidate.at, piece));
        rest -= piece;
    }
    pieces
}
