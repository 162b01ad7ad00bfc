"""Tasks that begin at once: asyncio.eager_task_factory, or before Python 3.12 what comes close to
it."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Coroutine, Generator
from typing import Any

import kedge
import pytest
from aio_world import following, nothing_left, soon, until
from hosts import DIALERS, HOSTS
from kedge import Closed, Connect, Credentials, Event
from kedge.aio import Link
from plays import PLAYS, Play
from test_carrier import OddStream
from test_four_protocols import test_a_conversation_with_a_cut_in_it as converse


def begin_at_once(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Future[Any]:
    """Runs up to the first wait; the rest is a task."""
    if not loop.is_running():
        return asyncio.Task(work, loop=loop, **options)
    done = loop.create_future()
    try:
        waited = work.send(None)
    except StopIteration as stop:
        done.set_result(stop.value)
        return done
    except Exception as error:
        done.set_exception(error)
        return done
    return asyncio.Task(go_on(work, waited), loop=loop, **options)


@types.coroutine
def go_on(work: Coroutine[Any, Any, Any], waited: Any) -> Generator[Any, Any, Any]:
    try:
        while True:
            try:
                yield waited
            except BaseException as error:
                waited = work.throw(error)
            else:
                waited = work.send(None)
    except StopIteration as stop:
        return stop.value


EAGER: Any = getattr(asyncio, "eager_task_factory", begin_at_once)


@pytest.fixture(autouse=True)
async def eager() -> None:
    asyncio.get_running_loop().set_task_factory(EAGER)


class Hopeless(OddStream):
    """It knows at once that no connection comes of it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(self._never)
        self._error = error

    async def _never(self) -> Any:
        raise NotImplementedError

    async def _dial(self) -> None:
        raise self._error


async def test_a_connection_that_fails_at_once_is_told_of_in_order() -> None:
    stream = Hopeless(OSError("none"))
    async with nothing_left(), stream:
        kinds = [type(await soon(anext(stream))) for _ in range(4)]
    assert kinds == [Connect, Closed, Connect, Closed]


async def test_a_failure_comes_after_what_went_before() -> None:
    stream = Hopeless(KeyError("odd"))
    async with nothing_left(), stream:
        assert type(await soon(anext(stream))) is Connect
        with pytest.raises(KeyError, match="odd"):
            await soon(anext(stream))


@pytest.mark.parametrize("play", PLAYS.values(), ids=PLAYS)
async def test_a_handler_that_closes_at_once_has_its_events_in_order(play: Play) -> None:
    seen: list[Event] = []

    async def brief(link: Link) -> None:
        link.close(1001)
        seen.extend([event async for event in link])

    async with kedge.serve(brief, hub=play.hub()) as server:
        async with following(server.urls[0], play.client()) as record:
            await record.closed()
        await until(lambda: seen)
    asked = [] if play.name == "gateway" else [Credentials]
    assert [type(event) for event in seen][: len(asked) + 1] == [*asked, Closed]


if sys.version_info >= (3, 12):  # Part of it needs to know which task runs.

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of uvicorn's
    @pytest.mark.parametrize("name", ["kedge", "starlette", "aiohttp", "websockets"])
    @pytest.mark.parametrize("play", PLAYS.values(), ids=PLAYS)
    async def test_a_conversation(play: Play, name: str) -> None:
        await converse(play, HOSTS[name], DIALERS.get(name, DIALERS["kedge"]))
