"""All four protocols beneath every library: each server with each client, on real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import kedge
import pytest
from aio_world import Cable, following, nothing_left, until
from certificates import contexts
from hosts import DIALERS, HOSTS, Dialer, Host
from kedge import Closed, Ready, Retry, WantCredentials
from kedge.adapters import aiohttp, websockets
from kedge.aio._server import PATHS
from plays import PLAYS, WRONG, Play

on_uvloop = pytest.mark.asyncio(loop_factories=["uvloop"])
pytestmark = [
    pytest.mark.asyncio(loop_factories=["asyncio"]),
    # Of uvicorn's older implementation, and of what it uses.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::uvicorn.config.UvicornDeprecationWarning"),
]


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> Host:
    return HOSTS[request.param]


@pytest.fixture(params=DIALERS)
def dialer(request: pytest.FixtureRequest) -> Dialer:
    return DIALERS[request.param]


@pytest.fixture(params=PLAYS)
def play(request: pytest.FixtureRequest) -> Play:
    return PLAYS[request.param]


async def test_a_conversation_with_a_cut_in_it(play: Play, host: Host, dialer: Dialer) -> None:
    hub = play.hub()
    async with nothing_left(), host(play.handle, hub) as port, Cable().laid() as cable:
        cable.target = port
        async with following(cable.url, play.client(), dialer) as record:
            await play.begin(record)
            await play.chat(record)
            play.publish(hub, 1, 3)
            await until(lambda: play.counts(record)[-1:] == [3])
            cable.pull()
            assert isinstance((await record.closed()).action, Retry)
            await until(lambda: not hub.links())
            play.publish(hub, 4, 6)
            cable.plug()
            await play.back(record, 1)
            await until(lambda: hub.links())
            play.publish(hub, 7, 9)
            await until(lambda: play.counts(record)[-1:] == [9])
            assert play.counts(record) == [1, 2, 3, *play.missed(4, 6), 7, 8, 9]
            await play.chat(record)
        assert record.of(Closed)[-1].code == 1000
        await until(lambda: not hub.links())


@on_uvloop
@pytest.mark.parametrize("name", ["kedge", "aiohttp", "websockets"])
async def test_the_same_on_uvloop(play: Play, name: str) -> None:
    assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
    await test_a_conversation_with_a_cut_in_it(play, HOSTS[name], DIALERS[name])


async def test_credentials_are_judged_before_anything_else(
    play: Play, host: Host, dialer: Dialer
) -> None:
    hub = play.hub()
    async with host(play.handle, hub) as port:
        url = f"ws://127.0.0.1:{port}"
        async with following(url, play.client(WRONG), dialer) as record:
            closed = await record.closed()
            assert closed.action == WantCredentials()
            if play.name != "gateway":
                assert closed.http_status == 403
            record.stream.set_credentials("anna")
            await until(lambda: record.of(Ready))
        await until(lambda: not hub.links())


async def test_a_server_that_stops_says_so_in_the_protocols_words(play: Play, host: Host) -> None:
    hub = play.hub()
    async with (
        host(play.handle, hub) as port,
        following(f"ws://127.0.0.1:{port}", play.client()) as record,
    ):
        await play.begin(record)
        hub.stop()
        closed = await record.closed()
        assert (closed.code, type(closed.action)) == (play.stop_code, Retry)


async def test_nothing_but_the_right_path_is_let_in(host: Host, play: Play) -> None:
    async with host(play.handle, play.hub()) as port:
        client = play.client(path="/elsewhere")
        async with following(f"ws://127.0.0.1:{port}", client) as record:
            assert (await record.closed()).http_status in (403, 404)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # aiohttp's connector, of TLS
async def test_tls_carries_it_too(play: Play, dialer: Dialer, tmp_path: Path) -> None:
    serving, trusting = contexts(tmp_path)
    hub = play.hub()
    async with kedge.serve(play.handle, hub=hub, ssl=serving) as server:
        url = f"wss://127.0.0.1:{server.port}"
        async with following(url, play.client(), dialer, ssl=trusting) as record:
            await play.begin(record)
            await play.chat(record)
            play.publish(hub, 1, 300)
            await until(lambda: play.counts(record) == list(range(1, 301)))
        async with following(url, play.client(), dialer) as record:
            assert isinstance((await record.closed()).action, Retry)
            assert record.of(Ready) == []
        await until(lambda: not hub.links())


PINGS = {
    "kedge": {"ping_interval": 0.05, "ping_timeout": 0.05},
    "aiohttp": {"heartbeat": 0.1},
    "websockets": {"ping_interval": 0.05, "ping_timeout": 0.05, "close_timeout": 0.1},
}


@pytest.mark.parametrize("name", PINGS)
async def test_a_silent_peer_is_found_where_the_protocol_does_not_look(
    play: Play, name: str
) -> None:
    hub = play.hub()
    async with HOSTS[name](play.handle, hub, **PINGS[name]) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET {PATHS[play.name]} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer anna\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert b" 101 " in await reader.readline()
        await until(lambda: not hub.links())
        writer.close()
        await writer.wait_closed()


async def test_a_librarys_pings_are_only_where_the_protocol_has_none(play: Play) -> None:
    options = websockets.Service(play.handle, play.hub()).options
    pinged = play.name in ("flowlayer", "blobhub")
    assert options["ping_interval"] == (30 if pinged else None)
    assert aiohttp.heartbeat_of(play.name) == (30 if pinged else None)
