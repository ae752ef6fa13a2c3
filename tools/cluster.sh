#!/usr/bin/env bash
# Starts a real Kubernetes on free loopback ports, with GPU nodes that kwok plays and a little work,
# and keeps it until Ctrl-C. `--build` only builds it and prints where the program is: the first
# time compiles Kubernetes (some seven minutes on two cores), later ones take seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../tests/cluster"

version=$(sed -n 's/^\tk8s.io\/kubernetes v\(.*\)$/\1/p' go.mod)
program=${XDG_CACHE_HOME:-$HOME/.cache}/farthing/cluster-$version

if ! command -v go >/dev/null; then
    echo 'missing: Go 1.26 or newer, which compiles the cluster' >&2
    exit 3
fi
flags="-s -w -X k8s.io/component-base/version.gitVersion=v$version"
flags="$flags -X k8s.io/component-base/version.gitMajor=${version%%.*}"
minor=${version#*.}
flags="$flags -X k8s.io/component-base/version.gitMinor=${minor%%.*}"
mkdir -p "$(dirname "$program")"
if [ ! -x "$program" ]; then echo 'compiling a Kubernetes: minutes, the first time' >&2; fi
# Renamed into place, so that a cluster that runs keeps its own file.
go build -trimpath -ldflags "$flags" -o "$program.new" .
mv "$program.new" "$program"
if [ "${1:-}" = --build ]; then
    echo "$program"
    exit 0
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/farthing-cluster-XXXXXX")
printf '%s\n' "starting; when it is ready, in another shell:" \
    "  export KUBECONFIG=$folder/admin.kubeconfig" \
    "  $folder/bin/kubectl get nodes,pods -A" \
    "Ctrl-C ends it and removes $folder" >&2
"$program" up --dir "$folder" --apply demo/nodes.yaml --apply demo/work.yaml >"$folder/ready" &
cluster=$!
# However this script ends, the cluster ends first and its folder is removed.
trap 'kill "$cluster" 2>/dev/null; wait "$cluster" || true; rm -rf "$folder"' EXIT
trap 'exit 0' INT TERM
while [ ! -s "$folder/ready" ]; do
    kill -0 "$cluster" 2>/dev/null || exit 1
    sleep 0.2
done
echo 'ready' >&2
wait "$cluster"
