//! What is linked into the program may be passed on, and comes from one place: the lists of `.deny.toml`, checked without its tool, which
//! takes minutes to compile. Known faults are for the tool: they are news, and news needs a network.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::process::Command;

/// The licences that `.deny.toml` allows.
fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.deny.toml")).unwrap();
    let list = text.split("\nallow = [").nth(1).unwrap().split("\n]").next().unwrap();
    list.lines().filter_map(|line| Some(line.trim().strip_prefix('"')?.split('"').next()?.to_string())).collect()
}

/// Whether a licence expression (SPDX) can be met by the allowed ones alone.
fn may_be_passed_on(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let good = either(&words, &mut at, allowed);
    good && at == words.len()
}

/// What stands between brackets: parts of which one is enough.
fn either(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut good = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        good |= all(words, at, allowed);
    }
    good
}

/// Parts that must all be met.
fn all(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut good = true;
    loop {
        let word = words.get(*at).copied().unwrap_or("");
        *at += 1;
        if word == "(" {
            good &= either(words, at, allowed);
            // The closing bracket.
            *at += 1;
        } else {
            good &= allowed.contains(word);
        }
        if words.get(*at) != Some(&"AND") {
            return good;
        }
        *at += 1;
    }
}

/// What Cargo says about the crates for a target, those of tests and of other targets left out.
fn linked(target: &str) -> Vec<Json> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--locked", "--all-features", "--filter-platform", target]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Json = serde_json::from_slice(&output.stdout).unwrap();
    let nodes = json["resolve"]["nodes"].as_array().unwrap();
    let mut found = vec![json["resolve"]["root"].as_str().unwrap()];
    let mut at = 0;
    while let Some(id) = found.get(at) {
        at += 1;
        let node = nodes.iter().find(|node| node["id"] == *id).unwrap();
        for dependency in node["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            let id = dependency["pkg"].as_str().unwrap();
            if kinds.iter().any(|kind| kind["kind"] != "dev") && !found.contains(&id) {
                found.push(id);
            }
        }
    }
    let packages = json["packages"].as_array().unwrap();
    packages.iter().filter(|package| found.contains(&package["id"].as_str().unwrap())).cloned().collect()
}

#[test]
fn a_licence_expression_is_met_or_not() {
    let allowed = allowed();
    assert!(allowed.contains("MIT") && allowed.len() < 10, "{allowed:?}");
    for good in ["MIT", "MIT OR GPL-3.0-only", "MIT/Apache-2.0", "(GPL-3.0-only OR MIT) AND ISC", "ISC AND (MIT OR X)"]
    {
        assert!(may_be_passed_on(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "ISC AND (X OR Y)",
        "MIT)",
        "MIT WITH X",
        "LGPL-2.1 OR (X AND MIT)",
    ] {
        assert!(!may_be_passed_on(bad, &allowed), "{bad}");
    }
}

#[test]
fn what_is_linked_may_be_passed_on_and_comes_from_one_place() {
    let allowed = allowed();
    for target in ["arm-unknown-linux-musleabihf", "x86_64-unknown-linux-musl"] {
        let (mut sources, mut names) = (BTreeSet::new(), BTreeSet::new());
        let linked = linked(target);
        assert!(linked.len() > 20, "{} crates", linked.len());
        for package in &linked {
            let name = package["name"].as_str().unwrap();
            let licence = package["license"].as_str().unwrap_or("");
            assert!(may_be_passed_on(licence, &allowed), "{name} is under {licence}");
            assert!(names.insert(name), "{name} is linked in two versions");
            // Only the program itself has none.
            let source = package["source"].as_str();
            assert_eq!(source.is_none(), name == "rebalancer", "{name} is no crate of a registry");
            sources.extend(source.map(str::to_string));
        }
        assert!(sources.len() == 1 && sources.iter().all(|source| source.starts_with("registry+")), "{sources:?}");
    }
}
