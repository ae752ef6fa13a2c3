# The ways to build, run and check Farthing; `make help` lists them.
# CARGO_TARGET_DIR is honoured. Nothing is fetched but from cargo's registry and Debian's packages.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build run cluster run-cluster test soak bench generate clean
# A toolchain that rustup installed is found also in a shell that was opened before that.
export PATH := $(PATH):$(HOME)/.cargo/bin

# What `make run` starts.
ARGS ?= up --demo
# How long `make soak` runs (until it is stopped where empty), and one case that it replays.
SECONDS ?=
CASE ?=
# Where the source data of the generated files lies (prices, traces).
SHARED ?= ../shared

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

build: ## dist/farthing, the release binary; installs the system packages that it needs
	@tools/prepare.sh
	@tools/build.sh

run: build ## builds, then starts the demo (or: make run ARGS='plan -f examples/...')
	@dist/farthing $(ARGS)

cluster: ## a real Kubernetes on loopback with GPU nodes, until Ctrl-C (needs Go)
	@tools/cluster.sh

run-cluster: ## a day of work on such a cluster, then `farthing up` on it (UP=1h; needs Go)
	@tools/prepare.sh
	@tools/cluster.sh --build >/dev/null
	@cargo build --release --quiet --locked -p farthing --features "$(FEATURES)" --bin farthing
	@cargo run --release --quiet --locked -p farthing --features "$(FEATURES)" --example day $(UP)

test: ## everything: format, lints, tests, generated files; ends with `N passed, N failed`
	@tools/test.sh

soak: ## the engine through storms of faults until Ctrl-C; SECONDS=120, or CASE='17,jobs=2' replays
	@tools/soak.sh '$(SECONDS)' '$(CASE)'

bench: ## measures against limits and peers; a table, and bench/results.json
	@tools/prepare.sh
	@cargo run --release --quiet --locked -p xtask -- bench

generate: ## makes again what a program makes: price book, trace excerpts, references
	@tools/prepare.sh
	@cargo run --release --quiet --locked -p xtask -- references
	@if [ -d '$(SHARED)/data' ]; then \
		cargo run --release --quiet --locked -p xtask -- all --shared '$(SHARED)'; \
	else \
		echo 'data/ stays as it is: $(SHARED)/data is not here (set SHARED)'; \
	fi

clean: ## removes dist/ and cargo's build folder (books that runs keep stay)
	@rm -rf dist
	@cargo clean
