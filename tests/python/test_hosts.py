"""Links beneath every library: each server with each client, on real sockets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp.web
import kedge
import pytest
import websockets.asyncio.client as websockets_client
import zstandard
from aio_world import (
    TOPIC,
    Cable,
    answer,
    client_of,
    following,
    links_there,
    nothing_left,
    publish,
    soon,
    until,
)
from hosts import DIALERS, HOSTS, Dialer, Host
from kedge import Credentials
from kedge.adapters import aiohttp as aiohttp_adapter
from kedge.adapters import websockets as websockets_adapter
from kedge.adapters.websockets import sent_as
from kedge.aio import Link
from kedge.aio._carrier import Ended
from kedge.gateway import (
    CloseCode,
    Closed,
    Connect,
    Dispatch,
    Hub,
    Identify,
    Message,
    Ready,
    Resume,
    Retry,
    Stop,
)
from websockets.exceptions import ConnectionClosed

PATH = "/gateway"
pytestmark = [
    # Of uvicorn's older implementation, and of what it uses.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::uvicorn.config.UvicornDeprecationWarning"),
]


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> Host:
    return HOSTS[request.param]


@pytest.fixture(params=["aiohttp", "websockets"])
def dialer(request: pytest.FixtureRequest) -> Dialer:
    return DIALERS[request.param]


async def converse(link: Link) -> None:
    async for event in link:
        if isinstance(event, Identify | Resume):
            answer(link, event)
        elif isinstance(event, Message) and event.name == "typing":
            raise ValueError("as it should")
        elif isinstance(event, Message):
            link.hub.publish(TOPIC, event.name, event.data)


def of_carriers() -> bool:
    """A task of an adapter is there."""
    return any(name in str(asyncio.all_tasks()) for name in ("Courier", "Carrier", "attend"))


@pytest.mark.parametrize("dialing", DIALERS)
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])
async def test_a_cut_cable_is_noticed_by_nobody(host: Host, dialing: str, compress: bool) -> None:
    hub = Hub()
    async with nothing_left(), host(converse, hub) as port, Cable().laid() as cable:
        cable.target = port
        async with following(cable.url, client_of(compress=compress), DIALERS[dialing]) as record:
            await record.ready()
            publish(hub, 1, 10)
            await record.came(10)
            for cut in range(1, 3):
                cable.pull()
                await record.closed(cut)
                publish(hub, cut * 10 + 1, cut * 10 + 10, size=100)
                cable.plug()
                await record.resumed(cut)
            await record.came(30)
            await record.stream.notify("presence_update", {"status": "idle"})
            await until(lambda: record.numbers[-1:] == [32])
            record.check(30)
            assert len(hub.sessions()) == 1
        await until(lambda: not hub.links() and not of_carriers())


# ---- servers -------------------------------------------------------------------------------------


async def test_another_librarys_client_is_served(host: Host) -> None:
    hub = Hub()
    async with host(converse, hub) as port:
        url = f"ws://127.0.0.1:{port}{PATH}"
        async with websockets_client.connect(url) as plain:
            hello = await soon(plain.recv())
            assert isinstance(hello, str)
            assert json.loads(hello)["d"]["heartbeat_interval"] == 45_000
            await plain.send('{"type":"identify","d":{"token":"anna"}}')
            assert json.loads(await soon(plain.recv()))["type"] == "ready"
            await plain.send(b"\x00")
            with pytest.raises(ConnectionClosed) as closed:
                await soon(plain.recv())
            assert closed.value.rcvd.code == CloseCode.DECODE_ERROR
        async with websockets_client.connect(f"{url}?compress=zstd") as compressed:
            packed = await soon(compressed.recv())
            assert isinstance(packed, bytes)
            assert json.loads(zstandard.ZstdDecompressor().decompress(packed))["type"] == "hello"
        async with websockets_client.connect(f"{url}?v=7") as strange:
            await soon(strange.recv())
            with pytest.raises(ConnectionClosed) as closed:
                await soon(strange.recv())
            assert closed.value.rcvd.code == CloseCode.VERSION_MISMATCH


@pytest.mark.parametrize("code", [1000, 1001, 4000, None])
async def test_a_clients_close_is_answered_with_its_code(host: Host, code: int | None) -> None:
    hub = Hub()
    seen: list[Closed] = []

    async def watching(link: Link) -> None:
        async for event in link:
            if isinstance(event, Closed):
                seen.append(event)

    async with host(watching, hub) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /gateway HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await soon(reader.readuntil(b"\r\n\r\n"))
        await soon(reader.readuntil(b"}}"))
        body = b"" if code is None else code.to_bytes(2, "big")
        writer.write(bytes([0x88, 0x80 | len(body)]) + bytes(4) + body)
        echoed = await soon(reader.read())
        writer.close()
        await writer.wait_closed()
        assert echoed[:1] == b"\x88"
        assert echoed[2:4] in (body, (1000).to_bytes(2, "big")[: 0 if body else 2])
        await until(lambda: seen)
        assert seen[0].code == code


@pytest.mark.parametrize("name", ["kedge", "starlette", "aiohttp", "websockets"])
async def test_bytes_that_are_no_text_are_no_fault_of_the_server(name: str) -> None:
    """In a header that nobody asked for; uvicorn's older implementation hangs up upon it."""
    seen: list[tuple[str, str]] = []

    async def noting(link: Link) -> None:
        seen.extend(link.headers)
        async for _ in link:
            pass

    async with HOSTS[name](noting, Hub()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /gateway HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"X-Odd: \xff\xc3\xbc\r\n\r\n"
        )
        assert b" 101 " in await soon(reader.readline())
        await soon(reader.readuntil(b"}}"))
        writer.close()
        await writer.wait_closed()
        await until(lambda: seen)
    assert [text for name, text in seen if name.lower() == "x-odd"] == ["\udcff\xfc"]


