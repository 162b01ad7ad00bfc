"""Runs clang-tidy over csrc/sources.txt; a file that was clean is not looked at again until it, a
header or the configuration changes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMPS = ROOT / "build/tidy"
CLANG_TIDY = Path(sys.executable).parent / "clang-tidy"
FLAGS = (
    *("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow"),
    *("-Iinclude", "-Icsrc", "-DKEDGE_BUILDING"),
)


def shared_digest() -> bytes:
    """Stands for all that any file's verdict depends on besides itself."""
    shared = [ROOT / ".clang-tidy", ROOT / "tools/requirements-test.txt"]
    shared += sorted((ROOT / "include").rglob("*.h")) + sorted((ROOT / "csrc").rglob("*.h"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in shared)).digest()


def check(source: str, shared: bytes) -> str:
    """What clang-tidy says against the source: nothing, if all is well."""
    digest = hashlib.sha256(shared + (ROOT / source).read_bytes()).hexdigest()
    stamp = STAMPS / source.replace("/", "-")
    if stamp.exists() and stamp.read_text() == digest:
        return ""
    run = subprocess.run(
        [CLANG_TIDY, "--quiet", source, "--", *FLAGS], cwd=ROOT, capture_output=True, text=True
    )
    if run.returncode == 0:
        stamp.write_text(digest)
        return ""
    return run.stdout + run.stderr


def main() -> int:
    STAMPS.mkdir(parents=True, exist_ok=True)
    sources = (ROOT / "csrc/sources.txt").read_text().split()
    shared = shared_digest()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = list(pool.map(lambda source: check(source, shared), sources))
    print("".join(complaints), end="")
    return 1 if any(complaints) else 0


if __name__ == "__main__":
    sys.exit(main())
