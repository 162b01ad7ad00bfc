# ruff: noqa: ASYNC240 - a test may wait for its files
"""A hub's state beneath hosts that begin before they have their port: aiohttp, Starlette."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import kedge
import pytest
from aio_world import TOPIC, following, handle, publish, soon
from aiohttp import web
from hosts import HOSTS
from kedge.adapters import aiohttp, starlette
from kedge.aio import driven
from kedge.aio._state import Claim
from kedge.gateway import Hub

Life: TypeAlias = Callable[[Hub, Path], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def aiohttp_life(hub: Hub, state: Path) -> AsyncIterator[None]:
    """An application that finds its port taken."""
    app = web.Application()
    aiohttp.setup(app, hub, state=state)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            site = web.TCPSite(runner, "127.0.0.1", taken.getsockname()[1])
            with pytest.raises(OSError, match="address already in use"):
                await site.start()
        yield
    finally:
        await soon(runner.cleanup())


@asynccontextmanager
async def starlette_life(hub: Hub, state: Path) -> AsyncIterator[None]:
    """The same, as servers have it: the lifespan is around it all."""
    async with starlette.lifespan(hub, state=state):
        yield


@pytest.fixture(params=[aiohttp_life, starlette_life], ids=["aiohttp", "starlette"])
def life(request: pytest.FixtureRequest) -> Life:
    made: Life = request.param
    return made


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    """A state with one session that has the numbers 1 (ready) to 4."""
    path = tmp_path / "state"
    hub = Hub()
    async with kedge.serve(handle, hub=hub, state=path) as server:
        async with following(server.urls[0]) as record:
            await record.ready()
            publish(hub, 1, 3)
            await record.came(3)
        assert len(hub.sessions()) == 1
    return path


def restored(path: Path) -> Hub:
    hub = Hub()
    hub.restore(path.read_bytes())
    return hub


async def test_one_that_gets_no_port_leaves_the_state(life: Life, state: Path) -> None:
    saved = state.read_bytes()
    hub = Hub()
    async with life(hub, state):
        assert len(hub.sessions()) == 1
        assert state.read_bytes() == saved  # had it been killed by now, nothing were lost
    assert len(restored(state).sessions()) == 1


async def test_what_is_published_before_anybody_came_is_kept(life: Life, state: Path) -> None:
    hub = Hub()
    async with life(hub, state):
        publish(hub, 4, 5)
    (session,) = restored(state).sessions()
    assert session.last == hub.sessions()[0].last == 6


@pytest.mark.parametrize("there", [True, False])
async def test_a_state_that_another_put_there_meanwhile_is_left(
    life: Life, state: Path, there: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if not there:
        state.unlink()
    hub = Hub()
    with caplog.at_level("INFO", "kedge"):
        async with life(hub, state):
            state.with_name("other").write_bytes(b"another's")
            state.with_name("other").replace(state)
    assert state.read_bytes() == b"another's"
    assert "is left as it is" in caplog.text


async def test_where_there_was_none_nobody_is_no_state(life: Life, tmp_path: Path) -> None:
    async with life(Hub(), tmp_path / "state"):
        pass
    assert list(tmp_path.iterdir()) == []


async def test_the_first_link_takes_the_state(state: Path) -> None:
    for count, name in enumerate(("aiohttp", "starlette"), 1):
        hub = Hub()
        async with HOSTS[name](handle, hub, state=state) as port:
            assert state.exists()
            async with following(f"ws://127.0.0.1:{port}") as record:
                await record.ready()
                assert not state.exists()
                state.write_bytes(b"another's")
                async with following(f"ws://127.0.0.1:{port}") as second:
                    await second.ready()
                    assert state.read_bytes() == b"another's"  # and not looked at any more
        assert len(restored(state).sessions()) == 1 + 2 * count


async def test_the_first_publication_takes_the_state(life: Life, state: Path) -> None:
    """Restored again after a crash, it would give the same number to something else."""
    hub = Hub()
    async with life(hub, state):
        hub.publish(TOPIC, "tick", {"count": 9})
        assert not state.exists()
    assert len(restored(state).sessions()) == 1


async def test_one_that_cannot_be_restored_is_put_aside_by_the_first_link(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state, aside = tmp_path / "state", tmp_path / "state.rejected"
    for name in ("aiohttp", "starlette"):
        state.write_bytes(b"no state")
        async with HOSTS[name](handle, Hub(), state=state):
            assert "was not restored" in caplog.text
            assert state.read_bytes() == b"no state"
        assert state.read_bytes() == b"no state"
        async with (
            HOSTS[name](handle, Hub(), state=state) as port,
            following(f"ws://127.0.0.1:{port}") as record,
        ):
            await record.ready()
            assert not state.exists()
            assert aside.read_bytes() == b"no state"
        assert len(restored(state).sessions()) == 1
        aside.unlink()


async def test_a_state_that_comes_after_the_start_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    async with HOSTS["aiohttp"](handle, Hub(), state=state) as port:
        state.write_bytes(b"another's")
        async with following(f"ws://127.0.0.1:{port}") as record:
            await record.ready()
            assert state.read_bytes() == b"another's"
            assert "came after the start and is not restored" in caplog.text
    assert len(restored(state).sessions()) == 1


async def test_a_hub_that_stops_twice_is_saved_as_it_was(life: Life, state: Path) -> None:
    hub = Hub()
    async with life(hub, state):
        await starlette.stop(hub, state=state)
        assert state.exists()
        with driven(hub) as driver:
            assert isinstance(driver.claim, Claim)
            with pytest.raises(kedge.StateError):
                hub.publish(TOPIC, "tick", {"count": 9})
    assert len(restored(state).sessions()) == 1


async def test_a_state_may_be_put_elsewhere_than_it_came_from(life: Life, state: Path) -> None:
    hub = Hub()
    saved = state.read_bytes()
    elsewhere = state.with_name("elsewhere")
    async with life(hub, state):
        await starlette.stop(hub, state=elsewhere)
        assert state.read_bytes() == saved
    assert len(restored(elsewhere).sessions()) == 1


async def test_a_hub_that_is_not_new_keeps_the_file(life: Life, state: Path) -> None:
    saved = state.read_bytes()
    hub = restored(state)
    with pytest.raises(kedge.StateError):
        async with life(hub, state):
            pass
    assert state.read_bytes() == saved
