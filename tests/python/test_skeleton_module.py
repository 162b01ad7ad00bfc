"""The extension as a module: made anew each time it is loaded, without static state."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType

from kedge import _core


def load_again() -> ModuleType:
    spec = importlib.util.find_spec("kedge._core")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def test_a_second_load_is_a_module_of_its_own() -> None:
    again = load_again()
    assert again is not _core
    assert again.statuses is not _core.statuses
    assert again.statuses == _core.statuses


def test_loading_again_and_again_leaks_nothing() -> None:
    # A leaked table or type is more than ten blocks a load; interpreters keep a few themselves.
    program = """
import gc, importlib.util, sys
spec = importlib.util.find_spec("kedge._core")
def load():
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
def blocks():
    gc.collect()
    return sys.getallocatedblocks()
for _ in range(60):  # until the interpreter's own caches are full
    load()
before = blocks()
for _ in range(50):
    load()
print(blocks() - before)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 50 * 10
