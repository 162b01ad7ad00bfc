"""The script behind `make test` counts right, and nothing fails unseen."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check", ROOT / "tools/check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("output", "counts"),
    [
        ("199 passed, 3 failed", (199, 3)),
        ("FAILED x\n2 failed, 5 passed, 1 warning in 0.10s", (5, 2)),
        ("5 passed, 1 error in 0.10s", (5, 1)),
        ("1 passed, 0 failed\nsome more words", (1, 0)),
        ("no tests ran in 0.01s", None),
        ("", None),
    ],
)
def test_it_reads_what_runners_say(
    check: ModuleType, output: str, counts: tuple[int, int] | None
) -> None:
    assert check.counted(output) == counts


@pytest.mark.parametrize(
    ("name", "command", "passed", "failed"),
    [
        ("lint", "true", 1, 0),
        ("lint", "echo '7 passed, 0 failed'; false", 0, 1),
        ("test-suites", "echo '7 passed, 0 failed'", 7, 0),
        ("test-suites", "echo '7 passed, 2 failed'; false", 7, 2),
        ("test-suites", "echo '7 passed, 0 failed'; kill -SEGV $$", 7, 1),
        ("test-suites", "false", 0, 1),
    ],
)
def test_a_step_that_ends_badly_has_failed(
    check: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    command: str,
    passed: int,
    failed: int,
) -> None:
    monkeypatch.setattr(check, "LOGS", tmp_path)
    outcome = check.run(check.Step(name, name, command))
    assert (outcome.passed, outcome.failed) == (passed, failed)


def test_what_needs_a_failed_step_is_not_run_but_counted(
    check: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(check, "LOGS", tmp_path)
    steps = [
        check.Step("first", "the first", "echo broken; false"),
        check.Step("second", "the second", f"touch {tmp_path}/ran", needs=("first",)),
        check.Step("third", "the third", "true", after=("first",)),
    ]
    outcomes = check.run_all(steps)
    assert [(outcome.passed, outcome.failed) for outcome in outcomes] == [(0, 1), (0, 1), (1, 0)]
    assert not (tmp_path / "ran").exists()
    said = capsys.readouterr().out
    assert "FAIL  the first" in said
    assert "broken" in said
    assert "not run: first failed" in said


def test_a_step_is_chosen_with_all_that_it_needs(check: ModuleType) -> None:
    names = [step.name for step in check.chosen(["test-python"])]
    assert names == ["build-c", "build-examples", "build-python", "test-python"]
    with pytest.raises(SystemExit, match="no step or group 'nonsense'"):
        check.chosen(["nonsense"])
