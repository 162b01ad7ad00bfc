"""Measures, prints a table and writes build/bench.json: what `make bench` calls.

    python -m benchmarks.run [--only GROUP,...] [--quick] [--kernels LEVEL]

A bar that is missed is told, and no failure: other work on the machine moves the figures. Wrong
answers, of ours or of a peer, are one.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from dataclasses import replace

from benchmarks import report
from benchmarks.groups import GROUPS
from benchmarks.program import FULL, LOG, QUICK, ROOT


def chosen(words: str) -> list[str]:
    """The groups that the words name, in the report's order; all, if there are none."""
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [word for word in wanted if word not in GROUPS]
    if unknown:
        raise SystemExit(f"bench: no group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    return [group for group in GROUPS if not wanted or group in wanted]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help=f"some of: {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="seconds, and rougher figures")
    parser.add_argument("--kernels", default="best", help="scalar, sse2, avx2, avx512 or neon")
    arguments = parser.parse_args()
    effort = replace(QUICK if arguments.quick else FULL, kernels=arguments.kernels)
    groups = chosen(arguments.only)
    LOG.unlink(missing_ok=True)
    rows: list[report.Row] = []
    for group in groups:
        print(f"measuring: {group}", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"benchmarks.groups.{group}").rows(effort)
    report.write(rows, ROOT / "build/bench.json")
    print(report.table(rows))
    print(f"\n{effort.pairs} pairs of {effort.milliseconds} ms each; {report.summary(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
