"""`tools/demo.py` shows what it promises, and does not overlook a broken promise."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = Path(os.environ.get("KEDGE_C_EXAMPLES", ROOT / "build/c/examples"))
DEMO = ROOT / "tools/demo.py"


def play(name: str) -> tuple[dict[str, Any], Any]:
    demo = runpy.run_path(str(DEMO))
    return demo, next(one for one in demo["PLAYS"] if one.name == name)


def test_the_demo_ends_well_and_soon() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", DEMO, EXAMPLES], capture_output=True, text=True, timeout=30
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    demo = runpy.run_path(str(DEMO))
    assert all(f"kedge demo: {one.title}" in run.stdout for one in demo["PLAYS"])
    verdicts = [f"{one.name:<10} ok      {one.ending}" for one in demo["PLAYS"]]
    assert run.stdout.splitlines()[-len(verdicts) :] == verdicts


@pytest.mark.parametrize("numbers", [[6, 8], [6, 7, 7], [7, 6]])
def test_a_hole_or_a_double_is_a_broken_promise(numbers: list[int]) -> None:
    demo, messaging = play("messaging")
    script = "print('1 new 6', *['0 new %d' % n for n in {}], sep='\\n')"
    with demo["running"](sys.executable, "-c", script.format(numbers)) as client:
        client.wait_for("new", [len(numbers), 1])
        with pytest.raises(demo["BrokenPromiseError"]):
            demo["check"](messaging, client)


def test_a_broken_promise_is_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo, _ = play("messaging")
    for one in demo["PLAYS"]:
        program = tmp_path / f"{one.name}_client"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", ["demo.py", str(tmp_path)])
    assert demo["main"]() == 1
    assert capsys.readouterr().out.count("FAILED  no more lines with 'ready' came") == 3


def test_who_says_nothing_more_breaks_a_promise_too() -> None:
    demo, _ = play("messaging")
    with (
        demo["running"](sys.executable, "-c", "print('0 ready 1')") as client,
        pytest.raises(demo["BrokenPromiseError"]),
    ):
        client.wait_for("new", [1, 1])
