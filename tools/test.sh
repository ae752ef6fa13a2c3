#!/usr/bin/env bash
# Everything that `make test` checks: format, lints, all tests, generated files. Runs all of it even
# when a part fails, and ends with one line, `N passed, N failed`: the tests, and each other check
# that failed counted as one. Status 0 only when nothing failed.
#
# What cannot be checked on this machine is named in a line of its own; under CI=true that is a
# failure, so that nothing is left out unseen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

checks_failed=0
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

step() {
    printf '\n== %s\n' "$1"
}

failed() {
    printf 'FAILED: %s\n' "$1"
    checks_failed=$((checks_failed + 1))
}

left_out() {
    if [ "${CI:-}" = true ]; then failed "$1"; else printf 'left out: %s\n' "$1"; fi
}

format() {
    step 'format'
    if ! cargo fmt --version >/dev/null 2>&1; then
        left_out 'rustfmt is not installed (rustup component add rustfmt)'
    elif ! cargo fmt --all --check; then
        failed 'format: run `cargo fmt --all`'
    fi
}

lints() {
    step 'lints'
    if ! cargo clippy --version >/dev/null 2>&1; then
        left_out 'clippy is not installed (rustup component add clippy)'
    elif ! cargo clippy --release --workspace --features "$features" --all-targets \
        --locked -- -D warnings; then
        failed 'lints'
    fi
}

# What `make run` builds has fewer features than what is tested, and a feature of a dependency that
# only the others switch on is missed by it alone.
as_run() {
    step 'as `make run` builds it'
    if ! cargo check --release --locked -p farthing; then
        failed 'the program without features does not compile, and so `make run` fails'
    fi
}

# Shows one line for each test binary, and failures whole; the totals go to the file `$1`.
digest() {
    local line name='' failing=false passed=0 failed=0 ignored=0
    local result='^test result: .* ([0-9]+) passed; ([0-9]+) failed; ([0-9]+) ignored'
    while IFS= read -r line; do
        if [[ $line =~ ^\ +Running\ (unittests\ )?(.*)\ \((.*)-[0-9a-f]+\)$ ]]; then
            name="${BASH_REMATCH[3]##*/} ${BASH_REMATCH[2]}"
        elif [[ $line =~ ^\ +Doc-tests\ (.*)$ ]]; then
            name="${BASH_REMATCH[1]} examples in the documentation"
        elif [[ $line =~ $result ]]; then
            failing=false
            passed=$((passed + BASH_REMATCH[1]))
            failed=$((failed + BASH_REMATCH[2]))
            ignored=$((ignored + BASH_REMATCH[3]))
            if [ $((BASH_REMATCH[1] + BASH_REMATCH[2])) -gt 0 ]; then
                printf '%6d passed %4d failed  %s\n' \
                    "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "$name"
            fi
        elif [ "$line" = failures: ]; then
            failing=true
        fi
        if $failing || [[ $line == error* ]]; then printf '%s\n' "$line"; fi
    done
    echo "$passed $failed $ignored" >"$1"
}

tests() {
    step 'tests'
    echo '0 0 0' >"$log/totals"
    if ! cargo test --release --workspace --features "$features" --locked --no-run; then
        failed 'the tests do not compile'
        return 0
    fi
    local status=0
    CARGO_TERM_COLOR=never cargo test --release --workspace --features "$features" \
        --locked --no-fail-fast 2>&1 |
        tee "$log/tests" | digest "$log/totals" || status=$?
    local passed failing ignored
    read -r passed failing ignored <"$log/totals"
    if [ "$status" != 0 ] && [ "$failing" = 0 ]; then
        tail -n 40 "$log/tests"
        failed 'a test binary ended without a result'
    fi
    if [ "$ignored" != 0 ]; then echo "$ignored tests are marked as ignored"; fi
}

# References that the program itself prints are as committed. Whether data/ is what its sources
# make is a test of xtask, which runs where ../shared is.
references() {
    step 'generated references'
    if ! cargo run --release --quiet --locked -p xtask -- references --check; then
        failed 'docs/reference is not what the program prints: run `make generate`'
    fi
    if [ ! -d ../shared/data ]; then
        echo 'left out: data/ cannot be compared with its sources, ../shared/data is not here'
    fi
}

# What the official validator says of an export in FOCUS form.
focus() {
    step 'FOCUS'
    local status=0
    tools/focus.sh "$FARTHING_PROGRAM" >"$log/focus" 2>&1 || status=$?
    case $status in
        0) tail -n 2 "$log/focus" ;;
        3) left_out "$(tail -n 1 "$log/focus")" ;;
        *)
            tail -n 40 "$log/focus"
            failed 'the FOCUS validator finds faults in an export'
            ;;
    esac
}

# Types, lints and every page of the dashboard, in a real browser and on a demo of this program.
dashboard() {
    step 'dashboard'
    if ! command -v npm >/dev/null; then
        left_out 'the dashboard is not tested: Node 20.19 or newer with npm is missing'
        return 0
    elif [ ! -x "${CHROMIUM:-/usr/bin/chromium}" ]; then
        left_out 'the dashboard is not tested: there is no Chromium (CHROMIUM=PATH names another)'
        return 0
    fi
    local status=0 line
    (
        cd web
        if [ ! -d node_modules ]; then npm ci --no-audit --no-fund --silent; fi
        npm run --silent check && npm run --silent build && npm test
    ) >"$log/dashboard" 2>&1 || status=$?
    line=$(grep -E '^ +[0-9]+ passed' "$log/dashboard" | tail -n 1)
    if [ "$status" != 0 ]; then
        tail -n 80 "$log/dashboard"
        failed 'the dashboard'
    fi
    # Each test of it counts as one.
    if [[ $line =~ ([0-9]+)\ passed ]]; then
        local passed failing ignored
        read -r passed failing ignored <"$log/totals"
        echo "$((passed + BASH_REMATCH[1])) $failing $ignored" >"$log/totals"
        printf '%6d passed            dashboard\n' "${BASH_REMATCH[1]}"
    fi
}

# A Kubernetes for the tests that need one: minutes the first time, seconds afterwards.
kubernetes() {
    local status=0
    tools/cluster.sh --build >"$log/cluster" 2>&1 || status=$?
    if [ "$status" = 3 ]; then
        left_out "tests with a real Kubernetes: $(tail -n 1 "$log/cluster")"
    elif [ "$status" != 0 ]; then
        tail -n 20 "$log/cluster"
        left_out 'tests with a real Kubernetes: it does not compile'
    # Go keeps what it tested, as long as neither the source nor what it was told changes.
    elif ! (cd tests/cluster && go test -trimpath -vet=off ./...) >"$log/cluster" 2>&1; then
        tail -n 40 "$log/cluster"
        failed 'the cluster that tests start'
    fi
}

tools/prepare.sh --tests
tools/web.sh
kubernetes
# The program is tested with all that it can have, and what looks at it afterwards takes it from
# where the tests left it.
export FEATURES=sql,cloud
features=farthing/${FEATURES//,/,farthing/}
target=$(cargo metadata --format-version 1 --no-deps --locked |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
export FARTHING_PROGRAM=$target/release/farthing
format
lints
as_run
tests
references
focus
dashboard
read -r passed failing _ <"$log/totals"
failing=$((failing + checks_failed))
printf '\n%d passed, %d failed\n' "$passed" "$failing"
[ "$failing" = 0 ]
