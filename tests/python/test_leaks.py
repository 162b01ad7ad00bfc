"""Whatever ends a client or a server, and whenever: no task, timer, socket or object stays."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aio_world import links_there, nothing_left, until
from hosts import DIALERS, HOSTS
from kedge._core import Connection, HubLink
from kedge.aio import Link, Stream
from kedge.aio._carrier import Carrier, Courier
from kedge.aio._wire import Wire
from plays import PLAYS, Play

pytestmark = [
    # Of uvicorn's older implementation, and of what it uses.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::uvicorn.config.UvicornDeprecationWarning"),
]

OBJECTS = (Carrier, Connection, Courier, HubLink, Link, Stream, Wire)


def living() -> Counter[str]:
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, OBJECTS))


def sockets() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def no_more_than_before() -> Iterator[None]:
    before, opened = living(), sockets()
    yield
    assert living() - before == Counter()
    assert sockets() <= opened


# Each client with our server, and our client with each server.
PAIRS = [*((name, "kedge") for name in DIALERS), *(("kedge", name) for name in HOSTS)]


@pytest.fixture(params=PLAYS)
def play(request: pytest.FixtureRequest) -> Play:
    return PLAYS[request.param]


@pytest.mark.parametrize(("dialing", "serving"), sorted(set(PAIRS)))
async def test_clients_that_are_cancelled_at_any_moment(
    dialing: str, serving: str, play: Play
) -> None:
    dialer, host = DIALERS[dialing], HOSTS[serving]
    chance = random.Random(5)

    async def follow(url: str) -> None:
        async with dialer(url, play.client()) as stream:
            async for _ in stream:
                pass

    async def live(url: str) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(follow(url), chance.random() * 0.08)

    async def flood(url: str) -> None:
        await asyncio.gather(*(live(url) for _ in range(25)))

    hub: Any = play.hub()
    async with nothing_left(), host(play.handle, hub) as port:
        with no_more_than_before():
            await flood(f"ws://127.0.0.1:{port}")
            await until(lambda: not hub.links() and links_there(hub) == 0)
            await asyncio.sleep(0.05)


async def test_a_server_that_is_cancelled_at_any_moment(play: Play) -> None:
    """With clients that come back as long as they live, some of them amid a login."""
    host = HOSTS["kedge"]
    chance = random.Random(6)

    async def serve(clients: contextlib.AsyncExitStack) -> None:
        hub: Any = play.hub()
        async with host(play.handle, hub) as port:
            for _ in range(5):
                url = f"ws://127.0.0.1:{port}"
                await clients.enter_async_context(DIALERS["kedge"](url, play.client()))
            await asyncio.sleep(10)

    async def live() -> None:
        async with contextlib.AsyncExitStack() as clients:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(serve(clients), 0.02 + chance.random() * 0.1)

    async with nothing_left():
        with no_more_than_before():
            for _ in range(5):
                await live()
            await asyncio.sleep(0.05)
