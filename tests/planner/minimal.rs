//! Minimal turnover: on a small grid every admissible `drifted` plan is tried, and the planner's must be one of those
//! with the least turnover and, among them, the fewest orders.
//!
//! Admissible is: a coin that fired moves at least to its restore point and at most to its target; any other moves
//! towards its target or stays; the cash does the same. Values are whole numbers, prices and ticks are one, fees none.

use super::{Case, orders};

const SEED: u64 = 0x7262_616c_616e_6365;
const CASES: usize = 6000;

/// SplitMix64: the same cases in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) >> 1).unwrap() % end
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(i64::try_from(length).unwrap())).unwrap()
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// `total` in as many pieces, some of them nothing.
    fn pieces(&mut self, total: i64, count: usize) -> Vec<i64> {
        let mut cuts: Vec<i64> = (1..count).map(|_| self.below(total + 1)).collect();
        cuts.extend([0, total]);
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Pieces of the same sum, moved from one to another by a few.
    fn drifted(&mut self, from: &[i64], moves: i64) -> Vec<i64> {
        let mut to = from.to_vec();
        for _ in 0..moves {
            let (a, b) = (self.index(from.len()), self.index(from.len()));
            let moved = self.below(to[a].min(4) + 1);
            to[a] -= moved;
            to[b] += moved;
        }
        to
    }
}

/// A small portfolio; the last place is the cash.
struct Grid {
    total: i64,
    targets: Vec<i64>,
    values: Vec<i64>,
    /// Half width of the bands, in the same unit.
    band: i64,
    relative: Option<i64>,
    restore: &'static str,
    force: bool,
    resume: bool,
}

impl Grid {
    fn random(random: &mut Random) -> Grid {
        let count = 2 + random.index(4);
        let total = if count <= 3 { random.pick(&[20, 50]) } else { 20 };
        let targets = match random.below(3) {
            // No weight for the cash, as most owners have it.
            0 => [random.pieces(total, count), vec![0]].concat(),
            _ => random.pieces(total, count + 1),
        };
        let values = match random.below(3) {
            0 => random.pieces(total, count + 1),
            _ => {
                let moves = 1 + random.below(8);
                random.drifted(&targets, moves)
            }
        };
        let restore = random.pick(&["target", "half", "edge"]);
        let band = if restore == "half" { random.pick(&[2, 4]) } else { random.pick(&[0, 1, 2, 3, 4]) };
        let relative = (restore == "target").then(|| random.pick(&[None, Some(10), Some(30), Some(100)])).flatten();
        let (force, resume) = (random.below(10) == 0, random.below(6) == 0);
        Grid { total, targets, values, band, relative, restore, force, resume }
    }

    fn line(&self) -> (String, String) {
        let percent = |part: i64| part * (100 / self.total);
        let names = (0..self.targets.len() - 1).map(|at| format!("C{at}")).chain(["USDT".to_string()]);
        let coins = names.zip(self.targets.iter().zip(&self.values));
        let coins = coins.map(|(name, (target, value))| format!("{name} {} {value} tick=1 spend=1", percent(*target)));
        let relative = self.relative.map_or(String::new(), |percent| format!(" relative_tolerance={percent}"));
        let words = format!("{}{}", if self.force { " force" } else { "" }, if self.resume { " resume" } else { "" });
        let rules = format!("min_trade=1 tolerance={} restore={}{relative}{words}", percent(self.band), self.restore);
        (coins.collect::<Vec<_>>().join(", "), rules)
    }

    /// What one place must and may move by, towards its target: least and most.
    fn range(&self, at: usize) -> (i64, i64) {
        let (value, target) = (self.values[at], self.targets[at]);
        let gap = (value - target).abs();
        let is_cash = at + 1 == self.values.len();
        if self.force || is_cash && self.resume && value > target {
            return (gap, gap);
        }
        let out = match self.relative {
            // In hundredths: the band of a relative tolerance need not be whole.
            Some(percent) if target > 0 => gap * 100 > (self.band * 100).min(target * percent),
            _ => gap > self.band,
        };
        let stay = match (out, self.restore) {
            (false, _) => gap,
            (true, "target") => 0,
            (true, "half") => self.band / 2,
            (true, _) => self.band,
        };
        // A restore point below nothing is nothing.
        let stay = if out && value < target { stay.min(target) } else { stay };
        (gap - stay, gap)
    }

