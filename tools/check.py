"""Runs the steps of `make test`, or some of them: two or more at once, one line each.

    tools/check.py [GROUP or STEP ...]

What a step needs is run before it. The output of a step goes to build/log/NAME.log and is shown if
the step fails. A step that tests many things says so by `N passed, N failed`; any other counts as
one. The last line is the sum.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build/log"
PYTHON = sys.executable
TOOLS = Path(PYTHON).parent
JOBS = str(os.cpu_count() or 1)
TIME_LIMIT = 900.0


@dataclass(frozen=True)
class Step:
    """One line of the report: a command, run when the steps it needs have passed, and those that it
    comes after have ended."""

    name: str
    title: str
    command: str
    groups: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    passed: int
    failed: int
    seconds: float
    output: str = ""


# Those whose peers are system packages, and our part of the one whose are fetched by `make bench`.
BENCHES = (
    "-t bench-mask -t bench-utf8 -t bench-zstd -t bench-hub -t bench-frame -t bench-envelope-ours"
    " -t bench-load"
)
TARGETS = "-t kedge_shared -t kedge-tests -t kedge-fuzz -t kedge-sim"


def cmake(folder: str, options: str, targets: str = TARGETS) -> str:
    configure = f"cmake -S . -B {folder} -DKEDGE_WERROR=ON {options}"
    return f"{configure} && cmake --build {folder} -j {JOBS} {targets}"


def replay(name: str, title: str, folder: str, need: str, group: str) -> Step:
    return Step(name, title, f"{PYTHON} tools/fuzz.py replay {folder}/fuzz", (group,), (need,))


C_FOLDERS = ("include", "csrc", "python/ext", "tests", "examples", "benchmarks", "docs")
C_FILES = " ".join(
    sorted(
        str(path.relative_to(ROOT))
        for folder in C_FOLDERS
        for path in (ROOT / folder).rglob("*.[ch]")
    )
)
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}

VALGRIND = (
    "valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=all"
    " --show-leak-kinds=all --track-origins=no"
)


def suites_of(part: int, parts: int) -> str:
    """The names of every so many-th suite, so that no step takes too long."""
    suites = re.findall(r"^SUITE\((\w+)\)", (ROOT / "tests/c/suites.h").read_text(), re.MULTILINE)
    return " ".join(suites[part::parts])


def sanitized(compiler: str, parts: int) -> Iterable[Step]:
    """The C tests, the simulation and the corpora under the sanitizers of gcc or clang."""
    folder, build = f"build/sanitize-{compiler}", f"build-sanitize-{compiler}"
    options = (
        f"-DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1 -DCMAKE_C_COMPILER={compiler}"
        " -DKEDGE_SANITIZE=address,undefined"
    )
    yield Step(build, f"build with {compiler}'s ASan and UBSan", cmake(folder, options))
    for part in range(parts):
        yield Step(
            f"suites-{compiler}-{part + 1}",
            f"C tests under them, {compiler}, part {part + 1} of {parts}",
            f"{folder}/kedge-tests {suites_of(part, parts)}",
            ("sanitize",),
            (build,),
            environment=SANITIZERS | {"CK_TIMEOUT_MULTIPLIER": "10"},
        )
    yield Step(
        f"sim-{compiler}",
        f"1000 simulated worlds under them, {compiler}",
        f"{folder}/kedge-sim 1000",
        ("sanitize",),
        (build,),
        environment=SANITIZERS,
    )
    yield replay(
        f"corpora-{compiler}", f"the fuzz corpora under them, {compiler}", folder, build, "sanitize"
    )


PYTHON_PARTS = 4

# Their subject is no Python object, and what they run is no Python program.
NOT_IN_PYTHON = tuple(
    f"tests/python/test_{name}.py"
    for name in (
        "bench",
        "c_examples",
        "demo_c",
        "mutants",
        "packaging",
        "pages",
        "skeleton_lists",
        "skeleton_setup",
    )
)


def in_python(name: str, title: str, group: str, command: str, **more: Any) -> Iterable[Step]:
    """The tests that are left, in parts, so that no step takes too long."""
    there = sorted(ROOT.glob("tests/python/test_*.py"))
    files = [file for path in there if (file := str(path.relative_to(ROOT))) not in NOT_IN_PYTHON]
    needs = ("build-c", "build-python", *more.pop("needs", ()))
    for part in range(PYTHON_PARTS):
        yield Step(
            f"{name}-{part + 1}",
            f"{title}, part {part + 1} of {PYTHON_PARTS}",
            f"{command} -q --color=no -p no:cacheprovider {' '.join(files[part::PYTHON_PARTS])}",
            (group,),
            needs,
            after=("build-examples",),
            **more,
        )


def sanitized_python() -> Iterable[Step]:
    """The Python tests with an extension under the sanitizers, and under CPython's own checks.

    CPython's memory comes from malloc then, so that a step beyond a bytes object is seen too. What
    it keeps until it ends is its own business: that nothing of ours stays is for the tests.
    """
    folder = "build/sanitize-python"
    flags = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined"
    pytest = f"{PYTHON} -X dev -m pytest -o timeout=600"
    yield Step(
        "build-python-sanitized",
        "build the extension with ASan and UBSan",
        f"CC=gcc CFLAGS='{flags} -fno-sanitize-recover=all' LDFLAGS='-fsanitize=address,undefined'"
        f" {PYTHON} setup.py -q build --build-base {folder} --build-lib {folder}/lib",
    )
    yield from in_python(
        "test-python-sanitized",
        "Python tests under ASan and UBSan",
        "sanitize-python",
        f"LD_PRELOAD=$(gcc -print-file-name=libasan.so) {pytest}",
        needs=("build-python-sanitized",),
        environment={
            "PYTHONPATH": str(ROOT / folder / "lib"),
            "PYTHONMALLOC": "malloc",
            "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1:strict_string_checks=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        },
    )
    yield from in_python(
        "test-python-debug",
        "Python tests under PYTHONMALLOC=debug -X dev",
        "debug-python",
        pytest,
        environment={"PYTHONMALLOC": "debug"},
    )


def measured_python() -> Iterable[Step]:
    """Which lines and branches of python/kedge the Python tests reach, in every process that they
    start: each writes what it ran when it ends."""
    folder = "build/coverage-python"
    yield Step(
        "begin-coverage-python", "forget the last measure", f"rm -rf {folder}; mkdir {folder}"
    )
    tests = list(
        in_python(
            "coverage-python",
            "Python tests, measured",
            "coverage-python",
            f"{PYTHON} -m coverage run -m pytest",
            needs=("begin-coverage-python",),
        )
    )
    yield from tests
    yield Step(
        "report-coverage-python",
        "lines and branches of python/kedge",
        f"{PYTHON} -m coverage combine -q && {PYTHON} -m coverage report",
        ("coverage-python",),
        after=tuple(step.name for step in tests),
    )


def valgrinded(parts: int) -> Iterable[Step]:
    """The C tests under valgrind."""
    for part in range(parts):
        yield Step(
            f"suites-valgrind-{part + 1}",
            f"C tests under valgrind, part {part + 1} of {parts}",
            f"{VALGRIND} build/valgrind/kedge-tests {suites_of(part, parts)}",
            ("valgrind",),
            ("build-valgrind",),
            environment={"CK_FORK": "no"},
        )


STEPS = (
    Step(
        "build-c",
        "build the C library and its tests",
        cmake("build/c", "-DCMAKE_BUILD_TYPE=RelWithDebInfo -DKEDGE_BENCH=ON"),
        ("build",),
    ),
    Step(
        "build-examples",
        "build the C examples",
        f"cmake --build build/c -j {JOBS}",
        ("build", "test-c"),
        ("build-c",),
    ),
    Step(
        "build-bench",
        "build the programs of make bench",
        f"cmake --build build/c -j {JOBS} {BENCHES}",
        ("test-c",),
        ("build-c",),
        after=("build-examples",),  # in the same folder
    ),
    Step(
        "build-python",
        "build the Python extension",
        "tools/extension.sh strict",
        ("build",),
    ),
    Step("clang-tidy", "clang-tidy", f"{PYTHON} tools/tidy.py", ("lint",)),
    Step("test-suites", "C tests", "build/c/kedge-tests", ("test-c",), ("build-c",)),
    replay("corpora", "the fuzz corpora", "build/c", "build-c", "test-c"),
    Step("sim", "2000 simulated worlds", "build/c/kedge-sim 2000", ("test-c",), ("build-c",)),
    Step(
        "test-python",
        "Python tests",
        f"{PYTHON} -m pytest -q --color=no",
        ("test-python",),
        ("build-c", "build-python"),
        after=("build-examples",),
    ),
    Step("headers", "each header alone, C11 and C++17", f"{PYTHON} tools/headers.py", ("test-c",)),
    Step("install", "the installed library", "tests/install/check.sh", ("test-c",)),
    Step(
        "clang-format",
        "clang-format",
        f"{TOOLS}/clang-format --dry-run -Werror {C_FILES}",
        ("lint",),
    ),
    Step("ruff", "ruff check", f"{TOOLS}/ruff check -q .", ("lint",)),
    Step("ruff-format", "ruff format", f"{TOOLS}/ruff format -q --check .", ("lint",)),
    Step("mypy", "mypy --strict", f"{TOOLS}/mypy python/kedge tools benchmarks", ("lint",)),
    Step(
        "mypy-examples", "mypy --strict on the examples", f"{TOOLS}/mypy examples/*.py", ("lint",)
    ),
    Step("pyright", "pyright on the examples and the stubs", f"{TOOLS}/pyright", ("lint",)),
    Step(
        "site",
        "the documentation's site",
        f"{TOOLS}/mkdocs build -q",
        ("lint",),
        environment={"NO_MKDOCS_2_WARNING": "1"},
    ),
    Step(
        "stubs",
        "stubs against the extension",
        f"{PYTHON} -m mypy.stubtest --mypy-config-file pyproject.toml kedge._core",
        ("lint",),
        ("build-python",),
    ),
    *sanitized_python(),
    *sanitized("gcc", parts=4),
    *sanitized("clang", parts=4),
    Step(
        "build-valgrind",
        "build for valgrind",
        cmake("build/valgrind", "-DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1"),
    ),
    *valgrinded(parts=6),
    Step(
        "build-fuzz",
        "build for libFuzzer",
        cmake(
            "build/fuzz/build",
            "-DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang -DKEDGE_FUZZ=ON"
            " -DKEDGE_SANITIZE=fuzzer-no-link,address,undefined",
            "-t kedge-fuzz",
        ),
    ),
    Step(
        "build-coverage",
        "build for gcov",
        cmake(
            "build/coverage",
            "-DCMAKE_BUILD_TYPE=None -DCMAKE_C_COMPILER=gcc '-DCMAKE_C_FLAGS=-O0 -g --coverage'",
            "-t kedge-tests",
        ),
    ),
    Step(
        "coverage",
        "lines and branches of csrc/",
        "find build/coverage -name '*.gcda' -delete; build/coverage/kedge-tests && "
        f"{PYTHON} tools/coverage.py build/coverage",
        ("coverage",),
        ("build-coverage",),
        environment={"CK_TIMEOUT_MULTIPLIER": "10"},
    ),
    *measured_python(),
    Step(
        "build-32",
        "build for 32 bits",
        "tools/sysroot.sh && "
        + cmake(
            "build/test-32",
            "-DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_TOOLCHAIN_FILE=cmake/i386.cmake",
            "-t kedge-tests -t kedge-fuzz",
        ),
    ),
    Step(
        "suites-32",
        "C tests, 32 bits",
        "build/test-32/kedge-tests",
        ("test-32",),
        ("build-32",),
        environment={"CK_TIMEOUT_MULTIPLIER": "2"},
    ),
    replay("corpora-32", "the fuzz corpora, 32 bits", "build/test-32", "build-32", "test-32"),
)

# The steps that test many things; their last lines are believed.
COUNTING = (
    "test-suites",
    "test-python",
    "headers",
    "install",
    "suites-",
    "corpora",
    "coverage-python-",
)


def counts_tests(step: Step) -> bool:
    return step.name.startswith(COUNTING)


DEFAULT_GROUPS = ("build", "lint", "test-c", "test-python")


def chosen(words: Iterable[str]) -> list[Step]:
    """The steps that the words name, by themselves or by group, and those before them, in order."""
    by_name = {step.name: step for step in STEPS}
    wanted: set[str] = set()

    def want(name: str) -> None:
        if name not in wanted:
            wanted.add(name)
            for needed in by_name[name].needs + by_name[name].after:
                want(needed)

    for word in words:
        names = [step.name for step in STEPS if word == step.name or word in step.groups]
        if not names:
            raise SystemExit(f"check.py: there is no step or group {word!r}")
        for name in names:
            want(name)
    return [step for step in STEPS if step.name in wanted]


def counted(output: str) -> tuple[int, int] | None:
    """What the last line with `N passed` or `N failed` says; pytest's errors are failures."""
    for line in reversed(output.splitlines()):
        numbers = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|errors?)\b", line)}
        if numbers:
            errors = numbers.get("error", 0) + numbers.get("errors", 0)
            return numbers.get("passed", 0), numbers.get("failed", 0) + errors
    return None


