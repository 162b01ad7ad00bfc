"""What the tests of asyncio hosts share: servers, clients that keep records, cables, patience."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import kedge
from kedge._hub import HubCalls
from kedge.aio import Link, Stream
from kedge.gateway import (
    Client,
    Closed,
    Dispatch,
    Event,
    Gap,
    Hub,
    Identify,
    Message,
    Ready,
    Resume,
    Resumed,
)
from kedge.testing import Network

T = TypeVar("T")
PATIENCE = 30.0
TOPIC = "all"

__all__ = ["Cable", "Record", "client_of", "handle", "links_there", "nothing_left", "soon", "until"]


class Cable(Network):
    """A way to a server that is pulled out and put back."""

    url = ""

    @property
    def target(self) -> int:
        return self._target

    @target.setter
    def target(self, port: int) -> None:
        self._target = port
        self.redirect(f"ws://127.0.0.1:{port}")

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Cable]:
        """Meanwhile `url` leads to whatever port `target` says."""
        async with self.between("ws://127.0.0.1:9") as self.url:
            yield self

    def pull(self) -> None:
        """Cuts what goes through it, without a word to either side, and lets nothing in."""
        self.refuse()
        self.cut()

    def plug(self) -> None:
        self.accept()


def soon(awaitable: Awaitable[T]) -> Awaitable[T]:
    """It ends within the time that a test has."""
    return asyncio.wait_for(awaitable, PATIENCE)


def links_there(hub: HubCalls) -> int:
    """How many there are. From Python 3.12 on a task that was cancelled, or whose socket was
    aborted, leaves what it had in a cycle."""
    gc.collect()
    return hub.counts["links"]


async def until(condition: Callable[[], Any]) -> None:
    """Waits for something that no event tells of."""

    async def look() -> None:
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    await soon(look())


def client_of(token: str = "anna", **options: Any) -> Client:
    """A client that does not keep a test waiting."""
    hurried: dict[str, Any] = {"backoff": (0.01, 0.05), "restart_spread": 0.02}
    return Client(token=token, **(hurried | options))


async def handle(link: Link) -> None:
    """Lets everybody in whose token is not "wrong": the token is the user's name."""
    async for event in link:
        if isinstance(event, Identify | Resume):
            answer(link, event)
        elif isinstance(event, Message):
            link.hub.publish(TOPIC, event.name, event.data)


def answer(link: Link, question: Identify | Resume) -> None:
    if question.token == "wrong":
        link.refuse(question)
    else:
        link.accept(question, user=question.token, topics=[TOPIC])


class Record:
    """Follows a stream and keeps what came."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.events: list[Event] = []

    async def follow(self) -> None:
        async for event in self.stream:
            self.events.append(event)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def counts(self) -> list[int]:
        """What was published by publish()."""
        return [event.data["count"] for event in self.of(Dispatch) if event.name == "tick"]

    @property
    def numbers(self) -> list[int]:
        return [event.seq for event in self.events if isinstance(event, Ready | Dispatch)]

    def check(self, last: int) -> None:
        """Everything from the first count that it saw on came once and in order."""
        assert self.counts == list(range(self.counts[0], last + 1))
        assert self.numbers == list(range(1, len(self.numbers) + 1))
        assert self.of(Gap) == []

    async def ready(self) -> None:
        await until(lambda: self.of(Ready))

    async def came(self, count: int) -> None:
        await until(lambda: self.counts[-1:] == [count])

    async def resumed(self, times: int = 1) -> None:
        await until(lambda: len(self.of(Resumed)) >= times)

    async def closed(self, times: int = 1) -> Closed:
        await until(lambda: len(self.of(Closed)) >= times)
        return self.of(Closed)[times - 1]


@asynccontextmanager
async def following(
    url: str,
    client: Client | None = None,
    connect: Callable[..., AbstractAsyncContextManager[Stream]] = kedge.connect,
    **options: Any,
) -> AsyncIterator[Record]:
    """A stream with somebody who takes its events."""
    async with connect(url, client or client_of(), **options) as stream:
        record = Record(stream)
        task = asyncio.create_task(record.follow())
        try:
            yield record
        finally:
            await stream.aclose()
            await soon(task)


def publish(hub: Hub, first: int, last: int, size: int = 0) -> None:
    for count in range(first, last + 1):
        hub.publish(TOPIC, "tick", {"count": count, "filler": "x" * size})


def texts(*messages: dict[str, Any]) -> list[str]:
    return [json.dumps(message) for message in messages]


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """No task and no timer is there afterwards that was not before, but for a few turns of the loop
    in which asyncio's own accept tasks, and those of other libraries' clients, come to an end."""
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks()
    timers = len(live_timers(loop))
    yield
    for _ in range(20):
        if asyncio.all_tasks() <= tasks and len(live_timers(loop)) <= timers:
            break
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - tasks == set()
    assert len(live_timers(loop)) <= timers


def live_timers(loop: asyncio.AbstractEventLoop) -> list[asyncio.TimerHandle]:
    scheduled: list[asyncio.TimerHandle] = getattr(loop, "_scheduled", [])  # uvloop tells none
    return [timer for timer in scheduled if not timer.cancelled() and not is_aiohttps(timer)]


def is_aiohttps(timer: asyncio.TimerHandle) -> bool:
    """aiohttp begins a heartbeat anew when the server answers its close; it comes to nothing."""
    return "ClientWebSocketResponse._send_heartbeat" in repr(timer)
