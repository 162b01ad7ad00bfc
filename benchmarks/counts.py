"""Instruction counts, which no other work on the machine moves: what `make bench-counts` calls.

    python -m benchmarks.counts [--update]

Each C program does our half of its rows under callgrind, with one level of kernels that callgrind
knows. benchmarks/counts.json has what it was, by compiler; a row that takes more by over 3 % fails.
A compiler that is not in the file is only told about. --update writes what is found.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.groups import envelope
from benchmarks.program import BUILD, LOG, build

BASELINE = Path(__file__).parent / "counts.json"
TOLERANCE = 1.03
TIMES = 3
KERNELS = {"x86_64": "avx2", "aarch64": "neon"}
# One row of each loop; those beside another peer do the same of ours.
ROWS = {
    "frame": ("frame-16", "frame-172", "frame-1024", "reader-16", "reader-172", "reader-1024"),
    "mask": ("mask-1k",),
    "utf8": ("utf8-ascii", "utf8-mixed"),
    "envelope": ("envelope-yyjson",),
    "zstd": ("splice-1k",),
}


def compiler() -> str:
    """The machine and the compiler, as far as they decide what is counted."""
    run = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True)
    version = re.findall(r"\b(\d+)\.\d+\.\d+", run.stdout.splitlines()[0])[-1]
    name = "clang" if "clang" in run.stdout else "gcc"
    return f"{platform.machine()} {name} {version}"


def instructions(dump: Path) -> tuple[str, int]:
    """The row and the sum of a file that callgrind wrote."""
    text = dump.read_text()
    (row,) = re.findall(r"^desc: Trigger: Client Request: (\S+)$", text, re.MULTILINE)
    (total,) = re.findall(r"^(?:totals|summary): (\d+)$", text, re.MULTILINE)[:1]
    return row, int(total)


def counted(group: str) -> dict[str, float]:
    """Instructions an operation, by row."""
    program = build(group)
    out = BUILD / f"callgrind.{group}"
    for old in BUILD.glob(f"{out.name}*"):
        old.unlink()
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", str(program), "count"]
    command += [str(TIMES), KERNELS.get(platform.machine(), "scalar")]
    command += envelope.arguments() if group == "envelope" else ()
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{run.stderr}\nbench: {program.name} failed under valgrind")
    operations = {row["row"]: row["operations"] for row in map(json.loads, run.stdout.splitlines())}
    totals = dict(instructions(dump) for dump in BUILD.glob(f"{out.name}.*"))
    return {row: round(totals[row] / operations[row], 4) for row in ROWS[group]}


def compare(found: dict[str, float], baseline: dict[str, float]) -> list[str]:
    """Prints each row beside its baseline; the rows that got worse."""
    worse = []
    for row, count in found.items():
        was = baseline.get(row)
        change = "" if was is None else f"{count / was - 1:+8.1%} of {was:,.4g}"
        print(f"{row:18} {count:12,.4g} {change}".rstrip())
        if was is not None and count > was * TOLERANCE:
            worse.append(row)
    return worse


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-counts", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write what is found")
    arguments = parser.parse_args()
    LOG.unlink(missing_ok=True)
    known: dict[str, dict[str, float]] = json.loads(BASELINE.read_text())
    here = compiler()
    print(f"instructions an operation, {here}:")
    found = {row: count for group in ROWS for row, count in counted(group).items()}
    worse = compare(found, known.get(here, {}))
    if arguments.update:
        BASELINE.write_text(json.dumps(known | {here: found}, indent=1, sort_keys=True) + "\n")
        return 0
    if here not in known:
        print(f"no baseline for {here}")
    if worse:
        print(f"more than before: {', '.join(worse)}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
