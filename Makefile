.PHONY: run test test-s3 soak fuzz lint audit bench bench-postgres bench-breadth bench-check

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
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --offline check licenses bans sources; \
	else echo 'cargo-deny is not installed: licences and sources of dependencies are not checked (cargo install cargo-deny)'; fi

# The same with the list of known holes (rustsec.org), which is fetched; needs cargo-deny.
audit:
	cargo deny check

# Each fuzz target for 30 seconds; needs a nightly toolchain and cargo-fuzz: make fuzz ARGS='600 decoder'.
fuzz:
	scripts/fuzz $(ARGS)

# Natter beside the servers that one would take instead: docs/performance.md. make bench ARGS='--runs 1 --scenarios S1,S2'.
bench:
	bench/run.py $(ARGS)

# Natter on PostgreSQL beside what one connection can store at all: two minutes.
bench-postgres:
	bench/postgres.py $(ARGS)

# What a message to 10 costs with 10,000 sessions open, beside 1,000: three minutes.
bench-breadth:
	bench/breadth.py $(ARGS)

# Instructions that each piece of work on a message takes, against benches/instructions.json: make bench-check ARGS=--accept.
bench-check:
	scripts/bench-check $(ARGS)
