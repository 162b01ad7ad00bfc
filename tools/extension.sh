#!/usr/bin/env bash
# Builds kedge._core in place, into python/kedge, and makes .venv know the package.
set -euo pipefail
cd "$(dirname "$0")/.."

# One at a time: two builds would write the same objects.
mkdir -p build
if command -v flock >/dev/null; then
    exec 9>build/extension.lock
    flock 9
fi

# The package's metadata and scripts are installed anew when what describes them changes.
stamp=.venv/kedge-installed.stamp
digest=$( (cat pyproject.toml setup.py && grep '^#define KEDGE_VERSION' include/kedge/base.h) |
    sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$digest" ]; then
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    printf '%s\n' "$digest" >"$stamp"
fi
.venv/bin/python setup.py -q build_ext --inplace
