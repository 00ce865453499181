//! The power goes while members change, and what is remembered is damaged: nothing is doubled, nothing is forgotten,
//! nothing is guessed.

use crate::exchange::{Act, Fault, dec};
use crate::follower::{Follower, names};
use crate::owner::{Victim, side_by_side};
use crate::source::Wrong;
use serde_json::Value as Json;

const BEFORE: &str = "UNI AAVE LINK LDO CRV SOL";
/// LINK falls to the sixth place, and LDO takes its own.
const AFTER: &str = "UNI AAVE LDO CRV SOL LINK";
const RULES: &str = r#""top": 3, "leave_rank": 5, "refresh": "1s""#;

/// The first list is bought, and the next one is about to be read.
fn about_to_change() -> Follower {
    let follower = Follower::new(BEFORE, RULES);
    follower.good();
    follower.source.rank(AFTER);
    follower.later();
    follower
}

/// When a member entered, by the program's own file.
fn since(list: &Json, coin: &str) -> Json {
    let members = list["members"].as_array().unwrap();
    members.iter().find(|member| member["coin"] == coin).map_or(Json::Null, |member| member["since"].clone())
}

/// After a death in the middle it ends at the new targets.
fn assert_recovers(follower: &Follower, before: &Json, what: &str) {
    // So late that no request can be on its way any more.
    follower.later_by(75);
    let codes = follower.owner.run_until_good();
    assert_eq!(codes.last(), Some(&0), "{what}: {codes:?}");
    follower.check(what);
    follower.check_orders(what);
    follower.assert_weights("UNI 33.3 AAVE 33.3 LDO 33.3", what);
    assert!(dec(&follower.held("LINK")) < dec("0.0001"), "{what}: {} LINK are left", follower.held("LINK"));
    // What was sold and bought: LINK once, LDO once; the others only what fees left over.
    assert_eq!(follower.sales("LINK"), 1, "{what}");
    let list = follower.list();
    assert_eq!((names(&list["members"]).as_str(), names(&list["departed"]).as_str()), ("UNI AAVE LDO", ""), "{what}");
    for coin in ["UNI", "AAVE"] {
        assert_eq!(since(&list, coin), since(before, coin), "{what}: {coin}");
    }
    assert!(since(&list, "LDO").as_i64() > since(before, "UNI").as_i64(), "{what}");
    assert!(list["trouble"].is_null(), "{what}: {list}");
    // And there it stays.
    let orders = follower.orders();
    let run = follower.good();
    assert_eq!(follower.orders(), orders, "{what}: {}", run.log);
}

#[test]
fn killed_at_any_request_of_a_change_of_members_it_ends_at_the_new_targets() {
    // A cycle without a kill tells how many requests there are.
    let calls = {
        let follower = about_to_change();
        let before = follower.exchange.world().requests.len();
        follower.good();
        let calls = follower.exchange.world().requests.len() - before;
        assert_eq!(follower.source.count(), 2);
        u32::try_from(calls).unwrap()
    };
    assert!(calls >= 10, "{calls}");
    let mut jobs: Vec<(Option<u32>, bool)> =
        (0..calls).flat_map(|call| [(Some(call), true), (Some(call), false)]).collect();
    jobs.extend([(None, true), (None, false)]);
    side_by_side(&jobs, |(call, before)| {
        let side = if *before { "before" } else { "after" };
        let what = call.map_or(format!("killed {side} the list"), |call| format!("killed {side} request {call}"));
        let follower = about_to_change();
        let known = follower.list();
        let victim = Victim::default();
        match call {
            Some(call) => {
                let act = Act::Call { before: *before, f: victim.kill() };
                follower.exchange.world().faults.push(Fault::once("*", act).after(*call));
            }
            None => follower.source.desk().wrong = Some((Wrong::Call { after: !before, f: victim.kill() }, 1)),
        }
        let child = follower.owner.start(&["once"]);
        victim.is(&child);
        let run = child.wait_with_output().unwrap();
        assert_eq!(run.status.code(), None, "{what}: it was not killed");
        assert_recovers(&follower, &known, &what);
    });
}

#[test]
fn killed_at_any_request_and_started_again_with_the_source_away_it_ends_at_one_of_both_targets() {
    // Up to the first order and beyond it.
    let jobs: Vec<u32> = (0..8).collect();
    side_by_side(&jobs, |call| {
        let what = format!("killed after request {call}, and then without a source");
        let follower = about_to_change();
        let known = follower.list();
        let victim = Victim::default();
        let act = Act::Call { before: false, f: victim.kill() };
        follower.exchange.world().faults.push(Fault::once("*", act).after(*call));
        let child = follower.owner.start(&["once"]);
        victim.is(&child);
        assert_eq!(child.wait_with_output().unwrap().status.code(), None, "{what}: it was not killed");
        follower.source.fails(Wrong::html(503));
        follower.later();
        let codes = follower.owner.run_until_good();
        assert_eq!(codes.last(), Some(&0), "{what}: {codes:?}");
        let members = follower.members();
        match members.as_str() {
            // The new list had been written down before.
            "UNI AAVE LDO" => follower.assert_weights("UNI 33.3 AAVE 33.3 LDO 33.3", &what),
            "UNI AAVE LINK" => follower.assert_weights("UNI 33.3 AAVE 33.3 LINK 33.3", &what),
            _ => panic!("{what}: {members}"),
        }
        // Whichever it was: with the source back it is the new one.
        follower.source.mend();
        assert_recovers(&follower, &known, &what);
    });
}

