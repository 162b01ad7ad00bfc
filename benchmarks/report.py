"""What benchmarks found: rows, as a table, as JSON, and on pages.

python -m benchmarks.report build/bench.json README.md docs/speed.md    writes the pages' tables
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Unit:
    """A name, and the figure that so many CPU seconds an operation are."""

    name: str
    figure: Callable[[float], float]


def nanoseconds(operation: str) -> Unit:
    return Unit(f"ns/{operation}", lambda seconds: seconds * 1e9)


BYTES = Unit("bytes", lambda counted: counted)
GIGABYTES = Unit("GB/s", lambda seconds: 1e-9 / seconds)


def rate(operation: str) -> Unit:
    return Unit(f"{operation}/s", lambda seconds: 1 / seconds)


@dataclass(frozen=True)
class Bar:
    """What a ratio has to be: `<= 0.9`, or `>= 0.7`."""

    sense: str
    value: float

    def __str__(self) -> str:
        return f"{self.sense} {self.value:g}"

    def holds(self, ratio: float) -> bool:
        return ratio <= self.value if self.sense == "<=" else ratio >= self.value


def at_most(value: float) -> Bar:
    return Bar("<=", value)


def at_least(value: float) -> Bar:
    return Bar(">=", value)


@dataclass(frozen=True)
class Row:
    """One comparison. `ratio` is ours / theirs in the unit: the median of the pairs, `low` and
    `high` their quartiles. A row without a bar is told for its own sake, and always holds."""

    name: str
    unit: str
    ours: float
    peer: str
    peer_version: str
    theirs: float
    ratio: float
    low: float
    high: float
    bar: str | None
    holds: bool
    note: str


def rounded(value: float) -> float:
    return float(f"{value:.4g}")


def make_row(
    name: str,
    unit: Unit,
    pairs: Sequence[tuple[float, float]],
    *,
    peer: str,
    peer_version: str,
    bar: Bar | None = None,
    note: str = "",
) -> Row:
    """The row of these pairs, each our CPU seconds an operation and theirs."""
    figures = [(unit.figure(ours), unit.figure(theirs)) for ours, theirs in pairs]
    ratios = [ours / theirs for ours, theirs in figures]
    low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Row(
        name=name,
        unit=unit.name,
        ours=rounded(statistics.median(ours for ours, _ in figures)),
        peer=peer,
        peer_version=peer_version,
        theirs=rounded(statistics.median(theirs for _, theirs in figures)),
        ratio=rounded(ratio),
        low=rounded(low),
        high=rounded(high),
        bar=None if bar is None else str(bar),
        holds=bar is None or bar.holds(ratio),
        note=note,
    )


def figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def verdict(row: Row) -> str:
    if row.bar is None:
        return ""
    return "holds" if row.holds else "MISSED"


TITLES = ("", "unit", "ours", "theirs", "peer", "ratio", "quartiles", "bar", "")


def cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        row.unit,
        figure(row.ours),
        figure(row.theirs),
        f"{row.peer} {row.peer_version}",
        figure(row.ratio),
        f"{figure(row.low)} .. {figure(row.high)}",
        row.bar or "",
        verdict(row),
    )


def table(rows: Sequence[Row]) -> str:
    """The rows for people, their notes below."""
    lines = [TITLES, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(TITLES))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    notes: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            notes.setdefault(row.note, []).append(row.name)
    for note, names in notes.items():
        wrapped = textwrap.wrap(f"{', '.join(names)}: {note}", 100, subsequent_indent="  ")
        text += ["", *wrapped]
    return "\n".join(line.rstrip() for line in text)


def summary(rows: Iterable[Row]) -> str:
    """The last line: how many bars hold."""
    barred = [row for row in rows if row.bar is not None]
    missed = [row.name for row in barred if not row.holds]
    text = f"{len(barred) - len(missed)} of {len(barred)} bars hold"
    return f"{text}; missed: {', '.join(missed)}" if missed else text


def write(rows: Iterable[Row], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def read(path: Path) -> list[Row]:
    return [Row(**row) for row in json.loads(path.read_text())]


def markdown(rows: Iterable[Row]) -> str:
    lines = ["| row | unit | kedge | peer | ratio | bar |", "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        peer = f"{figure(row.theirs)} ({row.peer} {row.peer_version})"
        bar = "" if row.bar is None else f"{row.bar}, {verdict(row)}"
        figures = f"{figure(row.ours)} | {peer} | {figure(row.ratio)}"
        lines.append(f"| {row.name} | {row.unit} | {figures} | {bar} |")
    return "\n".join(lines)


# On a page: either all rows, or those that the mark names.
PLACE = re.compile(r"(<!-- speed: (.+?) -->\n).*?(<!-- end of speed -->\n)", re.DOTALL)


def named(rows: Sequence[Row], names: str) -> list[Row]:
    """The rows that a mark names, in its order."""
    if names == "all":
        return list(rows)
    by_name = {row.name: row for row in rows}
    return [by_name[name] for name in names.split()]


def replaced(page: str, rows: Sequence[Row]) -> str:
    """The page with the rows in their place, and below them how many bars of all hold."""

    def fill(place: re.Match[str]) -> str:
        begin, names, end = place.groups()
        return f"{begin}\n{markdown(named(rows, names))}\n\n{summary(rows)}.\n\n{end}"

    text, places = PLACE.subn(fill, page)
    if places != 1:
        raise ValueError(f"a page has one place for rows, not {places}")
    return text


if __name__ == "__main__":
    found = read(Path(sys.argv[1]))
    for page in map(Path, sys.argv[2:]):
        page.write_text(replaced(page.read_text(), found))
