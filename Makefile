.PHONY: run test test-s3 soak fuzz lint

# The service on ws://127.0.0.1:3001/ws-online-status, built for speed, with SQLite in data/.
run:
	cargo run --release

# Everything the tests need is set up by scripts/setup; ARGS go to the test runner: make test ARGS='seed_client'.
test:
	scripts/test $(ARGS)

# Uploads with an S3-compatible service, which it starts: in a build with the feature s3.
test-s3:
	scripts/test-s3 $(ARGS)

# The long runs of the same tests, optimised: some five hours, of which the soaks take four. Shorter: NATTER_TEST_SOAK_SECONDS=600.
soak:
	scripts/soak

lint:
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --test it architecture

# Each fuzz target for 30 seconds; needs a nightly toolchain and cargo-fuzz: make fuzz ARGS='600 decoder'.
fuzz:
	scripts/fuzz $(ARGS)
