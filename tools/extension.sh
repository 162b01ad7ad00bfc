#!/usr/bin/env bash
# Builds kedge._core in place, into python/kedge, and makes .venv know the package.
set -euo pipefail
cd "$(dirname "$0")/.."

# The package's metadata and scripts are installed anew when what describes them changes.
stamp=.venv/kedge-installed.stamp
digest=$(sha256sum pyproject.toml setup.py <(grep '^#define KEDGE_VERSION' include/kedge/base.h) |
    cut -d ' ' -f 1)
if [ "$(cat "$stamp" 2>/dev/null)" != "$digest" ]; then
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    printf '%s\n' "$digest" >"$stamp"
fi
.venv/bin/python setup.py -q build_ext --inplace
