"""The benchmarks' messages are what they are said to be, and their sums are right."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import pytest

from benchmarks import corpus, counts, report
from benchmarks.groups import GROUPS
from benchmarks.run import chosen

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def messages() -> list[tuple[int, bytes]]:
    return corpus.corpus()


def test_the_corpus_is_large_distinct_and_of_all_protocols(
    messages: list[tuple[int, bytes]],
) -> None:
    sizes = [len(text) for _, text in messages]
    assert len(messages) >= 3000
    assert len({text for _, text in messages}) == len(messages)
    assert {protocol for protocol, _ in messages} == {0, 1, 2, 3}
    assert min(sizes) >= 60
    assert max(sizes) <= 8192
    assert sum(sizes) / len(sizes) == pytest.approx(325, abs=5)


def test_the_corpus_is_json_of_every_kind_of_writer(messages: list[tuple[int, bytes]]) -> None:
    assert all(isinstance(json.loads(text), dict) for _, text in messages)
    assert any(b"\n" in text for _, text in messages)
    assert any(b"\\u" in text for _, text in messages)
    assert any(b'": ' in text for _, text in messages)
    assert any(not text.isascii() for _, text in messages)


def test_the_corpus_is_shuffled(messages: list[tuple[int, bytes]]) -> None:
    protocols = [protocol for protocol, _ in messages]
    changes = sum(a != b for a, b in itertools.pairwise(protocols))
    assert changes > len(messages) / 2


def test_the_corpus_is_the_same_everywhere(messages: list[tuple[int, bytes]]) -> None:
    digest = hashlib.sha256(corpus.packed(messages)).hexdigest()
    assert digest == "b4355a8a2c8dcae04fa2dcf217d028ef671477ce24b1e0003b1828df58856683"


PAIRS = [(1e-9, 2e-9), (1e-9, 4e-9), (3e-9, 4e-9), (2e-9, 10e-9), (4e-9, 4e-9)]


def test_a_row_has_the_median_of_the_pairs_and_its_quartiles() -> None:
    row = report.make_row("name", report.nanoseconds("frame"), PAIRS, peer="peer", peer_version="1")
    assert (row.ours, row.theirs, row.unit) == (2.0, 4.0, "ns/frame")
    assert (row.low, row.ratio, row.high) == (0.25, 0.5, 0.75)
    assert (row.bar, row.holds) == (None, True)


def test_a_ratio_of_speeds_is_ours_over_theirs() -> None:
    row = report.make_row("name", report.GIGABYTES, PAIRS, peer="peer", peer_version="1")
    assert (row.ours, row.theirs, row.ratio) == (0.5, 0.25, 2.0)


@pytest.mark.parametrize(
    ("bar", "text", "holds"),
    [
        (report.at_most(0.5), "<= 0.5", True),
        (report.at_most(0.49), "<= 0.49", False),
        (report.at_least(0.5), ">= 0.5", True),
        (report.at_least(50), ">= 50", False),
    ],
)
def test_a_bar_holds_or_is_missed(bar: report.Bar, text: str, holds: bool) -> None:
    unit = report.nanoseconds("frame")
    row = report.make_row("name", unit, PAIRS, peer="peer", peer_version="1", bar=bar)
    assert (row.bar, row.holds) == (text, holds)
    assert ("MISSED" in report.table([row])) is not holds
    assert report.summary([row]).startswith(f"{int(holds)} of 1 bars hold")


def test_the_file_has_the_members_that_were_promised(tmp_path: Path) -> None:
    row = report.make_row(
        "name", report.GIGABYTES, PAIRS, peer="memcpy", peer_version="1", note="a note"
    )
    report.write([row], tmp_path / "folder/bench.json")
    (written,) = json.loads((tmp_path / "folder/bench.json").read_text())
    assert " ".join(written) == (
        "name unit ours peer peer_version theirs ratio low high bar holds note"
    )
    assert report.read(tmp_path / "folder/bench.json") == [row]


def test_a_note_of_many_rows_is_told_once() -> None:
    rows = [
        report.make_row(
            name, report.GIGABYTES, PAIRS, peer="memcpy", peer_version="1", note="one note"
        )
        for name in ("first", "second")
    ]
    assert report.table(rows).count("one note") == 1
    assert "first, second: one note" in report.table(rows)


def test_groups_are_picked_by_name_in_their_order() -> None:
    assert chosen("") == list(GROUPS)
    assert chosen("envelope, frame") == ["frame", "envelope"]
    with pytest.raises(SystemExit, match="no group nonsense; there are frame"):
        chosen("frame,nonsense")


def test_every_group_has_its_file_and_no_file_is_forgotten() -> None:
    files = {path.stem for path in (ROOT / "benchmarks/groups").glob("*.py")} - {"__init__"}
    assert files == set(GROUPS)


def test_a_row_that_takes_more_instructions_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    baseline = {"same": 100.0, "better": 100.0, "within": 100.0, "worse": 100.0}
    found = {"same": 100.0, "better": 50.0, "within": 103.0, "worse": 103.1, "new": 7.0}
    assert counts.compare(found, baseline) == ["worse"]
    assert "-50.0% of 100" in capsys.readouterr().out


def test_a_file_of_callgrind_gives_the_row_and_its_sum(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_text(
        "desc: Trigger: Client Request: mask-1k\n\nevents: Ir\nsummary: 1234\n\ntotals: 1234\n"
    )
    assert counts.instructions(dump) == ("mask-1k", 1234)


def page_with(names: str) -> str:
    return f"before\n<!-- speed: {names} -->\nold\n<!-- end of speed -->\nafter\n"


def test_the_rows_on_a_page_are_replaced_and_nothing_else() -> None:
    row = report.make_row("name", report.GIGABYTES, PAIRS, peer="memcpy", peer_version="1")
    once = report.replaced(page_with("all"), [row])
    assert once == report.replaced(once, [row])
    assert once.startswith("before\n<!-- speed: all -->\n\n| row |")
    assert once.endswith("bars hold.\n\n<!-- end of speed -->\nafter\n")
    assert "| name | GB/s | 0.5 | 0.25 (memcpy 1) | 2 |  |" in once
    assert "\nold\n" not in once


def test_a_page_may_pick_rows_and_still_tells_how_many_bars_hold() -> None:
    first, second, third = (
        report.make_row(
            name,
            report.nanoseconds("frame"),
            PAIRS,
            peer="peer",
            peer_version="1",
            bar=report.at_most(0.1),
        )
        for name in ("first", "second", "third")
    )
    text = report.replaced(page_with("third first"), [first, second, third])
    assert text.index("| third |") < text.index("| first |")
    assert "| second |" not in text
    assert "0 of 3 bars hold; missed: first, second, third.\n" in text
    with pytest.raises(KeyError, match="fourth"):
        report.replaced(page_with("fourth"), [first])


def test_a_page_without_its_place_is_refused() -> None:
    with pytest.raises(ValueError, match="one place for rows, not 0"):
        report.replaced("no place\n", [])
