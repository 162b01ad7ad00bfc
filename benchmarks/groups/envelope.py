"""The corpus decoded in C, beside yyjson and simdjson."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.corpus import SEED, corpus, packed
from benchmarks.program import BUILD, Effort, Spec, measured
from benchmarks.report import Row, at_most, nanoseconds

CORPUS = (
    "{count} distinct messages of four protocols, shuffled, seed {seed}, {mean:.0f} B on average;"
    " type, name, id or number and payload are found, the answers compared. "
)
YYJSON = "yyjson makes a tree of all, in memory that is kept; its payload is a node, ours a slice."
SIMDJSON = (
    "simdjson's On-Demand walks the members once and needs 64 readable bytes behind each text; what"
    " it steps over is delimited, not checked. Debian 12 has 3.0.1, so it comes from an sdist."
)


def arguments() -> tuple[str, ...]:
    """What the program is started with besides: the corpus."""
    BUILD.mkdir(parents=True, exist_ok=True)
    file = BUILD / "corpus.bin"
    file.write_bytes(packed(corpus()))
    return (str(file),)


def rows(effort: Effort) -> Iterator[Row]:
    sizes = [len(text) for _, text in corpus()]
    about = CORPUS.format(count=len(sizes), seed=SEED, mean=sum(sizes) / len(sizes))
    unit = nanoseconds("message")
    specs = [
        Spec("envelope-yyjson", unit, at_most(0.9), about + YYJSON),
        Spec("envelope-simdjson", unit, at_most(1.3), about + SIMDJSON),
    ]
    return measured("envelope", specs, effort, *arguments())
