//! The kept corpus of each fuzz target, run through the same functions as `make fuzz`, by the compiler that builds the product.

use std::{
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

#[expect(unreachable_pub, reason = "in the fuzz crate, each target is a binary that uses them")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn nothing_in_the_kept_corpus_is_a_surprise() {
    for (target, run) in targets::TARGETS {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{target} has no corpus");
        for path in inputs {
            let input = fs::read(&path).expect("an input");
            assert!(catch_unwind(|| run(&input)).is_ok(), "{}", path.display());
        }
    }
}

#[test]
fn every_target_is_a_binary_of_the_fuzz_crate() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml")).expect("a manifest");
    let binaries: Vec<&str> =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\"")).collect();
    assert_eq!(binaries, targets::TARGETS.map(|(name, _)| name));
}
