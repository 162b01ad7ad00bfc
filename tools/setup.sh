#!/usr/bin/env bash
# Installs what a command of the Makefile lacks, says so, and does it once.
#
#   tools/setup.sh library    to build the C library
#   tools/setup.sh package    to build the Python package
#   tools/setup.sh wheel      to make a wheel that needs nothing
#   tools/setup.sh docs       to make the site of the documentation
#   tools/setup.sh bench      what `make bench` compares with, too
#   tools/setup.sh test       everything else, but for
#   tools/setup.sh sanitize   besides that, clang, its sanitizers and libFuzzer; the same for fuzz
#   tools/setup.sh valgrind   besides that, valgrind
#   tools/setup.sh coverage   nothing besides that
#
# System packages come by apt, as root or by sudo; without apt it names what to install. Python packages
# go into .venv, made by $PYTHON or else by the newest Python on PATH that can build an extension.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:?library, package, wheel, docs, bench, test, sanitize, fuzz, valgrind or coverage} in
sanitize | fuzz | valgrind | coverage) scope=test extra=$1 ;;
*) scope=$1 extra= ;;
esac
readonly scope extra
readonly log=build/setup.log

say() { printf 'kedge: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# Runs a command into the log, which is shown when it fails.
logged() { "$@" >"$log" 2>&1 || { cat "$log" >&2; die "this failed: $*"; }; }

# ---- system packages ----

has_command() { command -v "$1" >/dev/null 2>&1; }
has_header() { echo "#include <$1>" | cc -E - >/dev/null 2>&1; }
has_library() { has_command pkg-config && pkg-config --exists "$1"; }

# The Debian names of what is not there.
missing_packages() {
    has_command cc || echo gcc libc6-dev
    has_command pkg-config || echo pkg-config
    has_library 'libzstd >= 1.4.0' || echo libzstd-dev
    [[ $scope = @(package|wheel|docs) ]] || has_command cmake || echo cmake
    [[ $scope != @(test|bench) ]] || has_command c++ || echo g++
    [[ $scope != @(test|bench) ]] || has_header wslay/wslay.h || echo libwslay-dev
    if [ "$scope" = test ]; then
        has_library check || echo check
    fi
    case $extra in
    sanitize | fuzz) has_command clang || echo clang ;;
    valgrind) has_command valgrind || echo valgrind ;;
    esac
    if [ "$scope" != library ] && ! venv_is_good && [ -z "$(find_python)" ]; then
        python_packages
    fi
}

# Without apt the names are for a human to translate; the common ones are the same everywhere.
install_packages() {
    has_command apt-get || die "please install what Debian calls: $*"
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        has_command sudo || die "please install, as root: apt-get install $*"
        sudo=(sudo)
    fi
    say "installing system packages: $*"
    logged "${sudo[@]}" apt-get update -q
    logged "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "$@"
}

# ---- Python ----

# True for a Python that is new enough, can make a virtual environment and has its headers.
readonly able='
import os, sys, sysconfig
import ensurepip, venv
headers = os.path.join(sysconfig.get_path("include"), "Python.h")
sys.exit(not (sys.version_info >= (3, 10) and os.path.exists(headers)))'
readonly identify='
import os, sys
base = os.path.join(sys.base_prefix, "bin", "python%d.%d" % sys.version_info[:2])
print("%03d.%03d.%03d" % sys.version_info[:3], os.path.realpath(base))'

is_able() { has_command "$1" && "$1" -c "$able" >/dev/null 2>&1; }

# The newest able Python, or $PYTHON if that is able, or nothing.
find_python() {
    local name
    if [ -n "${PYTHON:-}" ]; then
        is_able "$PYTHON" && echo "$PYTHON"
        return 0
    fi
    for name in python3.13 python3.12 python3.11 python3.10 python3 /usr/bin/python3; do
        is_able "$name" && echo "$("$name" -c "$identify") $name"
    done | sort -s -r -k1,1 | head -n 1 | cut -d ' ' -f 3-
}

