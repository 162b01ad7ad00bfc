"""An event of 1 KiB for 1000 sessions, compressed once; and frames decoded; beside libzstd."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.program import Effort, Spec, measured
from benchmarks.report import Row, at_least, nanoseconds, rate

SPLICE = (
    "1000 sessions, a number of its own each. Ours: the event encoded and compressed once, then"
    " kedge_publication_write for each, a list of parts for writev. libzstd: level 3, each message"
    " compressed, in a context that is kept."
)
JOINED = "The same, with each session's parts copied into one piece."
DECODE = (
    "kedge_zstd_decode beside ZSTD_decompressDCtx, which it calls. libzstd alone bounds nothing but"
    " the room: it takes frames without a declared size, several in a row, skippable ones."
)


def rows(effort: Effort) -> Iterator[Row]:
    specs = [
        Spec("splice-1k", rate("messages"), at_least(50), SPLICE),
        Spec("splice-1k-joined", rate("messages"), None, JOINED),
        Spec("zstd-decode-1k", nanoseconds("message"), None, DECODE),
    ]
    return measured("zstd", specs, effort)
