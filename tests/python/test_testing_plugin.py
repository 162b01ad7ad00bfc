"""The pytest plugin, from the outside: tests of others that use it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SERVER = """
import asyncio
import kedge
import pytest
from kedge import Identify, Resume

hub = kedge.gateway.Hub()

async def handler(link):
    async for event in link:
        if isinstance(event, Identify | Resume):
            link.accept(event, user=event.token, topics=["room"])
"""


def run(pytester: pytest.Pytester, code: str, *options: str) -> pytest.RunResult:
    """Runs tests in a process of their own, without whatever else is installed for coroutines."""
    pytester.makepyfile(SERVER + code)
    return pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:anyio", *options)


def test_the_fixtures_are_there_and_say_what_they_are(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures", "-p", "no:asyncio")
    result.stdout.fnmatch_lines(
        ["kedge_seed -- *", "kedge_clock -- *", "kedge_network -- *", "kedge_peer -- *"]
    )
    pytester.runpytest_subprocess("--help", "-p", "no:asyncio").stdout.fnmatch_lines(
        ["*--kedge-seed=*"]
    )


def test_a_coroutine_test_runs_on_virtual_time(pytester: pytest.Pytester) -> None:
    code = """
async def test_an_hour(kedge_clock):
    await asyncio.sleep(3599)
    assert kedge_clock.elapsed == pytest.approx(3599)

class TestMethods:
    @pytest.mark.parametrize("seconds", [1, 1000])
    async def test_any(self, seconds, kedge_clock):
        await asyncio.sleep(seconds)
        assert kedge_clock.elapsed == pytest.approx(seconds)

def test_plain(kedge_clock):
    kedge_clock.run(asyncio.sleep(10))
    assert kedge_clock.elapsed == pytest.approx(10)
"""
    run(pytester, code).assert_outcomes(passed=4)


def test_a_failure_that_has_nothing_to_do_with_it_is_left_alone(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_fails():\n    assert hub is None")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*--kedge-seed*")
    result.stdout.no_fnmatch_line("*- kedge -*")


@pytest.mark.parametrize("others", [(), ("-p", "no:asyncio", "-p", "no:anyio")])
def test_a_tests_own_decorators_stay(pytester: pytest.Pytester, others: tuple[str, ...]) -> None:
    code = """
import functools
import os
from unittest import mock

def delegating(function):
    @functools.wraps(function)
    def delegate(*arguments, **options):
        return function(*arguments, **options)
    return delegate

@mock.patch("os.getcwd", return_value="elsewhere")
async def test_patched(getcwd, kedge_clock):
    await asyncio.sleep(1000)
    assert os.getcwd() == "elsewhere"

class TestMethods:
    @mock.patch("os.getcwd", return_value="elsewhere")
    async def test_patched(self, getcwd, kedge_clock):
        await asyncio.sleep(1000)
        assert os.getcwd() == "elsewhere"

    @delegating
    async def test_delegated(self, kedge_clock):
        await asyncio.sleep(1000)
        assert kedge_clock.elapsed == pytest.approx(1000)
"""
    pytester.makepyfile(SERVER + code)
    pytester.runpytest_subprocess(*others).assert_outcomes(passed=3)


@pytest.mark.parametrize("options", [("--asyncio-mode=auto",), ("--asyncio-mode=strict",)])
def test_it_does_so_beside_pytest_asyncio(pytester: pytest.Pytester, options: list[str]) -> None:
    code = """
async def test_an_hour(kedge_clock):
    await asyncio.sleep(3599)
    assert kedge_clock.elapsed == pytest.approx(3599)

@pytest.mark.asyncio
async def test_marked(kedge_clock):
    await asyncio.sleep(3599)
    assert kedge_clock.elapsed == pytest.approx(3599)

