#!/usr/bin/env bash
# Builds the dashboard and lays it where the server crate takes it from. Does nothing where it is
# newer than its sources. Without Node the program is built with its plain page only, and says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
into=crates/farthing-server/dashboard

# The dashboard needs Node 20.19 or newer: what Vite needs.
node_is_there() {
    command -v npm >/dev/null && command -v node >/dev/null &&
        node -e 'const [a, b] = process.versions.node.split(".").map(Number);
                 process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

sources() {
    find web/src web/public web/build web/index.html web/package.json web/package-lock.json \
        web/tsconfig.json web/vite.config.ts -type f
}

# What was built is of these sources: their names and contents say so, as a clone has no times.
state() {
    sources | sort | xargs sha256sum | sha256sum | cut -d ' ' -f 1
}

wanted=$(state)
if [ -f "$into/.state" ] && [ "$(cat "$into/.state")" = "$wanted" ]; then exit 0; fi
if ! node_is_there; then
    echo 'missing: Node 20.19 or newer with npm; the program gets its plain page, no dashboard' >&2
    exit 0
fi
(cd web && npm ci --no-audit --no-fund --silent && npm run --silent build)
find "$into" -mindepth 1 ! -name README.md ! -name .gitignore -delete
cp -R web/dist/. "$into/"
echo "$wanted" >"$into/.state"
