#!/usr/bin/env bash
# Builds kedge._core in place, into python/kedge, and makes the venv know the package.
#
#   tools/extension.sh           as a user's compiler builds it
#   tools/extension.sh strict    with warnings as errors
#   VENV=...                     another venv than .venv, and so another Python
set -euo pipefail
cd "$(dirname "$0")/.."

readonly venv=${VENV:-.venv}
readonly strict_marker=build/extension.strict
options=(--inplace)

# One at a time: two builds would write the same objects.
mkdir -p build
if command -v flock >/dev/null; then
    exec 9>build/extension.lock
    flock 9
fi

# True when an extension is there that a strict build did not make: newer than the last one's end.
was_built_otherwise() {
    local newer=()
    [ ! -e "$strict_marker" ] || newer=(-newer "$strict_marker")
    [ -n "$(find python/kedge -name '_core*.so' "${newer[@]}")" ]
}

if [ "${1:-}" = strict ]; then
    export CFLAGS='-O2 -g -Wall -Wextra -Wconversion -Wshadow -Werror'
    was_built_otherwise && options+=(--force)
fi

# The package's metadata and scripts are installed anew when what describes them changes.
stamp=$venv/kedge-installed.stamp
digest=$( (cat pyproject.toml setup.py && grep '^#define KEDGE_VERSION' include/kedge/base.h) |
    sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$digest" ]; then
    KEDGE_WITHOUT_EXTENSION=1 "$venv/bin/python" -m pip install -q --disable-pip-version-check \
        --no-deps --no-build-isolation -e .
    printf '%s\n' "$digest" >"$stamp"
fi
"$venv/bin/python" setup.py -q build_ext "${options[@]}"
[ "${1:-}" != strict ] || touch "$strict_marker"
