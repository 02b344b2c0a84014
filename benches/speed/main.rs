//! How long each piece of the work on a message takes (`cargo bench`), and how many instructions (`make bench-check`, which has one
//! piece run at a time under callgrind).

mod work;

use criterion::Criterion;
use std::process::ExitCode;
use work::{PIECES, Piece};

/// Runs of a piece whose instructions are counted, after as many that warm its caches up.
const RUNS: u32 = 100;

fn main() -> ExitCode {
    if let Ok(name) = std::env::var("NATTER_BENCH_PIECE") {
        return count(&name);
    }
    time();
    ExitCode::SUCCESS
}

fn time() {
    let mut criterion = Criterion::default().configure_from_args();
    for Piece { name, prepare } in PIECES {
        let mut work = prepare();
        criterion.bench_function(name, |bencher| bencher.iter(&mut work));
    }
    criterion.final_summary();
}

/// Runs the piece of this name; without a name, tells which there are.
fn count(name: &str) -> ExitCode {
    let Some(Piece { prepare, .. }) = PIECES.iter().find(|piece| piece.name == name) else {
        for Piece { name, .. } in PIECES {
            eprintln!("{name}");
        }
        return ExitCode::FAILURE;
    };
    let mut work = prepare();
    (0..RUNS).for_each(|_| work());
    counted_by_callgrind(&mut *work);
    ExitCode::SUCCESS
}

/// What callgrind is told to count, by its name.
#[inline(never)]
fn counted_by_callgrind(work: &mut dyn FnMut()) {
    (0..RUNS).for_each(|_| work());
}
