//! What the README shows is what works: its configs are read, its list and its scraper make a list that is followed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss, missing_docs)]

mod common;

use common::{Dir, run};
use rebalancer::amount::Percent;
use rebalancer::config::{self, Config};
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../README.md");

/// The indented blocks of a section, without their indent.
fn blocks(section: &str) -> Vec<String> {
    let start = README.find(&format!("\n{section}\n")).unwrap() + section.len() + 2;
    let level = section.split(' ').next().unwrap();
    let rest = &README[start..];
    let end = rest.find(&format!("\n{level} ")).unwrap_or(rest.len());
    let mut blocks: Vec<String> = Vec::new();
    let mut inside = false;
    for line in rest[..end].lines() {
        match line.strip_prefix("    ") {
            Some(text) if inside => blocks.last_mut().unwrap().push_str(&format!("{text}\n")),
            Some(text) => blocks.push(format!("{text}\n")),
            None => {}
        }
        inside = line.starts_with("    ");
    }
    blocks
}

fn read(text: &str) -> Config {
    config::parse(text, Path::new(".")).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn percent(text: &str) -> Percent {
    Percent::parse(text).unwrap()
}

#[test]
fn the_configs_are_read_and_mean_what_is_said_of_them() {
    let section = blocks("## A list of coins");
    let configs: Vec<Config> = section.iter().filter(|text| text.starts_with('{')).map(|text| read(text)).collect();
    assert_eq!(configs.len(), 4, "two coins, the market, DeFi beside a core, and a list of one's own");
    let [two, market, defi, own] = &configs[..] else { unreachable!() };
    assert!(two.universe.is_none() && two.allocation.len() == 2);
    let market = market.universe.as_ref().unwrap();
    assert_eq!((market.rules.top, market.max_weight, market.share), (10, percent("30"), Percent::HUNDRED));
    assert!(market.weighting == Some(config::universe::Weighting::Root));
    let fixed: Vec<(&str, Percent)> = defi.allocation.iter().map(|(coin, part)| (coin.as_str(), *part)).collect();
    assert_eq!(fixed, [("BTC", percent("25")), ("ETH", percent("15"))]);
    let list = defi.universe.as_ref().unwrap();
    assert_eq!((list.rules.top, list.rules.leave_rank, list.share), (10, 13, percent("60")));
    assert_eq!(list.rules.leave_after_ms, 7 * 24 * 3600 * 1000);
    assert_eq!(own.universe.as_ref().unwrap().max_age_ms, Some(3 * 24 * 3600 * 1000));
    // The full form of the config section as well.
    assert!(blocks("## Config").iter().any(|text| text.starts_with('{') && read(text).allocation.len() == 3));
}

#[test]
fn the_list_is_followed() {
    let list = blocks("### A list of your own").into_iter().find(|text| text.starts_with("# my ten")).unwrap();
    let dir = Dir::with(r#"{"universe": {"source": "list", "list": "coins.txt", "top": 3}}"#);
    dir.write("coins.txt", list);
    let plan = run(&dir, &["plan", "--paper", "--json"]).good().json();
    let targets: Vec<(&str, &str)> = plan["coins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|coin| (coin["coin"].as_str().unwrap(), coin["target"].as_str().unwrap()))
        .collect();
    // 40, 30 and 10 of 80.
    let expected = [("BTC", "50.000000"), ("ETH", "37.500000"), ("SOL", "12.500000"), ("USDT", "0.000000")];
    assert_eq!(targets, expected);
}

#[test]
fn the_scraper_makes_a_list_and_leaves_the_old_one_when_the_page_is_short() {
    let script = blocks("### A list of your own").into_iter().find(|text| text.starts_with("#!/bin/sh")).unwrap();
    let script = script.replace("curl -fsS https://example.org/top-defi", "cat page.html");
    assert!(script.contains("cat page.html") && script.lines().count() <= 10, "{script}");
    let dir = Dir::with(r#"{"universe": {"source": "list", "list": "coins.txt", "top": 10, "max_age": "3d"}}"#);
    std::fs::create_dir(dir.file("rebalancer")).unwrap();
    let names = "BTC ETH SOL XRP ADA DOGE DOT LINK LTC CRO UNI AAVE AAA BBB CCC DDD";
    let scrape = |count: usize| {
        let row =
            |name: &str| format!("<tr><td>1</td><td><a class=\"x\" href=\"/coins/{name}-coin\">{name}</a></td></tr>");
        let page: Vec<String> = names.split(' ').take(count).map(row).collect();
        dir.write("rebalancer/page.html", page.join("\n"));
        let status = Command::new("sh").args(["-c", &script]).env("HOME", dir.path()).status().unwrap();
        (status.success(), dir.read("rebalancer/coins.txt"))
    };
    let (done, list) = scrape(16);
    assert!(done);
    assert_eq!(list.split_whitespace().collect::<Vec<_>>().join(" "), names);
    assert_eq!(scrape(9), (false, list.clone()));
    dir.write("coins.txt", list);
    let shown = run(&dir, &["universe", "--paper", "--json"]).good().json();
    let members = shown["coins"].as_array().unwrap().iter().filter(|coin| coin["state"] == "enters").count();
    assert_eq!(members, 10);
}
