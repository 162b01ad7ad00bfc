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


def add_command(folder: str, name: str, script: str) -> None:
    command = Path(folder) / name
    command.unlink(missing_ok=True)
    command.write_text(f"#!/usr/bin/env bash\n{script}\n")
    command.chmod(0o755)


def test_without_root_and_sudo_it_names_the_command(poor_path: str) -> None:
    add_command(poor_path, "apt-get", "exit 0")
    add_command(poor_path, "id", "echo 1000")
    done = run("library", PATH=poor_path)
    assert done.returncode != 0
    assert done.stderr == (
        "kedge: please install, as root:"
        " apt-get install gcc libc6-dev pkg-config libzstd-dev cmake\n"
    )


@pytest.mark.parametrize("user", ["root", "sudoer"])
def test_it_installs_by_apt_what_is_missing_and_says_so(poor_path: str, user: str) -> None:
    record = Path(poor_path) / "record"
    add_command(poor_path, "apt-get", f'echo "apt-get $*" >>{record}')
    add_command(poor_path, "id", "echo 0" if user == "root" else "echo 1000")
    add_command(poor_path, "sudo", f'echo "sudo" >>{record}; exec "$@"')
    done = run("library", PATH=poor_path)
    packages = "gcc libc6-dev pkg-config libzstd-dev cmake"
    assert (done.returncode, done.stderr) == (0, f"kedge: installing system packages: {packages}\n")
    said = record.read_text().splitlines()
    assert said.count("sudo") == (0 if user == "root" else 2)
    assert [line for line in said if line != "sudo"] == [
        "apt-get update -q",
        f"apt-get install -q -y --no-install-recommends {packages}",
    ]


def test_when_apt_fails_its_words_are_shown(poor_path: str) -> None:
    add_command(poor_path, "apt-get", "echo 'no network'; exit 100")
    add_command(poor_path, "id", "echo 0")
    done = run("library", PATH=poor_path)
    assert done.returncode != 0
    assert "no network\nkedge: this failed: apt-get update -q\n" in done.stderr


def test_an_unknown_interpreter_is_refused_in_words() -> None:
    done = run("package", PYTHON="/nowhere/python3")
    assert done.returncode != 0
    assert "PYTHON=/nowhere/python3 is not a Python >= 3.10" in done.stderr
