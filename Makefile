# The commands of the README. Each installs what it needs first.

CARGO ?= cargo

.PHONY: demo test unit integration bench setup setup-bench

## Shards with replicas, a sample database and the proxy, on this machine. Ctrl-C stops it.
demo: setup
	$(CARGO) build --release
	./target/release/trunkline demo $(DEMO)

## Everything, on real PostgreSQL clusters.
test: setup unit integration

# With the features of the integration tests, so that both share one build.
unit:
	$(CARGO) test --package trunkline --features internals

# The tests run the binary that is built here. Test binaries run one after the other, because each
# starts several PostgreSQL servers. What passes is shown too: seeds, and shares of answers.
integration:
	$(CARGO) build --package trunkline --bin trunkline --features internals
	$(CARGO) test --package integration-tests -- --show-output

## What a statement costs, beside direct PostgreSQL, PgBouncer and a byte copy: about twenty minutes.
## BENCH="--only point-simple" is less of it, BENCH=--help says what there is. TRUNKLINE_BIN is another build.
TRUNKLINE_BIN ?= $(CURDIR)/target/dist/trunkline
bench: setup-bench
	$(CARGO) build --profile dist --package trunkline --bin trunkline
	TRUNKLINE_BIN=$(TRUNKLINE_BIN) $(CARGO) run --release --package integration-tests --bin bench -- $(BENCH)

setup:
	./scripts/setup.sh

setup-bench:
	./scripts/setup.sh bench
