"""What `make wheel` makes: an sdist that has all that a build needs, a wheel that needs nothing."""

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

# What the library has loaded, and whether its libzstd is the package's own.
LOADED = """
import kedge.gateway
from pathlib import Path

package = Path(kedge.__file__).parent
maps = Path("/proc/self/maps").read_text().splitlines()
paths = {line.split(maxsplit=5)[5] for line in maps if len(line.split(maxsplit=5)) == 6}
print(*sorted(path for path in paths if "zstd" in path or str(package) in path), sep="\\n")
"""


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(os.environ) if env is None else env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make wheel` fills."""
    folder = tmp_path_factory.mktemp("dist")
    run(ROOT / "tools/wheel.sh", folder)
    return folder


@pytest.fixture(scope="module")
def archive(dist: Path) -> Path:
    (sdist,) = dist.glob("*.tar.gz")
    return sdist


@pytest.fixture(scope="module")
def sdist(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked sdist."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(folder)
    (unpacked,) = folder.iterdir()
    return unpacked


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (built,) = dist.glob("*.whl")
    return built


def installed(package: Path, folder: Path, *options: str) -> Path:
    """The `bin` of an empty virtual environment with nothing but this package in it."""
    run(sys.executable, "-m", "venv", folder)
    install = ("-m", "pip", "install", "-q", "--disable-pip-version-check", *options)
    others = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run(folder / "bin/python", *install, package, cwd=folder, env=others)
    return folder / "bin"


def bare(folder: Path) -> dict[str, str]:
    """An environment in which there is nothing but that folder: no compiler, no other packages."""
    return {"PATH": str(folder), "HOME": str(folder)}


def demo(folder: Path) -> str:
    return run(folder / "kedge", "demo", cwd=folder, env=bare(folder))


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


def test_the_sdist_installs_into_an_empty_environment(archive: Path, tmp_path: Path) -> None:
    folder = installed(archive, tmp_path / "venv")
    assert len(re.findall(r"^\w+ +ok ", demo(folder), re.MULTILINE)) == 4


def test_the_wheel_holds_the_package_and_its_libzstd_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "kedge/py.typed" in names
    assert "kedge/_core.pyi" in names
    assert not [name for name in names if name.endswith((".c", ".h"))]
    assert {name.split("/")[0] for name in names} == {
        "kedge",
        "kedge.libs",
        f"kedge-{kedge.__version__}.dist-info",
    }
    (library,) = (name for name in names if re.match("kedge.libs/.", name))
    assert "libzstd" in library


def test_the_wheel_is_for_any_linux_that_is_new_enough(wheel: Path) -> None:
    assert re.search(r"-manylinux_2_\d+_\w+\.whl$", wheel.name)


def test_the_wheel_needs_no_compiler_and_no_system_package(wheel: Path, tmp_path: Path) -> None:
    folder = installed(wheel, tmp_path / "venv", "--no-index")
    loaded = run(folder / "python", "-c", LOADED, cwd=tmp_path, env=bare(folder)).split()
    assert any("/kedge.libs/libzstd" in path for path in loaded)
    assert not [path for path in loaded if "zstd" in path and "/kedge.libs/" not in path]
    assert len(re.findall(r"^\w+ +ok ", demo(folder), re.MULTILINE)) == 4


def test_the_wheel_exports_nothing_but_its_module(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (extension,) = (name for name in archive.namelist() if "/_core" in name and ".so" in name)
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
