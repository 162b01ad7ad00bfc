"""The sdist holds all that it needs: a wheel is built from it, and works where nothing else is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import kedge
import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def build(kind: str, source: Path, out: Path) -> Path:
    run(sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", out, source, cwd=out)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked sdist."""
    archive = build("--sdist", ROOT, tmp_path_factory.mktemp("sdist"))
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(folder)
    (unpacked,) = folder.iterdir()
    return unpacked


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("--wheel", sdist, tmp_path_factory.mktemp("wheel"))


def test_the_sdist_has_every_file_of_the_library_and_the_package(sdist: Path) -> None:
    wanted = {
        path.relative_to(ROOT)
        for pattern in ("csrc/**/*.[ch]", "include/**/*.h", "python/**/*.[ch]", "python/**/*.py*")
        for path in ROOT.glob(pattern)
        if path.suffix not in (".pyc", ".pyo")
    }
    assert {path for path in wanted if not (sdist / path).is_file()} == set()
    assert not list(sdist.rglob("*.so"))


def test_the_c_library_is_built_from_the_sdist(sdist: Path, tmp_path: Path) -> None:
    run("cmake", "-S", sdist, "-B", tmp_path, "-DKEDGE_TESTS=OFF")
    run("cmake", "--build", tmp_path, "--target", "kedge_static")
    assert (tmp_path / "libkedge.a").is_file()


def test_the_wheel_works_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    assert "kedge/py.typed" in names
    assert "kedge/_core.pyi" in names
    assert not [name for name in names if name.endswith((".c", ".h"))]
    assert {name.split("/")[0] for name in names} == {
        "kedge",
        f"kedge-{kedge.__version__}.dist-info",
    }
    program = "import kedge; print(kedge.__version__, kedge.__file__)"
    said = run(sys.executable, "-S", "-c", program, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert said.split() == [kedge.__version__, str(tmp_path / "kedge/__init__.py")]


def test_the_wheel_exports_nothing_but_its_module(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (extension,) = (name for name in archive.namelist() if name.endswith(".so"))
        archive.extract(extension, tmp_path)
    symbols = run("nm", "-D", "--defined-only", tmp_path / extension)
    assert re.findall(r" T (\w+)$", symbols, re.MULTILINE) == ["PyInit__core"]


def test_without_libzstd_the_build_says_what_to_install(sdist: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", tmp_path],
        cwd=sdist,
        env=os.environ | {"PKG_CONFIG_LIBDIR": str(tmp_path), "PKG_CONFIG_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "kedge needs libzstd >= 1.4.0, found by pkg-config." in done.stderr
    assert "apt-get install pkg-config libzstd-dev" in done.stderr
