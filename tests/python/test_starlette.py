"""A hub under FastAPI and uvicorn, on real sockets, with our client and another library's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import threading
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import kedge
import pytest
import uvicorn
import websockets.asyncio.client as websockets_client
import zstandard
from aio_world import (
    TOPIC,
    Cable,
    answer,
    client_of,
    following,
    nothing_left,
    publish,
    soon,
    until,
)
from fastapi import FastAPI, WebSocket
from kedge.adapters import starlette
from kedge.gateway import (
    CloseCode,
    Closed,
    Hub,
    Identify,
    Link,
    Message,
    Ready,
    Resume,
    Retry,
    Stop,
)
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed

with warnings.catch_warnings():
    # Of the HTTP library that it would rather have.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient, WebSocketDenialResponse

IMPLEMENTATIONS = ["websockets", "websockets-sansio"]
pytestmark = [
    # Of uvicorn's older implementation, and of what it uses.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::uvicorn.config.UvicornDeprecationWarning"),
]


@pytest.fixture(params=IMPLEMENTATIONS)
def ws(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def converse(link: Link) -> None:
    async for event in link:
        if isinstance(event, Identify | Resume):
            answer(link, event)
        elif isinstance(event, Message) and event.name == "typing":
            raise ValueError("as it should")
        elif isinstance(event, Message):
            link.hub.publish(TOPIC, event.name, event.data)


def application(hub: Hub, **options: Any) -> FastAPI:
    app = FastAPI(lifespan=lambda app: starlette.lifespan(hub, **options))

    @app.websocket("/gateway")
    async def gateway(ws: WebSocket) -> None:
        async with starlette.link(ws, hub) as link:
            await converse(link)

    @app.websocket("/accepted")
    async def accepted(ws: WebSocket) -> None:
        await ws.accept()
        async with starlette.link(ws, hub) as link:
            await converse(link)

    @app.websocket("/brief")
    async def brief(ws: WebSocket) -> None:
        async with starlette.link(ws, hub) as link:
            assert link.accept(await anext(link), user="anna")

    @app.websocket("/broken")
    async def broken(ws: WebSocket) -> None:
        async with starlette.link(ws, hub) as link:
            assert link.accept(await anext(link), user="anna")
            raise ValueError("as it should")

    @app.post("/ticks/{count}")
    def tick(count: int) -> int:
        assert threading.current_thread() is not threading.main_thread()
        return hub.publish(TOPIC, "tick", {"count": count})

    return app


class Uvicorn(uvicorn.Server):
    """A server in the test's own loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@asynccontextmanager
async def running(app: FastAPI, ws: str, **options: Any) -> AsyncIterator[int]:
    """The application on a port of its own."""
    config = uvicorn.Config(app, ws=ws, log_config=None, ws_per_message_deflate=False, **options)
    server = Uvicorn(config)
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started or task.done())
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await soon(task)


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])
async def test_a_cut_cable_is_noticed_by_nobody(ws: str, compress: bool) -> None:
    hub = Hub()
    async with running(application(hub), ws) as port, Cable().laid() as cable:
        cable.target = port
        async with following(cable.url, client_of(compress=compress)) as record:
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


async def test_another_librarys_client_is_served(ws: str) -> None:
    hub = Hub()
    async with running(application(hub), ws) as port:
        url = f"ws://127.0.0.1:{port}/gateway"
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


async def test_a_request_that_is_wrong_is_declined(ws: str) -> None:
    hub = Hub(links_max=1)
    async with running(application(hub), ws) as port:
        wrong = client_of(path="/gateway?encoding=etf")
        async with following(f"ws://127.0.0.1:{port}", wrong) as record:
            closed = await record.closed()
            assert (closed.http_status, closed.action) == (400, Stop())
        async with following(f"ws://127.0.0.1:{port}") as record:
            await record.ready()
            async with following(f"ws://127.0.0.1:{port}") as other:
                closed = await other.closed()
                assert closed.http_status == 503
                assert isinstance(closed.action, Retry)


async def test_a_websocket_that_was_accepted_is_taken_over(ws: str) -> None:
    hub = Hub()
    async with running(application(hub), ws) as port:
        url = f"ws://127.0.0.1:{port}"
        async with following(url, client_of(path="/accepted")) as record:
            await record.ready()
        async with kedge.connect(f"{url}/accepted?encoding=etf") as websocket:
            assert [message async for message in websocket] == []
            assert websocket.closed.code == 1008


