#!/usr/bin/env bash
# Builds the release binary and leaves it at dist/farthing, which is touched only when it changed.
# FEATURES=sql adds `farthing sql`, and some minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Cargo knows best where it builds: CARGO_TARGET_DIR, a configuration file, or target/.
target=$(cargo metadata --format-version 1 --no-deps --locked |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')

if [ ! -d "$target/release/deps" ]; then
    echo 'first build: everything from source, some ten minutes on two cores' >&2
fi
tools/web.sh
cargo build --release --locked -p farthing --features "${FEATURES:-}"

mkdir -p dist
if ! cmp -s "$target/release/farthing" dist/farthing; then
    # Renamed into place, so that a farthing that runs keeps its own file.
    cp "$target/release/farthing" dist/farthing.new
    mv dist/farthing.new dist/farthing
fi
