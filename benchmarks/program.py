"""The benchmarks in C: one program a group, built by CMake, run on one core."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Bar, Row, Unit, make_row

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/bench"
LOG = ROOT / "build/log/bench.log"


@dataclass(frozen=True)
class Effort:
    """How much is measured: pairs, and how long each half of one runs."""

    pairs: int
    milliseconds: int
    kernels: str = "best"  # or the name of a level


FULL = Effort(31, 30)
QUICK = Effort(5, 3)


@dataclass(frozen=True)
class Spec:
    """What a row of a program's output is to become."""

    row: str
    unit: Unit
    bar: Bar | None = None
    note: str = ""


def run_logged(command: Sequence[str]) -> None:
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("a") as log:
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise SystemExit(f"{LOG.read_text()}\nbench: this failed: {' '.join(command)}")


def build(name: str) -> Path:
    """The group's program, as a user's own would be: optimised, beside the static library."""
    configure = ["cmake", "-S", ".", "-B", str(BUILD), "-DCMAKE_BUILD_TYPE=Release"]
    run_logged([*configure, "-DKEDGE_BENCH=ON", "-DKEDGE_TESTS=OFF"])
    jobs = str(os.cpu_count() or 1)
    run_logged(["cmake", "--build", str(BUILD), "-j", jobs, "-t", f"bench-{name}"])
    return BUILD / f"bench-{name}"


def pin() -> None:
    """This process and those it starts stay on one core: the last, which has fewest interrupts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def measured(
    name: str,
    specs: Sequence[Spec],
    effort: Effort,
    *arguments: str,
    peer_version: str | None = None,
) -> Iterator[Row]:
    """Runs the group's program; a row for each line that it prints."""
    program = build(name)
    numbers = [str(effort.pairs), str(effort.milliseconds)]
    command = [str(program), "time", *numbers, effort.kernels, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=pin) as process:
        assert process.stdout is not None
        for spec, line in zip(specs, process.stdout, strict=False):
            found = json.loads(line)
            if found["row"] != spec.row:
                raise SystemExit(f"bench: {found['row']} where {spec.row} was expected")
            note = f"{spec.note} Kernels: {found['kernels']}."
            if found["unchecked"]:
                note += f" Takes without a word: {found['unchecked']}."
            yield make_row(
                spec.row,
                spec.unit,
                found["pairs"],
                peer=found["peer"],
                peer_version=peer_version or found["version"],
                bar=spec.bar,
                note=note,
            )
    if process.returncode != 0:
        raise SystemExit(f"bench: {program.name} failed ({process.returncode})")