    /// Least turnover of an admissible plan, and the fewest orders that reach it.
    fn best(&self) -> (i64, usize) {
        let coins = self.values.len() - 1;
        let moves = (0..coins).map(|at| {
            let (least, most) = self.range(at);
            let sign = if self.values[at] > self.targets[at] { -1 } else { 1 };
            (least..=most).map(|amount| amount * sign).collect()
        });
        let moves: Vec<Vec<i64>> = moves.collect();
        let (least, most) = self.range(coins);
        let cash = if self.values[coins] > self.targets[coins] { least..=most } else { -most..=-least };
        let mut best = (i64::MAX, usize::MAX);
        let mut stack = vec![(0_usize, 0_i64, 0_i64, 0_usize)];
        while let Some((at, spent, turnover, orders)) = stack.pop() {
            if (turnover, orders) >= best {
                continue;
            }
            match moves.get(at) {
                Some(moves) => stack.extend(moves.iter().map(|amount| {
                    (at + 1, spent + amount, turnover + amount.abs(), orders + usize::from(*amount != 0))
                })),
                None if cash.contains(&spent) => best = (turnover, orders),
                None => {}
            }
        }
        best
    }

    /// Whether a plan is admissible, its turnover and its orders.
    fn judge(&self, lines: &[String]) -> Result<(i64, usize), String> {
        let coins = self.values.len() - 1;
        let mut amounts = vec![0_i64; coins];
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let amount: i64 = words[2].parse().map_err(|_| format!("{line} is not on the tick"))?;
            let at: usize = words[1][1..].parse().unwrap();
            amounts[at] += if words[0] == "sell" { -amount } else { amount };
        }
        let spent: i64 = amounts.iter().sum();
        for (at, amount) in amounts.iter().copied().chain([-spent]).enumerate() {
            let (least, most) = self.range(at);
            let towards = if self.values[at] > self.targets[at] { -amount } else { amount };
            if !(least..=most).contains(&towards) {
                return Err(format!("place {at} moves {towards} towards its target, not {least} to {most}"));
            }
        }
        Ok((amounts.iter().map(|amount| amount.abs()).sum(), lines.len()))
    }
}

#[test]
fn no_admissible_plan_has_less_turnover_or_as_much_with_fewer_orders() {
    let mut random = Random(SEED);
    let (mut quiet, mut drawn, mut cash_fired) = (0, 0, 0);
    for number in 0..CASES {
        let grid = Grid::random(&mut random);
        let (coins, rules) = grid.line();
        let case = format!("case {number}: {coins} | {rules}");
        let best = grid.best();
        assert_ne!(best.0, i64::MAX, "no plan is admissible: {case}");
        let plan = Case::read(&coins, &rules).plan();
        let orders = orders(&plan);
        let judged = grid.judge(&orders).unwrap_or_else(|why| panic!("{why}: {case} | {}", orders.join(", ")));
        assert_eq!(judged, best, "{case} | {}", orders.join(", "));
        // Cases in which nothing happens, or only the fired coins trade, would make a dull test.
        let fired = (0..grid.values.len() - 1).map(|at| grid.range(at).0).sum::<i64>();
        quiet += usize::from(best.0 == 0);
        drawn += usize::from(best.0 > fired && fired > 0);
        cash_fired += usize::from(grid.range(grid.values.len() - 1).0 > 0);
    }
    assert!(quiet > 300 && drawn > 1000 && cash_fired > 1000, "{quiet} quiet, {drawn} drawn, {cash_fired} with cash");
}
