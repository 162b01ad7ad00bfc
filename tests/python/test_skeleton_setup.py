"""tools/setup.sh does nothing twice, and says in words what it cannot do."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETUP = ROOT / "tools/setup.sh"
# What the script itself is made of; nothing that it could install with.
ORDINARY = ("bash", "cat", "cut", "dirname", "env", "flock", "head", "id", "mkdir", "sort")


@pytest.fixture
def poor_path(tmp_path: Path) -> str:
    """A PATH on which there is neither a compiler, nor CMake, nor apt, nor a Python."""
    for name in ORDINARY:
        where = shutil.which(name)
        assert where is not None, name
        (tmp_path / name).symlink_to(where)
    return str(tmp_path)


def run(scope: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    return subprocess.run(
        [shutil.which("bash") or "bash", SETUP, scope],
        env=inherited | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("scope", ["library", "package", "test"])
def test_where_nothing_is_missing_it_is_silent_and_quick(scope: str) -> None:
    run(scope)
    begin = time.monotonic()
    done = run(scope)
    assert time.monotonic() - begin < 2
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_apt_it_names_what_to_install(poor_path: str) -> None:
    done = run("library", PATH=poor_path)
    assert done.returncode != 0
    assert done.stderr == (
        "kedge: please install what Debian calls: gcc libc6-dev pkg-config libzstd-dev cmake\n"
    )


def test_an_unknown_interpreter_is_refused_in_words() -> None:
    done = run("package", PYTHON="/nowhere/python3")
    assert done.returncode != 0
    assert "PYTHON=/nowhere/python3 is not a Python >= 3.10" in done.stderr
