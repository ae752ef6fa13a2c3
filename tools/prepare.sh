#!/usr/bin/env bash
# Makes sure that everything a build needs is on this machine: a Rust toolchain, a C++ compiler,
# cmake and libclang (HiGHS is compiled from source and its binding is generated from its headers).
# Installs what is missing with apt-get, directly as root or through sudo; where neither can be
# had it names the packages in one line and ends with status 1. Silent when nothing is missing.
#
# `tools/prepare.sh --dry-run` only prints the command that it would run. With `--tests` it also
# installs what tests start (a Prometheus and a PostgreSQL, which are not started as services, a
# Chromium, Podman with runc and a static busybox, servers of the APIs of S3 and of Azure, and
# schemathesis); where that cannot be had, those tests say that they were left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

dry_run=false
tests=false
for option in "$@"; do
    case $option in
    --dry-run) dry_run=true ;;
    --tests) tests=true ;;
    esac
done

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The oldest toolchain that the workspace states.
rust_min() {
    sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml
}

# Whether the first version is at least the second.
at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

check_rust() {
    local min found
    min=$(rust_min)
    if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
        fail "missing: a Rust toolchain, $min or newer (rustup installs one), then run make again"
    fi
    found=$(rustc --version | cut -d ' ' -f 2 | cut -d - -f 1)
    at_least "$found" "$min" ||
        fail "rustc $found is too old: $min or newer is needed (rustup update), then run make again"
}

# Whether a file matches one of the patterns.
any_file() {
    compgen -G "$1" >/dev/null
}

# libclang itself, in the places where its Rust binding looks for it.
has_libclang() {
    if [ -n "${LIBCLANG_PATH:-}" ]; then return 0; fi
    local dir
    for dir in /usr/lib /usr/lib64 '/usr/lib/llvm*/lib' '/usr/lib/*-linux-*' \
        /usr/local/lib '/usr/local/llvm*/lib'; do
        if any_file "$dir/libclang.so*" || any_file "$dir/libclang-[0-9]*.so*"; then return 0; fi
    done
    return 1
}

# The compiler's own headers (stddef.h), without which libclang cannot read the C API of HiGHS.
has_clang_headers() {
    command -v clang >/dev/null || any_file '/usr/lib*/llvm*/lib/clang/*/include/stddef.h' ||
        any_file '/usr/lib*/clang/*/include/stddef.h'
}

missing_packages() {
    local packages=()
    { command -v cc && command -v c++; } >/dev/null || packages+=(g++)
    command -v make >/dev/null || packages+=(make)
    command -v cmake >/dev/null || packages+=(cmake)
    { has_libclang && has_clang_headers; } || packages+=(clang)
    echo "${packages[*]}"
}

# How apt-get can be run here: nothing as root, `sudo` otherwise, status 1 where it cannot.
privilege() {
    if [ "$(id -u)" = 0 ]; then return 0; fi
    command -v sudo >/dev/null || return 1
    # Without a terminal sudo must not ask for a password: it would wait for ever.
    if [ -t 0 ] || sudo -n true 2>/dev/null; then
        echo sudo
    else
        return 1
    fi
}

install_packages() {
    local packages=$1 sudo
    command -v apt-get >/dev/null ||
        fail "missing: $packages (names of Debian packages); install them, then run make again"
    sudo=$(privilege) ||
        fail "missing: $packages; as root run 'apt-get install $packages', then run make again"
    # shellcheck disable=SC2206 # a list of words
    local install=(${sudo:+"$sudo"} env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
        apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends $packages)
    if $dry_run; then
        echo "${install[@]}"
        return 0
    fi
    echo "installing system packages: $packages" >&2
    ${sudo:+"$sudo"} apt-get update -qq && "${install[@]}" >/dev/null ||
        fail "apt-get could not install $packages: see its message above"
}

# A server that speaks the API of S3 (moto, of PyPI), in an environment of its own in the user's
# cache folder.
install_moto() {
    local venv=${XDG_CACHE_HOME:-$HOME/.cache}/farthing/moto-5.2.5
    if [ -x "$venv/bin/moto_server" ]; then return 0; fi
    if $dry_run; then
        echo "python3 -m venv $venv && $venv/bin/pip install 'moto[server]==5.2.5'"
        return 0
    fi
    command -v python3 >/dev/null || return 1
    rm -rf "$venv"
    python3 -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check 'moto[server]==5.2.5' >&2
}

# A server that speaks the API of Azure Blob Storage (Azurite, of npm), in the user's cache folder.
install_azurite() {
    local folder=${XDG_CACHE_HOME:-$HOME/.cache}/farthing/azurite-3.37.0
    if [ -x "$folder/node_modules/.bin/azurite-blob" ]; then return 0; fi
    if $dry_run; then
        echo "npm install --prefix $folder azurite@3.37.0"
        return 0
    fi
    command -v npm >/dev/null || return 1
    npm install --silent --no-audit --no-fund --prefix "$folder" azurite@3.37.0 >&2
}

# What sends requests by an OpenAPI document (schemathesis, of PyPI), likewise.
install_schemathesis() {
    local venv=${XDG_CACHE_HOME:-$HOME/.cache}/farthing/schemathesis-4.32.5
    if [ -x "$venv/bin/schemathesis" ]; then return 0; fi
    if $dry_run; then
        echo "python3 -m venv $venv && $venv/bin/pip install 'schemathesis==4.32.5'"
        return 0
    fi
    command -v python3 >/dev/null || return 1
    rm -rf "$venv"
    python3 -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check 'schemathesis==4.32.5' >&2
}

check_rust
missing=$(missing_packages)
if [ -n "$missing" ]; then install_packages "$missing"; fi
if $tests && ! { command -v prometheus && command -v promtool; } >/dev/null; then
    (install_packages prometheus) || echo 'tests with a real Prometheus will be left out' >&2
fi
if $tests && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
    (install_packages postgresql) || echo 'tests with a real PostgreSQL will be left out' >&2
fi
if $tests && [ ! -x "${CHROMIUM:-/usr/bin/chromium}" ]; then
    (install_packages chromium) || echo 'tests of the dashboard will be left out' >&2
fi
# Those of what containers are tested with that are missing.
missing_for_containers() {
    local packages=()
    command -v podman >/dev/null || packages+=(podman)
    command -v runc >/dev/null || packages+=(runc)
    # Of two packages with a busybox the static one runs in an image without libraries.
    if command -v dpkg-query >/dev/null; then
        dpkg-query -W -f '${Status}' busybox-static 2>/dev/null | grep -q 'ok installed' ||
            packages+=(busybox-static)
    fi
    echo "${packages[*]}"
}
for_containers=$(if $tests; then missing_for_containers; fi)
if [ -n "$for_containers" ]; then
    (install_packages "$for_containers") || echo 'tests of containers will be left out' >&2
fi
if $tests; then install_moto || echo 'tests with an S3 server will be left out' >&2; fi
if $tests; then install_azurite || echo 'tests with an Azure server will be left out' >&2; fi
if $tests; then install_schemathesis || echo 'fuzzing of the API will be left out' >&2; fi
