"""`kedge demo` shows what it promises, and does not overlook a broken promise."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import kedge
import pytest
from kedge import cli, demo
from kedge.cli.demo import PROTOCOLS
from kedge.demo._stage import BrokenPromiseError, Person, Stage


def test_the_demo_ends_well_and_soon() -> None:
    begin = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-m", "kedge", "demo"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert run.stderr == ""
    assert time.monotonic() - begin < 20
    assert "the 100 events that it missed" in run.stdout
    assert "the 50 events that it missed" in run.stdout
    assert "26 to 175 are gone" in run.stdout
    verdicts = run.stdout.splitlines()[-len(PROTOCOLS) :]
    assert [re.split(" +", line)[:2] for line in verdicts] == [[name, "ok"] for name in PROTOCOLS]


def test_one_protocol_is_picked(capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(demo.PLAYS) == PROTOCOLS
    assert cli.main(["demo", "blobhub"]) == 0
    out = capsys.readouterr().out
    assert out.count("kedge demo: ") == 1
    assert out.splitlines()[-1].startswith("blobhub    ok ")
    with pytest.raises(SystemExit):
        cli.main(["demo", "smtp"])


@pytest.mark.parametrize("got", [[1, 3], [1, 1, 2, 3], [2, 1, 3]])
def test_a_broken_promise_is_told(
    got: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def play(stage: Stage, folder: Path) -> str:
        person = Person(stage, "anna", kedge.gateway.Client)
        person.promised("events", got, range(1, 4))
        return "all well"

    monkeypatch.setitem(demo.PLAYS, "gateway", play)
    assert cli.main(["demo", "gateway"]) == 1
    out = capsys.readouterr().out
    assert f"gateway    FAILED  anna got the events {got}, not [1, 2, 3]\n" in out


def test_what_takes_too_long_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def play(stage: Stage, folder: Path) -> str:
        await asyncio.Event().wait()
        return "all well"

    monkeypatch.setitem(demo.PLAYS, "gateway", play)
    monkeypatch.setattr(demo, "PATIENCE", 0.01)
    assert demo.run(["gateway"]) == 1
    assert "gateway    FAILED  it took too long\n" in capsys.readouterr().out


async def test_what_is_done_instead_of_refused_breaks_a_promise() -> None:
    class Obliging:
        async def request(self, command: str) -> None:
            """Does it."""

    stream: Any = Obliging()
    person = Person(Stage(), "anna", kedge.gateway.Client)
    person.stream = stream
    with pytest.raises(BrokenPromiseError, match="not refused stop_all"):
        await person.refused("stop_all")


def test_ctrl_c_ends_it_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def play(names: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", play)
    assert cli.main(["demo"]) == 130
