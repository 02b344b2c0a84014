//! The whole product against a model of it: random sessions post, repeat, edit, delete, leave, vanish and come back, the server is
//! killed now and then, and in the end each client, the server and the model have the same conversations.

mod case;
mod command;
mod participant;
mod state;
mod step;
mod world;

use crate::harness::Backend;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestError, TestRunner};
use rstest::rstest;
use std::cell::RefCell;
use tokio::runtime::Runtime;
use world::World;

/// Steps of a case at most.
const STEPS: usize = 30;

/// Cases that share a server: its whole log is read when they are through.
const CASES_OF_A_WORLD: i64 = 100;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// `NATTER_TEST_MODEL_CASES` is how many cases on each database; `NATTER_TEST_SEED`, as it is printed, makes the same ones again. What
/// failed once is
/// kept beside this file, shrunk, and is tried first from then on.
#[rstest]
fn every_client_has_what_the_server_has_and_both_what_the_model_has(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let cases = variable("NATTER_TEST_MODEL_CASES").map_or(100, |cases| u32::try_from(cases).expect("not so many cases"));
    let seed = variable("NATTER_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("NATTER_TEST_SEED={seed}");
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/it/model/regressions.txt"))),
        max_shrink_iters: 400,
        ..Config::default()
    };
    let runtime = Runtime::new().expect("a runtime");
    let world = RefCell::new(None);
    let result = TestRunner::new(config).run(&step::steps(STEPS), |steps| {
        runtime.block_on(async {
            // Where a case fails, its world is lost with it, and the next one begins in a new one.
            let kept = world.borrow_mut().take();
            let mut current = match kept {
                Some(kept) => kept,
                None => World::new(backend).await,
            };
            case::run(&mut current, &steps).await;
            if current.cases == CASES_OF_A_WORLD {
                current.check().await;
            } else {
                world.replace(Some(current));
            }
        });
        Ok(())
    });
    if let Err(TestError::Fail(reason, steps)) = &result {
        panic!("NATTER_TEST_SEED={seed}\n{reason}\nafter these steps:\n{steps:#?}");
    }
    result.expect("no case was given up");
    if let Some(world) = world.into_inner() {
        runtime.block_on(world.check());
    }
}
