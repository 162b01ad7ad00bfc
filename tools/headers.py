"""Compiles every public header alone, twice in a row, as C11 and as C++17, with all warnings."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = "include"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
LANGUAGES = (
    ("C11", (os.environ.get("CC", "cc"), "-x", "c", "-std=c11")),
    ("C++17", (os.environ.get("CXX", "c++"), "-x", "c++", "-std=c++17")),
)


def compile_alone(header: str, compiler: tuple[str, ...]) -> str:
    """What the compiler says against the header: nothing, if all is well."""
    run = subprocess.run(
        [*compiler, *WARNINGS, f"-I{INCLUDE}", "-fsyntax-only", "-"],
        input=f'#include "{header}"\n' * 2,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return run.stderr or ("" if run.returncode == 0 else "failed without a word\n")


def main() -> int:
    headers = sorted(
        str(path.relative_to(ROOT / INCLUDE)) for path in (ROOT / INCLUDE).rglob("*.h")
    )
    cases = [(header, *language) for header in headers for language in LANGUAGES]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = list(pool.map(lambda case: compile_alone(case[0], case[2]), cases))
    for (header, name, _), complaint in zip(cases, complaints, strict=True):
        if complaint:
            print(f"{header} as {name}:\n{complaint}")
    failed = sum(bool(complaint) for complaint in complaints)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