def run(step: Step) -> Outcome:
    begin = time.monotonic()
    log = LOGS / f"{step.name}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["bash", "-c", step.command],
            cwd=ROOT,
            env=os.environ | step.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(TIME_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
            out.write(f"\nkilled after {TIME_LIMIT:.0f} s\n")
    output = log.read_text(errors="replace")
    counts = counted(output) if counts_tests(step) else None
    passed, failed = counts or (int(status == 0), int(status != 0))
    if status != 0 and failed == 0:
        failed = 1
    return Outcome(passed, failed, time.monotonic() - begin, output)


def report(step: Step, outcome: Outcome) -> None:
    word = "FAIL" if outcome.failed else "ok"
    count = f"{outcome.passed:6} passed" if counts_tests(step) else ""
    if outcome.failed and counts_tests(step):
        count += f", {outcome.failed} failed"
    print(f"{word:4}  {step.title:42} {outcome.seconds:6.1f} s {count}".rstrip(), flush=True)
    if outcome.failed:
        print(outcome.output.rstrip(), flush=True)
        print(f"----  end of build/log/{step.name}.log", flush=True)


def run_all(steps: list[Step]) -> list[Outcome]:
    """Runs the steps, side by side where their needs allow it."""
    waiting = list(steps)
    running: dict[Future[Outcome], Step] = {}
    finished: dict[str, Outcome] = {}
    slots = max(2, os.cpu_count() or 1)
    with ThreadPoolExecutor(slots) as pool:
        while waiting or running:
            for step in list(waiting):
                broken = [n for n in step.needs if n in finished and finished[n].failed]
                if broken:
                    waiting.remove(step)
                    finished[step.name] = Outcome(0, 1, 0.0, f"not run: {broken[0]} failed")
                    report(step, finished[step.name])
                elif len(running) < slots and all(n in finished for n in step.needs + step.after):
                    waiting.remove(step)
                    running[pool.submit(run, step)] = step
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                finished[step.name] = future.result()
                report(step, finished[step.name])
    return [finished[step.name] for step in steps]


def finish(steps: list[Step]) -> int:
    """Runs them and tells the sum; the exit code."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (ROOT / "build/check.lock").open("w") as lock:
        # Two runs in one tree would build over each other: the second waits.
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcomes = run_all(steps)
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def main() -> int:
    return finish(chosen(sys.argv[1:] or DEFAULT_GROUPS))


if __name__ == "__main__":
    sys.exit(main())
