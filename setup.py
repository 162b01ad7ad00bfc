"""Compiles csrc/ and python/ext/ into kedge._core; what is not code stands in pyproject.toml."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

LIBZSTD = "libzstd >= 1.4.0"
ROOT = Path(__file__).resolve().parent


def version() -> str:
    """The version, from the one place where it is written."""
    header = (ROOT / "include/kedge/base.h").read_text(encoding="utf-8")
    found = re.search(r'^#define KEDGE_VERSION "([^"]+)"$', header, re.MULTILINE)
    if found is None:
        raise SystemExit("include/kedge/base.h does not define KEDGE_VERSION")
    return found.group(1)


def sources() -> list[str]:
    """The C library's sources, from the list that CMake reads too, and the binding's."""
    library = (ROOT / "csrc/sources.txt").read_text(encoding="utf-8").split()
    binding = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("python/ext/*.c"))
    return library + binding


def headers() -> list[str]:
    folders = ("include", "csrc", "python/ext")
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.h"))
    return sorted(str(path.relative_to(ROOT)) for path in found)


def pkg_config(option: str) -> list[str]:
    try:
        run = subprocess.run(
            ["pkg-config", option, LIBZSTD], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit(
            f"kedge needs {LIBZSTD}, found by pkg-config."
            " Debian, Ubuntu: apt-get install pkg-config libzstd-dev;"
            " Fedora: dnf install pkgconf libzstd-devel; macOS: brew install pkgconf zstd"
        ) from None
    return run.stdout.split()


ACROSS = ["-O3", "-flto=auto"]
"""Has gcc optimise across the sources: a call from layer to layer then costs nothing. Messages that
come become events 6 % faster by that."""


class BuildExtension(build_ext):
    """Finds libzstd when it is needed, not before, and compiles what changed, side by side."""

    def build_extension(self, ext: Extension) -> None:
        ext.extra_compile_args += pkg_config("--cflags")
        ext.extra_link_args += pkg_config("--libs")
        if self.optimises_across():
            ext.extra_compile_args += ACROSS
            ext.extra_link_args += ACROSS
        compile_all = self.compiler.compile
        newest_shared = max(os.path.getmtime(path) for path in ext.depends)

        def is_stale(source: str, target: str) -> bool:
            if self.force or not os.path.exists(target):
                return True
            return os.path.getmtime(target) < max(newest_shared, os.path.getmtime(source))

        def compile_stale(files: Sequence[str], output_dir: str, **options: Any) -> list[str]:
            objects: list[str] = self.compiler.object_filenames(files, output_dir=output_dir)
            stale = [s for s, target in zip(files, objects, strict=True) if is_stale(s, target)]
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda s: compile_all([s], output_dir=output_dir, **options), stale))
            return objects

        self.compiler.compile = compile_stale
        try:
            super().build_extension(ext)
        finally:
            self.compiler.compile = compile_all

    def optimises_across(self) -> bool:
        """True for what is to be installed, where the compiler and its linker can, and nobody says
        by CFLAGS what is wanted. Not in place: there the time that it takes counts for more."""
        if self.inplace or "CFLAGS" in os.environ:
            return False
        command = getattr(self.compiler, "compiler_so", None)
        if not command or sys.platform != "linux":
            return False
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text("int probe(void);\nint probe(void)\n{\n    return __GNUC__;\n}\n")
            probe = [command[0], *ACROSS, "-Werror", "-fPIC", "-shared", "-o", f"{source}.so"]
            try:
                said = subprocess.run([command[0], "--version"], capture_output=True, text=True)
                made = subprocess.run([*probe, str(source)], capture_output=True)
            except OSError:
                return False
        return "Free Software Foundation" in said.stdout and made.returncode == 0


# tools/extension.sh has the package known first, and compiled then, once.
WITHOUT_EXTENSION = "KEDGE_WITHOUT_EXTENSION" in os.environ

setup(
    version=version(),
    ext_modules=[]
    if WITHOUT_EXTENSION
    else [
        Extension(
            "kedge._core",
            sources=sources(),
            depends=[*headers(), "setup.py"],
            include_dirs=["include", "csrc"],
            define_macros=[("KEDGE_STATIC", None)],
            extra_compile_args=["-std=c11", "-fvisibility=hidden"],
        )
    ],
    cmdclass={"build_ext": BuildExtension},
)
