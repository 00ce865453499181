//! Everything that reads what others wrote, against every cut and many changes of every recorded shape.
//!
//! The real adapter, config, paper account, journal and trading rules read from a machine in memory (tests/untrusted). What must hold:
//! it ends, it does not panic, it is an error or what serde_json reads in the same bytes, it holds no more than its limit.
//! The same holds under coverage-guided fuzzing: tests/fuzz/run.sh.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::float_arithmetic, missing_docs)]

#[path = "untrusted/mod.rs"]
mod untrusted;

use std::path::Path;

#[test]
fn the_fuzzing_begins_with_the_shapes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    let write = std::env::var_os("REBALANCER_WRITE_SEEDS").is_some();
    for (target, name, bytes) in untrusted::seeds::all() {
        let path = folder.join(target).join(&name);
        if write {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let said = "REBALANCER_WRITE_SEEDS=1 cargo test --test readers fuzzing writes them anew";
        assert!(std::fs::read(&path).is_ok_and(|there| there == bytes), "{} is another: {said}", path.display());
    }
}