async def test_a_handler_that_raises_costs_its_own_link_only(
    ws: str, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub()
    async with running(application(hub), ws) as port:
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


@pytest.mark.parametrize("how", ["hub", "core"])
async def test_somebody_is_thrown_out(ws: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    async with (
        running(application(hub), ws) as port,
        following(f"ws://127.0.0.1:{port}/gateway") as record,
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
        await until(lambda: "_Courier" not in str(asyncio.all_tasks()))
    assert [entry for entry in caplog.records if entry.levelno >= logging.WARNING] == []


async def test_a_block_that_ends_says_goodbye(ws: str) -> None:
    hub = Hub()
    async with running(application(hub), ws) as port:
        async with following(f"ws://127.0.0.1:{port}", client_of(path="/brief")) as record:
            closed = await record.closed()
            assert (closed.code, closed.action) == (1000, Stop())
            assert len(record.of(Ready)) == 1
        await until(lambda: not hub.sessions())


async def test_a_block_that_raises_after_its_answer_has_given_it(ws: str) -> None:
    hub = Hub()
    async with running(application(hub), ws) as port:
        async with following(f"ws://127.0.0.1:{port}", client_of(path="/broken")) as record:
            assert (await record.closed()).code == CloseCode.UNKNOWN_ERROR
            assert len(record.of(Ready)) == 1
        assert len(hub.sessions()) == 1


async def test_a_route_in_a_thread_publishes(ws: str) -> None:
    hub = Hub()
    async with (
        running(application(hub), ws) as port,
        following(f"ws://127.0.0.1:{port}") as record,
    ):
        await record.ready()
        for count in range(1, 4):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /ticks/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % count)
            assert (await soon(reader.read())).endswith(b"\r\n\r\n1")
            writer.close()
            await writer.wait_closed()
        await record.came(3)
        record.check(3)


async def test_a_slow_reader_is_a_cursor(ws: str) -> None:
    hub = Hub(topic_history=(100_000, 1 << 30, 600.0))
    async with running(application(hub), ws) as port:
        url = f"ws://127.0.0.1:{port}"
        async with kedge.connect(url, client_of("slow"), events_max=4) as slow:
            while not isinstance(await soon(anext(slow)), Ready):
                pass
            async with following(url) as record:
                await record.ready()
                publish(hub, 1, 1000, size=20_000)
                await record.came(1000)
                (link,) = (link for link in hub.links() if link.session.user == "slow")
                assert link.output_waiting
                assert link.queued == 0
            took = [(await soon(anext(slow))).data["count"] for _ in range(1000)]
            assert took == list(range(1, 1001))


async def test_large_messages_come_one_by_one(ws: str) -> None:
    """Each is more than what is taken from a link at once."""
    hub = Hub()
    async with (
        running(application(hub), ws) as port,
        following(f"ws://127.0.0.1:{port}") as record,
    ):
        await record.ready()
        for count in range(1, 6):
            publish(hub, count, count, size=200_000)
            await record.came(count)
        record.check(5)


async def test_a_sealed_state_survives_a_restart(ws: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    hub = Hub()
    async with Cable().laid() as cable, contextlib.AsyncExitStack() as stack:
        async with running(application(hub, state=state), ws) as port:
            cable.target = port
            record = await stack.enter_async_context(following(cable.url))
            await record.ready()
            publish(hub, 1, 10)
            await record.came(10)
            await starlette.stop(hub, state=state)
            assert (await record.closed()).code == CloseCode.SERVER_RESTART
            await until(lambda: any(closed.http_status for closed in record.of(Closed)))
            with pytest.raises(kedge.StateError):
                publish(hub, 11, 11)
        hub = Hub()
        async with running(application(hub, state=state), ws) as port:
            publish(hub, 11, 20)
            cable.target = port
            await record.came(20)
            record.check(20)
            assert len(record.of(Ready)) == 1


async def test_a_signal_stops_the_hub_before_the_server(ws: str) -> None:
    """SIGTERM as uvicorn has it: by a handler of Python's."""
    reached: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, frame: reached.append(number))
    try:
        hub = Hub()
        async with (
            running(application(hub), ws) as port,
            following(f"ws://127.0.0.1:{port}") as record,
        ):
            await record.ready()
            signal.raise_signal(signal.SIGTERM)
            assert reached == []
            assert (await record.closed()).code == CloseCode.SERVER_RESTART
            await until(lambda: reached)
            signal.raise_signal(signal.SIGTERM)
            await until(lambda: len(reached) == 2)
        assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, former)
        signal.raise_signal(signal.SIGTERM)
        assert len(reached) == 3
    finally:
        signal.signal(signal.SIGTERM, former)


async def test_a_server_that_closes_by_itself_leaves_the_session(ws: str) -> None:
    """Without our signals uvicorn says 1012, upon which clients resume too."""
    hub = Hub()
    app = FastAPI()

    @app.websocket("/gateway")
    async def gateway(ws: WebSocket) -> None:
        async with starlette.link(ws, hub) as link:
            await converse(link)

    async with contextlib.AsyncExitStack() as stack:
        async with running(app, ws) as port:
            record = await stack.enter_async_context(following(f"ws://127.0.0.1:{port}"))
            await record.ready()
        closed = await record.closed()
        assert closed.code == 1012
        assert closed.action.resume
    assert [session.attached for session in hub.sessions()] == [False]


async def test_a_message_too_large_for_the_server_ends_the_connection(ws: str) -> None:
    hub = Hub()
    async with running(application(hub), ws, ws_max_size=1000) as port:
        async with kedge.connect(f"ws://127.0.0.1:{port}/gateway") as websocket:
            await websocket.send("x" * 2000)
            async for _ in websocket:
                pass
            assert websocket.closed.code == 1009
        await until(lambda: not hub.links())


async def test_nothing_is_left_of_links_that_end_in_whatever_way(ws: str) -> None:
    hub = Hub()
    async with running(application(hub), ws) as port:
        url = f"ws://127.0.0.1:{port}"

        def carrying() -> bool:
            return "_Courier" in str(asyncio.all_tasks())

        for way in ("polite", "abrupt", "early"):
            async with kedge.connect(f"{url}/gateway") as websocket:
                if way != "early":
                    await websocket.send('{"type":"identify","d":{"token":"anna"}}')
                    await soon(anext(websocket))
                    await soon(anext(websocket))
                if way == "abrupt":
                    websocket.abort()
            await until(lambda: not hub.links())
            await until(lambda: hub.counts["links"] == 0 and not carrying())
        assert hub._driver is not None
    assert hub._driver is None


async def test_a_cancelled_block_leaves_nothing() -> None:
    hub = Hub()
    sent: list[dict[str, Any]] = []
    never = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not sent:
            return {"type": "websocket.connect"}
        await never.wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/gateway", "query_string": b"", "headers": []}

    async def block() -> None:
        async with starlette.link(WebSocket(scope, receive, send), hub) as link:
            async for _ in link:
                pass

    async with nothing_left():
        task = asyncio.create_task(block())
        await until(lambda: len(sent) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send"]
    assert isinstance(sent[1]["text"], str)
    assert hub.links() == []


def test_starlettes_test_client_works_too() -> None:
    hub = Hub()
    with TestClient(application(hub)) as client:
        with client.websocket_connect("/gateway") as websocket:
            assert websocket.receive_json()["type"] == "hello"
            websocket.send_json({"type": "identify", "d": {"token": "anna"}})
            assert websocket.receive_json()["type"] == "ready"
            assert client.post("/ticks/1").json() == 1
            assert websocket.receive_json()["d"] == {"count": 1}
            websocket.send_json({"type": "unknown"})
            with pytest.raises(WebSocketDisconnect) as closed:
                websocket.receive_json()
            assert closed.value.code == CloseCode.UNKNOWN_TYPE
        with (
            pytest.raises(WebSocketDenialResponse) as denied,
            client.websocket_connect("/gateway?compress=gzip"),
        ):
            pass
        assert denied.value.status_code == 400


def test_no_error_is_logged_where_clients_merely_leave(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    with TestClient(application(hub)) as client:
        for _ in range(3):
            with client.websocket_connect("/gateway") as websocket:
                websocket.receive_json()
    assert [entry for entry in caplog.records if entry.levelno >= logging.WARNING] == []
