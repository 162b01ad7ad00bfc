"""`kedge demo` shows what it promises, and does not overlook a broken promise."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from kedge import demo
from kedge.gateway import Dispatch, Ready


def test_the_demo_ends_well_and_soon() -> None:
    begin = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-m", "kedge", "demo"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert run.stderr == ""
    assert time.monotonic() - begin < 10
    assert "the 100 events that it missed" in run.stdout
    assert "the 50 events that it missed" in run.stdout
    assert run.stdout.endswith("\nNothing lost, nothing doubled.\n")


@pytest.mark.parametrize("counts", [[1, 3], [1, 1, 2, 3], [2, 1, 3]])
def test_a_broken_promise_is_told(
    counts: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def play(state: object) -> None:
        watcher = demo.Watcher("anna", compress=False)
        watcher._note(Ready("session"))
        for seq, count in enumerate(counts, 2):
            watcher._note(Dispatch("tick", seq, payload=b'{"count": %d}' % count))
        watcher.check(3)

    monkeypatch.setattr(demo, "play", play)
    assert demo.run() == 1
    assert "FAILED: anna got" in capsys.readouterr().out
