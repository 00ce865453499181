//! Any text: the grammar, a walk and a skip end alike, and what is accepted is read as serde_json reads it.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use rebalancer::json::{Reader, Row, validate};
use untrusted::{oracle, walk};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let accepted = validate(text);
    if let Err(error) = &accepted {
        assert!((1..=1 + text.matches('\n').count()).contains(&error.line), "line {}", error.line);
    }
    let accepted = accepted.is_ok();
    assert_eq!(accepted, Reader::new(text).and_then(|mut reader| reader.skip()).is_ok());
    let ours = walk::walk(text);
    assert_eq!(accepted, ours.is_ok());
    let theirs = serde_json::from_str::<serde_json::Value>(text);
    if let Ok(ours) = &ours {
        match theirs {
            Ok(theirs) => assert_eq!(*ours, theirs),
            Err(error) => assert!(error.to_string().contains("number out of range"), "{error}"),
        }
    }
    if let (Ok(row), Ok(serde_json::Value::Object(members))) = (Row::read(text), &ours) {
        for (key, value) in members {
            match value {
                serde_json::Value::String(text) => assert_eq!(row.get(key), Some(text.as_str())),
                serde_json::Value::Bool(truth) => assert_eq!(row.get(key), Some(if *truth { "true" } else { "false" })),
                serde_json::Value::Number(_) => assert!(row.get(key).is_some()),
                // A repeated key may have been a text before, and serde_json cannot hold 1e5001.
                _ => assert!(row.get(key).is_none_or(|number| number.contains(['e', 'E'])) || oracle::repeats(text)),
            }
        }
    }
});
