"""Two ways to do the same work within one process, timed side by side as by benchmarks/c/bench.h.

A program checks first that both give the same answers, then calls `compare`, once a row. It is
started by benchmarks/groups/python.py:

    python -m benchmarks.python.NAME PAIRS MILLISECONDS

and `compare` prints a line a row, each figure being the CPU seconds of one operation:

    {"row": "decode", "peer": "msgspec", "version": "0.22.0", "unchecked": "",
     "pairs": [[ours, theirs], ...]}
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

Work = Callable[[], object]


def seconds(work: Work, times: int) -> float:
    """What so many calls take, in CPU seconds of this process."""
    begin = time.process_time()
    for _ in range(times):
        work()
    return time.process_time() - begin


def enough(work: Work, milliseconds: int) -> int:
    """How many calls take that long."""
    times = 1
    while (taken := seconds(work, times)) < milliseconds / 1000:
        times = max(times + 1, min(times * 8, int(times * milliseconds / 900 / max(taken, 1e-9))))
    return times


def compare(
    row: str, peer: str, ours: Work, theirs: Work, *, operations: int, unchecked: str = ""
) -> None:
    """Prints the row. Each work does so many operations a call; the two take turns, the first of
    a pair changing, without the collector in between."""
    pairs, milliseconds = int(sys.argv[1]), int(sys.argv[2])
    gc.collect()
    gc.freeze()
    times = [enough(work, milliseconds) for work in (ours, theirs)]
    works = [ours, theirs]
    found = []
    for number in range(pairs):
        each = [0.0, 0.0]
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            gc.collect()
            each[side] = seconds(works[side], times[side]) / times[side] / operations
        found.append(each)
    line = {"row": row, "peer": peer, "version": version(peer) if peer != "json" else ""}
    print(json.dumps({**line, "unchecked": unchecked, "pairs": found}), flush=True)


def require(true_one: bool, sentence: str) -> None:
    """Ends the program with that sentence unless it is true."""
    if not true_one:
        raise SystemExit(f"bench: {sentence}")
