"""Validation of 64 KiB of UTF-8, beside memcpy."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.program import Effort, Spec, measured
from benchmarks.report import GIGABYTES, Row, at_least

ASCII = "memcpy reads and writes, and checks nothing."
MIXED = "Words of ten scripts, of one to four bytes a character, spaces between them."


def rows(effort: Effort) -> Iterator[Row]:
    specs = [
        Spec(
            "utf8-ascii", GIGABYTES, at_least(0.5), "memcpy reads and writes, and checks nothing."
        ),
        Spec("utf8-mixed", GIGABYTES, at_least(0.15), MIXED),
    ]
    return measured("utf8", specs, effort)