@pytest.mark.asyncio
async def test_in_real_time(kedge_peer):
    async with kedge_peer.serve() as host, kedge_peer.connect(host.url) as client:
        server = await host.accepted()
        client.send({"type": "news"})
        await server.expect({"type": "news"})
"""
    pytester.makepyfile(SERVER + code)
    result = pytester.runpytest_subprocess(
        *options, "-o", "asyncio_default_fixture_loop_scope=function"
    )
    result.assert_outcomes(passed=3)


def test_a_failure_shows_who_said_what_when_and_in_which_state(pytester: pytest.Pytester) -> None:
    code = """
async def test_ready_comes_twice(kedge_clock, kedge_peer):
    async with kedge.serve(handler, hub=hub) as server:
        async with kedge_peer.connect(server.urls[0], "gateway") as peer:
            await peer.expect({"type": "hello"})
            peer.send({"type": "identify", "d": {"token": "anna"}})
            await peer.expect({"type": "ready", "seq": 1})
            await peer.expect({"type": "ready", "seq": 2}, within=30)
"""
    result = run(pytester, code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            'E * expected of the server: {"type": "ready", "seq": 2}',
            "E * got: nothing within 30 s",
            "* kedge *",
            "to repeat it: --kedge-seed=*",
            "* kedge *",
            "the scripted gateway client of ws://127.0.0.1:*",
            '*0.000 s  server  {"seq":0,"type":"hello","d":{"heartbeat_interval":45000}}',
            "*client *, server *",
            '*0.000 s  client  {"type":"identify",*',
            "*client *, server *",
            '*0.000 s  server  {"seq":1,"type":"ready",*',
        ]
    )


def test_a_test_that_waits_for_ever_ends_and_says_for_what(pytester: pytest.Pytester) -> None:
    code = """
async def test_forever(kedge_clock):
    await asyncio.Event().wait()
"""
    result = run(pytester, code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E * at 0.000 s: nothing will ever happen; what waits:", "E *test_forever (*.py:*)"]
    )


def test_the_seed_is_the_tests_own_or_the_one_that_is_given(pytester: pytest.Pytester) -> None:
    code = """
import random

def test_own(kedge_seed, kedge_network, kedge_peer):
    assert kedge_seed == kedge_network.seed == kedge_peer.seed
    print("seed", kedge_seed)

def test_other(kedge_seed):
    print("seed", kedge_seed)
"""

    def seeds(*options: str) -> list[str]:
        result = run(pytester, code, "-s", *options)
        result.assert_outcomes(passed=2)
        return [line for line in result.outlines if line.endswith(".") or "seed " in line]

    assert seeds() == seeds()
    assert "seed 7" in "\n".join(seeds("--kedge-seed=7"))
    result = run(pytester, code, "-s", "--kedge-seed=7")
    assert result.stdout.str().count("seed 7") == 2


def test_faults_of_a_seed_are_the_same_each_time(pytester: pytest.Pytester) -> None:
    code = """
async def test_a_storm(kedge_clock, kedge_network):
    async with kedge.serve(handler, hub=hub) as server:
        async with kedge_network.between(server.urls[0]) as url:
            client = kedge.gateway.Client(token="ben")
            kedge_network.storm(5, 50)
            seen = 0
            async with kedge.connect(url, client) as stream:
                async for event in stream:
                    if isinstance(event, kedge.Closed):
                        print(f"closed at {kedge_clock.elapsed:.9f}")
                        seen += 1
                        if seen == 5:
                            break
"""

    def story() -> list[str]:
        result = run(pytester, code, "-s", "--kedge-seed=3")
        result.assert_outcomes(passed=1)
        return [line for line in result.outlines if "closed at" in line]

    assert len(story()) == 5
    assert story() == story()


def test_without_a_failure_nothing_is_said(pytester: pytest.Pytester) -> None:
    code = """
def test_nothing(kedge_peer, kedge_network):
    assert kedge_peer.report == ""
"""
    result = run(pytester, code)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*kedge-seed*")
