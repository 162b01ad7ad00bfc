"""Two of `kedge connect` over restarts of `kedge serve`; one is paused meanwhile, one is cut. For
the messenger see test_cli_serve, for FlowLayer test_cli_flowlayer."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from aio_world import Cable
from test_cli import Process, command, listening

USERS = ("--port", "0", "--user", "anna=a", "--user", "ben=b")
HURRIED = ("--backoff", "10ms..50ms")
PLACE = {"scope": "org", "scope_id": "1", "target": "blob", "target_id": "7"}


async def serve_at(server: Process, cables: Iterable[Cable]) -> None:
    url = await listening(server)
    for cable in cables:
        cable.target = int(url.split(":")[2].split("/")[0])
        cable.plug()


@asynccontextmanager
async def two(protocol: str) -> AsyncIterator[tuple[list[Cable], list[Process]]]:
    """Anna and Ben, each with a cable. No server is there yet."""
    async with Cable().laid() as first, Cable().laid() as second:
        arguments = ("connect", protocol, *HURRIED)
        async with (
            command(*arguments, first.url, "--token", "a") as anna,
            command(*arguments, second.url, "--token", "b") as ben,
        ):
            yield [first, second], [anna, ben]
            for run in (anna, ben):
                assert await run.end() == 0


def sessions(run: Process) -> list[list[int]]:
    """The numbers that came, of each of its sessions."""
    found: list[list[int]] = []
    for event in run.seen:
        if event["event"] == "ready":
            found.append([])
        if event["event"] in ("ready", "dispatch"):
            found[-1].append(event["seq"])
    return found


async def test_a_gateways_sessions_go_on_where_they_were(tmp_path: Path) -> None:
    serve = ("serve", "gateway", *USERS, "--state", tmp_path / "state", "--every", "5ms")

    async def further(run: Process) -> None:
        last = sessions(run)[-1][-1]
        await run.event(lambda event: event.get("seq", 0) > last + 20)

    async with two("gateway") as (cables, runs):
        anna, ben = runs
        for begin in ("ready", "resumed", "resumed"):
            async with command(*serve) as server:
                await serve_at(server, cables)
                ben.process.send_signal(signal.SIGCONT)
                for run in runs:
                    await run.named(begin)
                    await further(run)
                ben.process.send_signal(signal.SIGSTOP)
                await further(anna)
                cables[0].pull()
                cables[0].plug()
                await anna.named("resumed")
                await further(anna)
                for cable in cables:  # who hears of the end comes back within seconds, not at once
                    cable.pull()
                assert await server.end() == 0
        for ending in (signal.SIGKILL, signal.SIGTERM):  # there is no state after the first
            async with command(*serve) as server:
                await serve_at(server, cables)
                ben.process.send_signal(signal.SIGCONT)
                for run in runs:
                    await run.named("resumed" if ending is signal.SIGKILL else "ready")
                    await further(run)
                await server.end(ending)
        for run in runs:
            assert [numbers[0] for numbers in sessions(run)] == [1, 1]
            for numbers in sessions(run):
                assert numbers == list(range(1, len(numbers) + 1))
            assert not [event for event in run.seen if event["event"] in ("gap", "sync")]


async def test_a_blobhubs_subscriptions_are_asked_for_again() -> None:
    subscribe = json.dumps({"subscribe": {**PLACE, "types": ["touched"]}})
    told = 0

    def tell(server: Process, count: int = 20) -> None:
        nonlocal told
        for _ in range(count):
            told += 1
            server.say(json.dumps({**PLACE, "type": "touched", "event": {"n": told}}))

    def heard(run: Process) -> list[int]:
        return [event["payload"]["n"] for event in run.seen if event["event"] == "subscription"]

    async def hears(run: Process) -> None:
        await run.event(lambda event: event.get("payload") == {"n": told})

    async with two("blobhub") as (cables, runs):
        anna, ben = runs
        missed: set[int] = set()
        for ending in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            async with command("serve", "blobhub", *USERS) as server:
                await serve_at(server, cables)
                for run in runs:
                    await run.named("ready" if told == 0 else "reconnected")
                    if told == 0:
                        run.say(subscribe)
                    assert (await run.named("outcome"))["outcome"] == "answered"
                ben.process.send_signal(signal.SIGSTOP)
                tell(server)
                await hears(anna)
                cables[0].pull()
                first = told + 1
                tell(server)
                missed |= set(range(first, told + 1))
                ben.process.send_signal(signal.SIGCONT)
                await hears(ben)
                cables[0].plug()
                await anna.named("reconnected")
                assert (await anna.named("outcome"))["about"]["types"] == ["touched"]
                tell(server)
                for run in runs:
                    await hears(run)
                await server.end(ending)
        assert heard(ben) == list(range(1, told + 1))
        assert heard(anna) == [n for n in range(1, told + 1) if n not in missed]
