"""The fixtures of `pip install kedge[pytest]`, and what a failing test reports."""

from __future__ import annotations

import functools
import inspect
import zlib
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

# Every run of pytest loads this module; what the fixtures need, those load that use them.
if TYPE_CHECKING:
    from kedge.testing import Clock, Network, Peers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("kedge").addoption(
        "--kedge-seed",
        type=int,
        default=None,
        help="the seed of all faults; without it each test has its own, by its name",
    )


@pytest.fixture
def kedge_seed(request: pytest.FixtureRequest) -> int:
    """What the faults of this test are drawn from: --kedge-seed, or a number of the test's own."""
    seed: int | None = request.config.getoption("--kedge-seed")
    return zlib.crc32(request.node.nodeid.encode()) if seed is None else seed


@pytest.fixture
def kedge_clock(kedge_seed: int) -> Clock:
    """Virtual time: see kedge.testing.Clock. A coroutine test that has it runs on it."""
    from kedge.testing import Clock

    return Clock(kedge_seed)


@pytest.fixture
def kedge_network(kedge_seed: int) -> Network:
    """Faults between a client and a server: see kedge.testing.Network."""
    from kedge.testing import Network

    return Network(kedge_seed)


@pytest.fixture
def kedge_peer(kedge_seed: int) -> Peers:
    """Scripted peers of any protocol and role: see kedge.testing.Peers."""
    from kedge.testing import Peers

    return Peers(kedge_seed)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """Runs a coroutine test on virtual time, whatever else runs coroutines here."""
    # Beneath what plugins that run coroutines put around it; a test's own decorators stay.
    function = inspect.unwrap(pyfuncitem.obj, stop=inspect.iscoroutinefunction)
    if "kedge_clock" not in pyfuncitem.funcargs or not inspect.iscoroutinefunction(function):
        return None
    clock: Any = pyfuncitem.funcargs["kedge_clock"]
    if pyfuncitem.instance is not None and not inspect.ismethod(function):
        function = functools.partial(function, pyfuncitem.instance)
    names = pyfuncitem._fixtureinfo.argnames
    clock.run(function(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to a failure what was said."""
    report = yield
    if report.when == "call" and report.failed:
        funcargs: dict[str, Any] = getattr(item, "funcargs", {})
        report.sections += [("kedge", text) for text in _said(funcargs) if text]
    return report


def _said(funcargs: dict[str, Any]) -> Iterator[str]:
    if "kedge_seed" in funcargs:
        yield f"to repeat it: --kedge-seed={funcargs['kedge_seed']}"
    if "kedge_peer" in funcargs:
        yield funcargs["kedge_peer"].report