#[test]
fn what_is_remembered_survives_a_disk_that_was_full() {
    let follower = about_to_change();
    let state = follower.state();
    // A folder where the new file would be written.
    std::fs::create_dir(follower.owner.home.join("rebalancer.universe.new")).unwrap();
    let run = follower.once();
    assert_eq!((run.code, follower.orders(), follower.state() == state), (1, 3, true), "{}", run.log);
    assert!(run.log.contains("rebalancer.universe"), "{}", run.log);
    std::fs::remove_dir(follower.owner.home.join("rebalancer.universe.new")).unwrap();
    follower.good();
    assert_eq!(follower.members(), "UNI AAVE LDO");
}

#[test]
fn a_damaged_file_is_refused_with_a_sentence_and_no_order_is_sent() {
    let follower = about_to_change();
    let good = std::fs::read(follower.owner.home.join("rebalancer.universe")).unwrap();
    let path = follower.owner.home.join("rebalancer.universe");
    let (requests, asked) = (follower.exchange.world().requests.len(), follower.source.count());
    let refused = |bytes: &[u8], args: &[&str], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let run = follower.owner.run(args);
        assert_eq!(run.code, 1, "{what} {args:?}: {}", run.log);
        let words = [
            "rebalancer.universe: it is damaged",
            "it is not known which coins the list has bought",
            "Move the file away",
        ];
        for word in words {
            assert!(run.log.contains(word), "{what} {args:?}: {}", run.log);
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{what}: the file was touched");
    };
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 7);
        refused(&bytes, &["once"], &format!("byte {at} changed"));
        if at % 3 == 0 {
            refused(&good[..at], &["once"], &format!("cut after {at} bytes"));
        }
    }
    let text = String::from_utf8(good.clone()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for gone in 0..lines.len() {
        let less: String = lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| *line).collect();
        refused(less.as_bytes(), &["once"], &format!("without line {gone}"));
    }
    let twice = [good.clone(), good.clone()].concat();
    let longer = [good.clone(), vec![b' '; 200_000]].concat();
    let others: [(&str, &[u8]); 4] =
        [("twice", &twice), ("too long", &longer), ("no text", &[0xff; 40]), ("empty", b"")];
    for (what, bytes) in others {
        for args in
            [&["once"][..], &["plan"], &["status"], &["universe"], &["universe", "--accept"], &["plan", "--json"]]
        {
            refused(bytes, args, what);
        }
    }
    assert_eq!((follower.exchange.world().requests.len(), follower.source.count()), (requests, asked));
    let run = follower.owner.run(&["check"]);
    assert!(run.code == 1 && run.out.contains("BAD"), "{}\n{}", run.out, run.log);
    assert_eq!(follower.orders(), 3);
    // The paper account has a file of its own.
    let run = follower.owner.run(&["plan", "--paper"]);
    assert_eq!(run.code, 0, "{}", run.log);
    std::fs::write(&path, &good).unwrap();
    follower.good();
    assert_eq!(follower.members(), "UNI AAVE LDO");
}

#[test]
fn a_list_that_was_moved_away_begins_anew_and_sells_nothing_that_is_not_on_it() {
    let follower = about_to_change();
    std::fs::remove_file(follower.owner.home.join("rebalancer.universe")).unwrap();
    let held = follower.held("LINK");
    follower.good();
    assert_eq!((follower.members().as_str(), follower.held("LINK")), ("UNI AAVE LDO", held));
}

#[test]
fn a_file_of_the_list_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let follower = about_to_change();
    let mode = std::fs::metadata(follower.owner.home.join("rebalancer.universe")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn only_one_cycle_or_acceptance_at_a_time() {
    let follower = about_to_change();
    let lock = std::fs::File::create(follower.owner.home.join("cycle.lock")).unwrap();
    lock.lock().unwrap();
    let state = follower.state();
    for args in [&["once"][..], &["universe", "--accept"]] {
        let run = follower.owner.run(args);
        assert_eq!(run.code, 1, "{args:?}: {}", run.log);
        assert!(run.log.contains("another cycle is running"), "{args:?}: {}", run.log);
    }
    // To look is allowed.
    for args in ["universe", "plan", "status"] {
        assert_eq!(follower.owner.run(&[args]).code, 0, "{args}");
    }
    assert_eq!(follower.state(), state);
}
