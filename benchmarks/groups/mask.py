"""Unmasking in place, beside memcpy."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.program import Effort, Spec, measured
from benchmarks.report import GIGABYTES, Row, at_least

NOTE = (
    "memcpy reads one area and writes another, unmasking in place reads and writes one. Both areas"
    " begin 8 bytes behind a page, as a payload behind its header; the pieces of 1 KiB are those of"
    " 16 KiB in turn."
)


def rows(effort: Effort) -> Iterator[Row]:
    specs = [
        Spec("mask-1k", GIGABYTES, at_least(0.7), NOTE),
        Spec("mask-64k", GIGABYTES, at_least(0.9), NOTE),
        Spec("mask-1m", GIGABYTES, at_least(0.9), NOTE),
    ]
    return measured("mask", specs, effort)
