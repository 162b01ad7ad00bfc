"""A hub under FastAPI and uvicorn, on real sockets, with our client and another library's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
import warnings
from pathlib import Path
from typing import Any

import kedge
import pytest
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
from hosts import uvicorn_of
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
)
from starlette.websockets import WebSocketDisconnect

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


async def test_a_websocket_that_was_accepted_is_taken_over(ws: str) -> None:
    hub = Hub()
    async with uvicorn_of(application(hub), ws) as port:
        url = f"ws://127.0.0.1:{port}"
        async with following(url, client_of(path="/accepted")) as record:
            await record.ready()
        async with kedge.connect(f"{url}/accepted?encoding=etf") as websocket:
            assert [message async for message in websocket] == []
            assert websocket.closed.code == 1008


async def test_a_route_in_a_thread_publishes(ws: str) -> None:
    hub = Hub()
    async with (
        uvicorn_of(application(hub), ws) as port,
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


async def test_a_sealed_state_survives_a_restart(ws: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    hub = Hub()
    async with Cable().laid() as cable, contextlib.AsyncExitStack() as stack:
        async with uvicorn_of(application(hub, state=state), ws) as port:
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
        async with uvicorn_of(application(hub, state=state), ws) as port:
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
            uvicorn_of(application(hub), ws) as port,
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


async def test_a_handler_that_somebody_else_put_there_stays() -> None:
    former = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        async with starlette.lifespan(Hub()):
            another = signal.signal(signal.SIGTERM, signal.SIG_IGN)
            assert another is not signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
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
        async with uvicorn_of(app, ws) as port:
            record = await stack.enter_async_context(following(f"ws://127.0.0.1:{port}"))
            await record.ready()
        closed = await record.closed()
        assert closed.code == 1012
        assert closed.action.resume
    assert [session.attached for session in hub.sessions()] == [False]


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
