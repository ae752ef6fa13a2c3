#!/usr/bin/env bash
# `make soak`: builds the example `soak` of farthing-sim with what the tests are built with, so that
# nothing is compiled twice, and runs it. $1: seconds, or nothing; $2: a case to replay, or nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-} case=${2:-}
tools/prepare.sh
tools/web.sh
cargo build --release --quiet --locked --workspace --features farthing/sql,farthing/cloud \
    --example soak
target=$(cargo metadata --format-version 1 --no-deps --locked |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
if [ -n "$case" ]; then
    exec "$target/release/examples/soak" "$case"
elif [ -n "$seconds" ]; then
    exec "$target/release/examples/soak" --seconds "$seconds"
fi
exec "$target/release/examples/soak"