async def test_a_request_that_is_wrong_is_declined(host: Host) -> None:
    hub = Hub(links_max=1)
    async with host(converse, hub) as port:
        wrong = client_of(path=f"{PATH}?encoding=etf")
        async with following(f"ws://127.0.0.1:{port}", wrong) as record:
            closed = await record.closed()
            assert (closed.http_status, closed.action) == (400, Stop())
        async with following(f"ws://127.0.0.1:{port}") as record:
            await record.ready()
            async with following(f"ws://127.0.0.1:{port}") as other:
                closed = await other.closed()
                assert closed.http_status == 503
                assert isinstance(closed.action, Retry)
        await until(lambda: not of_carriers())


async def test_a_handler_that_raises_costs_its_own_link_only(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub()
    async with host(converse, hub) as port:
        url = f"ws://127.0.0.1:{port}"
        async with following(url) as record, following(url) as other:
            await record.ready()
            await other.ready()
            await record.stream.notify("typing", {"feed_id": 1})
            assert (await record.closed()).code == CloseCode.UNKNOWN_ERROR
            await record.resumed()
            publish(hub, 1, 1)
            await record.came(1)
            await other.came(1)
            assert other.of(Closed) == []
    assert "as it should" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_request_with_more_headers_than_are_read_is_declined(host: Host) -> None:
    async with host(converse, Hub()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /gateway HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            + b"".join(b"X-%d: x\r\n" % count for count in range(96))
            + b"\r\n"
        )
        assert b" 431 " in await soon(reader.readline())
        writer.close()
        await writer.wait_closed()
        await until(lambda: not of_carriers())


@pytest.mark.parametrize("how", ["hub", "core"])
async def test_somebody_is_thrown_out(
    host: Host, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub()
    async with (
        host(converse, hub) as port,
        following(f"ws://127.0.0.1:{port}{PATH}") as record,
    ):
        await record.ready()
        (session,) = hub.sessions()
        if how == "hub":
            assert hub.close(session, 1000, "out")
        else:
            core = hub.link_of(session)
            assert core is not None
            core.close(1000, "out")
        closed = await record.closed()
        assert (closed.code, closed.reason) == (1000, "out")
        await until(lambda: not of_carriers())
    assert [entry for entry in caplog.records if entry.levelno >= logging.WARNING] == []


async def test_a_handler_that_ends_says_goodbye(host: Host) -> None:
    async def brief(link: Link) -> None:
        assert link.accept(await anext(link), user="anna")

    hub = Hub()
    async with host(brief, hub) as port:
        async with following(f"ws://127.0.0.1:{port}") as record:
            closed = await record.closed()
            assert (closed.code, closed.action) == (1000, Stop())
            assert len(record.of(Ready)) == 1
        await until(lambda: not hub.sessions())


async def test_a_handler_that_raises_after_its_answer_has_given_it(host: Host) -> None:
    async def broken(link: Link) -> None:
        assert link.accept(await anext(link), user="anna")
        raise ValueError("as it should")

    hub = Hub()
    async with host(broken, hub) as port:
        async with following(f"ws://127.0.0.1:{port}") as record:
            assert (await record.closed()).code == CloseCode.UNKNOWN_ERROR
            assert len(record.of(Ready)) == 1
        assert len(hub.sessions()) == 1


async def test_a_slow_reader_is_a_cursor_and_the_others_do_not_wait(host: Host) -> None:
    hub = Hub(topic_history=(100_000, 1 << 30, 600.0))
    async with (
        host(converse, hub) as port,
        kedge.connect(f"ws://127.0.0.1:{port}", client_of("slow"), events_max=4) as slow,
    ):
        while not isinstance(await anext(slow), Ready):
            pass
        async with following(f"ws://127.0.0.1:{port}") as record:
            await record.ready()
            publish(hub, 1, 1000, size=20_000)
            await record.came(1000)
            record.check(1000)
            (link,) = (link for link in hub.links() if link.session.user == "slow")
            assert link.queued < 64  # nothing but the answer to a heartbeat, at most
            assert link.output_waiting
        took = []
        while len(took) < 1000:
            event = await soon(anext(slow))
            took.append(event.data["count"])
        assert took == list(range(1, 1001))


async def test_a_handler_that_takes_nothing_is_not_fed(host: Host) -> None:
    """What the client sends stays with the client."""
    going = asyncio.Event()
    names: list[str] = []

    async def idle(link: Link) -> None:
        link.accept(await anext(link), user="anna")
        await going.wait()
        async for event in link:
            if isinstance(event, Message):
                names.append(event.data["custom_status"][:4])

    hub = Hub(rate=(0, 0), queue_limit=1 << 24)
    async with (
        host(idle, hub) as port,
        following(f"ws://127.0.0.1:{port}", client_of(rate=(0, 0))) as record,
    ):
        await record.ready()
        sent = 0

        async def send() -> None:
            nonlocal sent
            for count in range(600):
                text = f"{count:04}{'x' * 60_000}"
                await record.stream.notify(
                    "presence_update", {"status": "idle", "custom_status": text}
                )
                sent = count + 1

        sending = asyncio.create_task(send())
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 600
        going.set()
        await soon(sending)
        await until(lambda: len(names) == 600)
        assert names == [f"{count:04}" for count in range(600)]


async def test_large_events_come_through_one_by_one(host: Host) -> None:
    """Each is more than what is taken from a link at once."""
    hub = Hub()
    async with (
        host(converse, hub) as port,
        following(f"ws://127.0.0.1:{port}") as record,
    ):
        await record.ready()
        for count in range(1, 6):
            publish(hub, count, count, size=200_000)
            await record.came(count)
        record.check(5)


async def test_a_websockets_server_that_does_not_begin_leaves_the_state(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with websockets_adapter.serve(converse, hub=Hub(), state=state):
        pass
    saved = state.read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        serving = websockets_adapter.serve(converse, port=port, hub=Hub(), state=state)
        with pytest.raises(OSError, match="address already in use"):
            await serving.__aenter__()
    assert state.read_bytes() == saved


async def test_a_sealed_state_survives_a_restart(host: Host, tmp_path: Path) -> None:
    state = tmp_path / "state"
    hub = Hub()
    async with Cable().laid() as cable, contextlib.AsyncExitStack() as stack:
        async with host(converse, hub, state=state) as port:
            cable.target = port
            record = await stack.enter_async_context(following(cable.url))
            await record.ready()
            publish(hub, 1, 10)
            await record.came(10)
        assert (await record.closed()).code == CloseCode.SERVER_RESTART
        with pytest.raises(kedge.StateError):
            publish(hub, 11, 11)
        hub = Hub()
        async with host(converse, hub, state=state) as port:
            publish(hub, 11, 20)
            cable.target = port
            await record.came(20)
            record.check(20)
            assert len(record.of(Ready)) == 1


async def test_a_message_too_large_for_the_server_ends_the_connection(host: Host) -> None:
    hub = Hub(message_limit=1000)
    async with host(converse, hub) as port:
        url = f"ws://127.0.0.1:{port}{PATH}"
        async with kedge.connect(url) as websocket:
            head = '{"type":"identify","d":{"token":"anna"}'
            await websocket.send(head + " " * (1000 - len(head) - 1) + "}")
            await soon(anext(websocket))
            assert json.loads(await soon(anext(websocket)))["type"] == "ready"
        async with kedge.connect(url) as websocket:
            await websocket.send("x" * 1001)
            async for _ in websocket:
                pass
            assert websocket.closed.code == 1009
        await until(lambda: not hub.links())


async def test_text_that_is_not_utf8_ends_the_connection(host: Host) -> None:
    hub = Hub()
    async with host(converse, hub) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /gateway HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await soon(reader.readuntil(b"}}"))
        writer.write(b"\x81\x81\x00\x00\x00\x00\xff")
        assert (await soon(reader.readexactly(4)))[2:] == (1007).to_bytes(2, "big")
        writer.close()
        await writer.wait_closed()
        await until(lambda: not hub.links())


async def test_nothing_is_left_of_links_that_end_in_whatever_way(host: Host) -> None:
    hub = Hub()
    async with nothing_left(), host(converse, hub) as port:
        url = f"ws://127.0.0.1:{port}{PATH}"
        for way in ("polite", "abrupt", "early"):
            async with kedge.connect(url) as websocket:
                if way != "early":
                    await websocket.send('{"type":"identify","d":{"token":"anna"}}')
                    await soon(anext(websocket))
                    await soon(anext(websocket))
                if way == "abrupt":
                    websocket.abort()
            await until(lambda: not hub.links())
            await until(lambda: not of_carriers() and links_there(hub) == 0)
        assert hub._driver is not None
    assert hub._driver is None


async def test_a_cancelled_block_drops_the_connection_and_keeps_the_session() -> None:
    """Under aiohttp, which cancels routes where it is told to."""
    hub = Hub()
    tasks: list[asyncio.Task[object]] = []

    async def noting(link: Link) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await converse(link)

    async with HOSTS["aiohttp"](noting, hub) as port, following(f"ws://127.0.0.1:{port}") as record:
        await record.ready()
        tasks[0].cancel()
        closed = await record.closed()
        assert (closed.code, isinstance(closed.action, Retry)) == (None, True)
        await record.resumed()
        assert len(hub.sessions()) == 1


async def test_a_client_that_leaves_amid_its_login_is_forgotten() -> None:
    """Under websockets, where it may be gone before the WebSocket is there."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(link: Link) -> None:
        async for event in link:
            if isinstance(event, Credentials):
                asked.set()
                await go.wait()
                link.accept(event, user="anna", topics=[])

    hub = kedge.messaging.Hub()
    async with HOSTS["websockets"](slow, hub) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer anna\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await soon(asked.wait())
        writer.transport.abort()
        await asyncio.sleep(0.05)
        go.set()
        await until(lambda: not hub.links() and not of_carriers())


class Broken:
    """A WebSocket of aiohttp's, that fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def receive(self) -> aiohttp.WSMessage:
        return aiohttp.WSMessage(aiohttp.WSMsgType.ERROR, self._error, None)


async def test_what_aiohttp_ends_by_itself_is_told_from_what_was_lost() -> None:
    for error, ended in (
        (aiohttp.WebSocketError(1009, "too large"), Ended("host", 1009)),
        (ConnectionResetError(), Ended()),
    ):
        ws: Any = Broken(error)
        assert await aiohttp_adapter._ServerSocket(ws, ws).receive() == ended


async def test_a_socket_of_aiohttps_that_is_gone_needs_no_end() -> None:
    transports: list[Any] = []

    async def route(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        ws = aiohttp.web.WebSocketResponse()
        await ws.prepare(request)
        transports.append(request.transport)
        socket = aiohttp_adapter._ServerSocket(ws, request)
        socket.abort()
        await until(lambda: request.transport is None)
        socket.abort()
        transports.append(request.transport)
        return ws

    app = aiohttp.web.Application()
    app.router.add_get("/", route)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    async with kedge.connect(f"ws://127.0.0.1:{runner.addresses[0][1]}") as websocket:
        assert [message async for message in websocket] == []
        await until(lambda: len(transports) == 2)
    assert transports[0] is not None
    assert transports[1] is None
    await soon(runner.cleanup())


def test_what_a_library_made_text_of_is_made_bytes_again() -> None:
    for data in (b"plain", b"\xff\xc3\xbc"):
        assert sent_as(data.decode("ascii", "surrogateescape")) == data
        assert sent_as(data.decode("latin-1")) == data


# ---- clients -------------------------------------------------------------------------------------


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[tuple[Hub, str]]:
    hub = Hub(**options)
    async with kedge.serve(converse, hub=hub) as server:
        yield hub, server.urls[0]


async def test_wrong_credentials_wait_for_better_ones(dialer: Dialer) -> None:
    async with served() as (_, url), following(url, client_of("wrong"), dialer) as record:
        closed = await record.closed()
        assert closed.code == CloseCode.AUTH_FAILED
        record.stream.set_credentials("anna")
        await record.ready()


async def test_an_answer_that_is_no_upgrade_is_told(dialer: Dialer) -> None:
    async with served(links_max=1) as (_, url), following(url) as record:
        await record.ready()
        async with following(url, client_of(), dialer) as other:
            closed = await other.closed()
            assert (closed.http_status, closed.action.after >= 0.5) == (503, True)
        async with following(url[:-7] + "nowhere", client_of(path="/nowhere"), dialer) as other:
            closed = await other.closed()
            assert (closed.http_status, closed.action) == (404, Stop())


async def test_where_nobody_is_it_tries_again(
    dialer: Dialer, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with caplog.at_level(logging.INFO, "kedge"):
        url = f"ws://127.0.0.1:{port}"
        async with nothing_left(), following(url, client_of("s3cr3t"), dialer) as record:
            await record.closed(3)
    told = [entry.getMessage() for entry in caplog.records if entry.name == "kedge"]
    assert told[0].startswith(f"no connection to 127.0.0.1:{port}: ")
    assert "s3cr3t" not in caplog.text


async def test_one_who_says_nothing_is_given_up(
    dialer: Dialer, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        caplog.at_level(logging.INFO, "kedge"),
    ):
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        async with nothing_left(), following(url, client_of(), dialer, open_timeout=0.05) as record:
            await record.closed(2)
    assert "no connection in time" in caplog.text


async def test_one_who_answers_nonsense_is_no_connection(dialer: Dialer) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"no HTTP at all\r\n\r\n")
        writer.close()

    babbler = await asyncio.start_server(babble, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{babbler.sockets[0].getsockname()[1]}"
    async with following(url, client_of(), dialer) as record:
        assert (await record.closed()).http_status is None
    babbler.close()


async def test_an_option_that_does_not_exist_is_its_callers_fault(dialer: Dialer) -> None:
    async def follow(url: str) -> None:
        async with dialer(url, client_of(), no_such_option=1) as stream:
            async for _ in stream:
                pass

    async with served() as (_, url), nothing_left():
        with pytest.raises(TypeError, match="no_such_option"):
            await follow(url)


async def test_the_client_keeps_its_heartbeat(dialer: Dialer) -> None:
    async with (
        served(heartbeat_interval=0.05) as (hub, url),
        following(url, client_of(), dialer) as record,
    ):
        await record.ready()
        link = hub.links()[0]
        await until(lambda: link.counts["received"] >= 6)
        assert record.of(Closed) == []


@asynccontextmanager
async def mute(heartbeat_interval: int = 45_000) -> AsyncIterator[str]:
    """A server that lets a client in, and then neither says a word nor answers a close."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)[1]
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        for text in (
            b'{"type":"hello","seq":0,"d":{"heartbeat_interval":%d}}' % heartbeat_interval,
            b'{"type":"ready","seq":1,"d":{"session_id":"s"}}',
        ):
            writer.write(bytes([0x81, len(text)]) + text)
        while await reader.read(1000):
            pass
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    if tasks:
        await soon(asyncio.wait(tasks))


async def test_a_dead_server_is_left_for_a_new_connection(dialer: Dialer) -> None:
    """It takes everything and acknowledges nothing: the next connection does not wait for the old
    one's end."""
    async with (
        nothing_left(),
        mute(heartbeat_interval=20) as url,
        following(url, client_of(stall_tolerance=0.1), dialer, close_timeout=0.1) as record,
    ):
        assert (await record.closed()).code == CloseCode.SESSION_TIMEOUT
        await until(lambda: len(record.of(Connect)) >= 2)
        await record.closed(2)


@pytest.mark.parametrize("amid", ["dialing", "open", "closing"])
async def test_a_cancelled_client_leaves_nothing(dialer: Dialer, amid: str) -> None:
    seen: list[object] = []

    async def follow(url: str) -> None:
        async with dialer(url, client_of()) as stream:
            async for event in stream:
                seen.append(event)
                if amid == "closing" and isinstance(event, Ready):
                    await stream.aclose()

    async with nothing_left(), mute() as url:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            if amid == "dialing":
                url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
            task = asyncio.create_task(follow(url))
            await until(lambda: seen)
            if amid != "dialing":
                await until(lambda: isinstance(seen[-1], Ready))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await soon(task)


async def test_a_silent_server_is_left_if_the_library_pings(dialer: Dialer) -> None:
    pings: dict[str, Any] = {"ping_interval": 0.05, "ping_timeout": 0.05, "close_timeout": 0.1}
    if dialer is DIALERS["aiohttp"]:
        pings = {"heartbeat": 0.1}
    async with mute() as url, following(url, client_of(), dialer, **pings) as record:
        await record.ready()
        assert isinstance((await record.closed()).action, Retry)


async def test_a_client_that_leaves_says_so(dialer: Dialer) -> None:
    seen: list[Closed] = []

    async def watching(link: Link) -> None:
        async for event in link:
            if isinstance(event, Identify):
                answer(link, event)
            elif isinstance(event, Closed):
                seen.append(event)

    hub = Hub()
    async with kedge.serve(watching, hub=hub) as server:
        async with following(server.urls[0], client_of(), dialer) as record:
            await record.ready()
        await until(lambda: seen)
        assert seen[0].code == 1000


async def test_a_message_larger_than_the_clients_limit_ends_the_connection(dialer: Dialer) -> None:
    async with served() as (hub, url):
        client = client_of(message_limit=100_000)
        async with following(url, client, dialer) as record:
            await record.ready()
            publish(hub, 1, 1, size=200_000)
            assert (await record.closed()).cause in ("HOST_CLOSED", "MESSAGE_TOO_LARGE")


async def test_a_stream_that_is_not_read_holds_the_server_back(dialer: Dialer) -> None:
    async with (
        served(topic_history=(100_000, 1 << 30, 600.0)) as (hub, url),
        dialer(url, client_of("slow"), events_max=4) as slow,
    ):
        while not isinstance(await soon(anext(slow)), Ready):
            pass
        publish(hub, 1, 1000, size=20_000)
        await asyncio.sleep(0.3)
        assert hub.links()[0].output_waiting
        took: list[int] = []
        while len(took) < 1000:
            event = await soon(anext(slow))
            assert isinstance(event, Dispatch)
            took.append(event.data["count"])
        assert took == list(range(1, 1001))