# The Debian packages that make a Python able: the chosen one if it is Debian's, else the default.
python_packages() {
    if [ -z "${PYTHON:-}" ]; then
        echo python3 python3-dev python3-venv
    elif [[ $(command -v "$PYTHON") =~ ^(/usr)?/bin/(python3[.0-9]*)$ ]]; then
        echo "${BASH_REMATCH[2]}-dev" "${BASH_REMATCH[2]}-venv"
    else
        die "PYTHON=$PYTHON is not a Python >= 3.10 with venv, ensurepip and Python.h"
    fi
}

# True when .venv runs and is made of $PYTHON, if that is given.
venv_is_good() {
    local made_of
    made_of=$(.venv/bin/python -c "$identify" 2>/dev/null) || return 1
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" -c "$identify" 2>/dev/null)" = "$made_of" ]
}

make_venv() {
    local python
    python=$(find_python)
    [ -n "$python" ] || die "no Python >= 3.10 with venv, ensurepip and Python.h was found"
    say "making .venv of $("$python" -c 'import sys; print(sys.executable, sys.version.split()[0])')"
    logged "$python" -m venv --clear .venv
}

# What was installed is told by a copy of each list in .venv.
install_python_packages() {
    local lists=(build) stale=() files=() list
    [[ $scope = @(package|bench) ]] || lists+=("$scope")
    [ "$scope" != test ] || lists+=(wheel docs)
    for list in "${lists[@]}"; do
        cmp -s "tools/requirements-$list.txt" ".venv/requirements-$list.txt" && continue
        stale+=("$list")
        files+=(-r "tools/requirements-$list.txt")
    done
    [ "${#stale[@]}" -gt 0 ] || return 0
    say "installing Python packages into .venv, for: ${stale[*]}"
    logged .venv/bin/python -m pip install -q --disable-pip-version-check \
        "${files[@]}"
    for list in "${stale[@]}"; do
        cp "tools/requirements-$list.txt" .venv/
    done
}

# ---- clang's runtime ----

# True when clang can link a harness.
clang_is_whole() {
    echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' |
        clang -fsanitize=fuzzer,address,undefined -x c - -o build/clang-check 2>/dev/null
}

# Where it is a package of its own, that has the version in its name.
install_clang_runtime() {
    clang_is_whole || install_packages "libclang-rt-$(clang -dumpversion | cut -d . -f 1)-dev"
    clang_is_whole || die "this clang has no libFuzzer: please install its runtime (compiler-rt)"
}

# ---- what make bench compares with ----

# Sources of C libraries, out of Python packages that carry them, into build/peers/NAME. What was
# fetched is told by a copy of the list.
fetch_peer_sources() {
    local list=requirements-bench-sources.txt archive folder
    cmp -s "tools/$list" "build/peers/$list" && return 0
    say "fetching the sources of the peers into build/peers"
    rm -rf build/peers
    mkdir -p build/peers
    logged .venv/bin/python -m pip download -q --disable-pip-version-check --no-deps \
        --no-binary pysimdjson,yyjson --require-hashes -r "tools/$list" -d build/peers
    for archive in build/peers/*.tar.gz; do
        folder=${archive%-*}
        mkdir "$folder"
        logged tar -xzf "$archive" -C "$folder" --strip-components=1
    done
    cp "tools/$list" build/peers/
}

# The Python packages among the peers, into build/peers/venv, made of .venv's Python, so that the
# extension built for that one can be imported there.
install_peer_packages() {
    local list=requirements-bench.txt venv=build/peers/venv
    cmp -s "tools/$list" "$venv/$list" && "$venv/bin/python" -c '' 2>/dev/null && return 0
    say "installing the peers from PyPI into $venv"
    logged .venv/bin/python -m venv --clear "$venv"
    logged "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps \
        -r "tools/$list"
    cp "tools/$list" "$venv/"
}

# ---- the work ----

mkdir -p build
# One at a time; a second call waits and then finds everything done.
if has_command flock; then
    exec 9>build/setup.lock
    flock 9
fi

packages=$(missing_packages)
if [ -n "$packages" ]; then
    # shellcheck disable=SC2086  # words on purpose
    install_packages $packages
fi
if [ "$extra" = sanitize ] || [ "$extra" = fuzz ]; then
    install_clang_runtime
fi
if [ "$scope" != library ]; then
    venv_is_good || make_venv
    install_python_packages
fi
if [ "$scope" = bench ]; then
    fetch_peer_sources
    install_peer_packages
fi
