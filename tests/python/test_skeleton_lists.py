"""What is written once is the same everywhere, and no file is forgotten by a list."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import kedge
from kedge import _core

ROOT = Path(__file__).resolve().parents[2]


def header_version() -> str:
    header = (ROOT / "include/kedge/base.h").read_text()
    (version,) = re.findall(r'^#define KEDGE_VERSION "(\d+\.\d+\.\d+)"$', header, re.MULTILINE)
    return version


def test_the_package_has_the_version_of_the_header() -> None:
    assert _core.version == header_version()
    assert kedge.__version__ == header_version()
    assert metadata.version("kedge") == header_version()


def test_the_command_tells_the_version() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "kedge", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout == f"kedge {header_version()}\n"


def test_the_build_has_the_version_of_the_header() -> None:
    cache = (ROOT / "build/c/CMakeCache.txt").read_text()
    assert f"CMAKE_PROJECT_VERSION:STATIC={header_version()}\n" in cache
    package = (ROOT / "build/c/kedge.pc").read_text()
    assert f"\nVersion: {header_version()}\n" in package


def test_the_version_is_written_nowhere_else() -> None:
    files = [ROOT / name for name in ("CMakeLists.txt", "setup.py", "pyproject.toml", "Makefile")]
    files += [*ROOT.glob("cmake/*"), *ROOT.glob("tools/*.py"), *ROOT.glob("tools/*.sh")]
    files += ROOT.glob("python/kedge/**/*.py")
    quoted = re.compile(rf"""(version|VERSION).*["' ]{re.escape(header_version())}\b""")
    assert [file for file in files if quoted.search(file.read_text())] == []


def test_the_changelog_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"\n## {header_version()}" in changelog


def test_the_list_of_sources_is_complete_and_sorted() -> None:
    listed = (ROOT / "csrc/sources.txt").read_text().splitlines()
    there = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("csrc/**/*.c"))
    assert listed == there


def test_the_list_of_suites_is_complete_and_sorted() -> None:
    text = (ROOT / "tests/c/suites.h").read_text()
    listed = re.findall(r"^SUITE\((\w+)\)$", text, re.MULTILINE)
    there = sorted(path.stem.removeprefix("test_") for path in ROOT.glob("tests/c/test_*.c"))
    assert listed == there


def test_the_statuses_of_python_are_those_of_the_header() -> None:
    header = (ROOT / "include/kedge/base.h").read_text()
    written = re.findall(r'^    X\((\w+), (\d+), "(.*)"\)', header, re.MULTILINE)
    assert [(name, text, code) for _, name, text, code in _core.statuses] == [
        (name, text, int(code)) for name, code, text in written
    ]
    numbers = [number for number, *_ in _core.statuses]
    assert numbers[0] == 0
    assert numbers == sorted(set(numbers))


def test_the_readme_names_commands_that_there_are() -> None:
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert {"demo", "test"} <= named
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert named <= set(phony.split())
