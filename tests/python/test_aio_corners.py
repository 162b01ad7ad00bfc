"""What hardly ever happens to servers, links and streams on asyncio, each by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import kedge
import pytest
from aio_world import PATIENCE, client_of, following, handle, nothing_left, publish, soon, until
from kedge import (
    Attached,
    ClosedError,
    Credentials,
    Identify,
    Outcome,
    Publication,
    Ready,
    Request,
    Snapshot,
    UnknownError,
)
from kedge._core import Upgrade
from kedge.aio import Link, WebSocket, _driver, _state, _stream, driven
from kedge.aio._carrier import Carrier
from kedge.aio._requests import Requests
from kedge.aio._server import _Health
from kedge.gateway import Client, Hub
from test_carrier import HELLO, OddSocket
from test_hosts import mute

# ---- servers -------------------------------------------------------------------------------------


async def test_a_server_that_cannot_listen_leaves_its_hub() -> None:
    hub = Hub()
    async with kedge.serve(handle, hub=hub) as server:
        assert server.hub is hub
        assert repr(server) == f"<kedge.Server {server.urls[0]}>"
        other = Hub()
        with pytest.raises(OSError, match="use"):
            async with kedge.serve(handle, port=server.port, hub=other):
                pass
        assert other._driver is None


async def test_whoever_said_nothing_yet_is_dropped_at_the_end() -> None:
    async with nothing_left():
        async with kedge.serve(handle, hub=Hub()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await until(lambda: server.connections == 1)
        assert await soon(reader.read()) == b""
        writer.close()
        await writer.wait_closed()


async def test_whoever_arrives_amid_the_end_is_dropped() -> None:
    async with kedge.serve(handle, hub=Hub()) as server:
        server._closing = True
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await soon(reader.read()) == b""
        writer.close()
        await writer.wait_closed()


async def test_whoever_does_not_agree_to_the_end_is_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[str] = []

    async def stubborn(link: Link) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async with nothing_left():
        async with kedge.serve(stubborn, hub=Hub(), close_timeout=0.05) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(
                b"GET /gateway HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await soon(reader.readuntil(b"}}"))
        writer.close()
        await writer.wait_closed()
    assert ended == ["cancelled"]
    assert "did not close in time" in caplog.text


async def test_a_handler_that_is_told_of_another_connections_end_fails() -> None:
    """A ClosedError is no failure of its own connection's end alone."""

    async def closed(served: Any) -> None:
        await anext(served)
        raise ClosedError("of something else")

    async with kedge.serve(closed, hub=Hub()) as server, following(server.urls[0]) as record:
        assert (await record.closed()).code == 4000
    async with kedge.serve(closed) as plain, kedge.connect(plain.urls[0]) as websocket:
        await websocket.send("go")
        assert [message async for message in websocket] == []
        assert websocket.closed is not None
        assert websocket.closed.code == 1011


async def test_a_request_for_health_may_be_lost_before_its_answer() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(link: Link) -> None:
        async for event in link:
            if isinstance(event, Credentials):
                asked.set()
                await go.wait()
                link.accept(event, user="server")

    async with kedge.serve(slow, hub=kedge.flowlayer.Hub()) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer anna\r\n\r\n")
        await soon(asked.wait())
        for wire in server._arrivals:
            wire.abort()
        await until(lambda: server.connections == 0)
        go.set()
        await until(lambda: not server._tasks)
        writer.close()
        await writer.wait_closed()
    with pytest.raises(NotImplementedError, match="never upgraded"):
        await _Health.accept(None, Upgrade())  # type: ignore[arg-type]


def test_a_state_that_cannot_be_put_there_leaves_no_half_of_it(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(OSError, match="state"):
        _state.save(tmp_path / "state", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


# ---- links ---------------------------------------------------------------------------------------


async def test_what_is_answered_after_the_seal_comes_too_late() -> None:
    answers: list[bool] = []

    async def sealing(link: Link) -> None:
        async for event in link:
            if isinstance(event, Identify):
                link.hub.seal()
                answers.append(link.accept(event, user="anna"))

    async with kedge.serve(sealing, hub=Hub()) as server, following(server.urls[0]):
        await until(lambda: answers)
    assert answers == [False]


async def test_a_link_says_what_its_protocol_does_not_have() -> None:
    told: list[str] = []

    async def trying(link: Link) -> None:
        async for event in link:
            if isinstance(event, Credentials):
                link.accept(event, user="server")
            elif isinstance(event, Attached):
                for act in (link.follow, link.unfollow):
                    with pytest.raises(kedge.StateError, match="flowlayer has no topics") as error:
                        act("topic")
                    told.append(str(error.value))
                with pytest.raises(kedge.StateError) as error:
                    link.notify("news")
                told.append(str(error.value))
            elif isinstance(event, Snapshot):
                link.reply(event, {"services": []})

    async with kedge.serve(trying, hub=kedge.flowlayer.Hub()) as server:
        client = kedge.flowlayer.Client(token="t")
        async with following(server.urls[0], client) as record:
            await record.ready()
    assert len(told) == 3


async def test_a_question_of_another_kind_is_its_callers_mistake() -> None:
    raised: list[Exception] = []

    async def wrong(link: Link) -> None:
        async for event in link:
            if isinstance(event, Credentials):
                link.accept(event, user="anna")
            elif isinstance(event, Request):
                try:
                    link.accept_request(event)
                except kedge.StateError as error:
                    raised.append(error)
                link.reply(event, {})

    client = kedge.messaging.Client(token="t")
    async with (
        kedge.serve(wrong, hub=kedge.messaging.Hub()) as server,
        following(server.urls[0], client) as record,
    ):
        await record.ready()
        await record.stream.request("chats", {})
    assert len(raised) == 1


async def test_a_link_sends_what_was_encoded_before() -> None:
    async def greeting(link: Link) -> None:
        async for event in link:
            if isinstance(event, Identify):
                link.accept(event, user="anna")
                link.send(Publication("tick", {"count": 1}))

    async with kedge.serve(greeting, hub=Hub()) as server, following(server.urls[0]) as record:
        await record.came(1)


# ---- requests ------------------------------------------------------------------------------------


async def test_a_request_that_has_ended_cannot_be_cancelled() -> None:
    """Its outcome is on the way, and nobody's."""
    requests = Requests()

    def cancel(number: int) -> None:
        raise UnknownError("there is none")

    assert requests.sift([Ready("s")]) == [Ready("s")]
    task = asyncio.create_task(requests.answer(7, cancel))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(requests) == 1
    assert requests.sift([Outcome(7, "answered"), Outcome(8, "answered")]) == [
        Outcome(8, "answered")
    ]
    assert len(requests) == 0
    task = asyncio.create_task(requests.answer(9, cancel))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    requests.end()
    assert len(requests) == 0


# ---- clients -------------------------------------------------------------------------------------


async def test_a_name_that_is_none_is_no_connection(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "kedge"):
        async with following(f"ws://{'a' * 64}.example", client_of()) as record:
            await record.closed()
    assert "no connection to" in caplog.text


async def test_a_name_is_looked_up() -> None:
    async with (
        kedge.serve(handle, hub=Hub()) as server,
        following(f"ws://localhost:{server.port}") as record,
    ):
        await record.ready()


async def test_a_server_that_hangs_up_amid_tls_is_no_connection() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with following(url, client_of()) as record:
        assert (await record.closed()).http_status is None
    server.close()


async def test_a_server_that_does_not_agree_to_the_end_is_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_stream, "CLOSE_TIMEOUT", 0.02)
    with caplog.at_level(logging.DEBUG, "kedge"):
        async with nothing_left(), mute() as url, following(url) as record:
            await record.ready()
    assert "did not close in time" in caplog.text


async def test_events_are_taken_while_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}"
    async with kedge.connect(url, client_of(), events_max=1) as stream:
        await asyncio.sleep(0.05)
        kinds = [type(await soon(anext(stream))).__name__ for _ in range(4)]
        assert kinds == ["Connect", "Closed", "Connect", "Closed"]


async def test_several_may_wait_for_a_session() -> None:
    async with (
        kedge.serve(handle, hub=Hub()) as server,
        kedge.connect(server.urls[0], client_of()) as stream,
    ):
        both = [stream.notify("presence_update", {"status": "idle"}) for _ in range(2)]
        await soon(asyncio.gather(*both))


async def test_a_client_that_was_stopped_amid_a_connect_drops_what_comes_of_it() -> None:
    client = Client(token="anna")
    client.start()
    client.handshake()
    client.stop()
    socket = OddSocket(HELLO)
    async with nothing_left():
        await soon(Carrier(client, lambda events: None, lambda: False).carry(socket))
    assert (socket.sent, socket.aborted, socket.ended) == ([], True, True)


async def test_a_connection_that_came_too_late_for_a_cancellation_is_dropped() -> None:
    async with (
        nothing_left(),
        kedge.serve(handle, hub=Hub()) as server,
        kedge.connect(server.urls[0], client_of()) as stream,
    ):
        stream._running = False  # as _drop() does, amid create_connection
        await until(lambda: not stream._dialing)
        await until(lambda: not stream._lines)


async def test_a_carrier_without_a_socket_has_nothing_to_drop() -> None:
    carrier = Carrier(Hub().link(), lambda events: None, lambda: False)
    carrier.abort()
    carrier.look()
    carrier.abort()


async def test_a_plain_websocket_tells_what_it_is() -> None:
    async def wait(websocket: WebSocket) -> None:
        async for _ in websocket:
            pass

    async with kedge.serve(wait) as server, kedge.connect(server.urls[0]) as websocket:
        assert "open" in repr(websocket)
        await websocket.close(4000)
        assert "closed 4000" in repr(websocket)


@pytest.mark.parametrize("times", [2, 3])
async def test_a_handler_that_will_not_end_is_told_twice(
    times: int, caplog: pytest.LogCaptureFixture
) -> None:
    cancelled: list[int] = []
    ended = asyncio.Event()

    async def deaf(link: Link) -> None:
        for count in range(times):
            try:
                await ended.wait()
            except asyncio.CancelledError:
                cancelled.append(count)

    async with nothing_left():
        async with mute_client() as dial, kedge.serve(deaf, hub=Hub()) as server:
            await dial(server.port)
            server._close_timeout = 0.02
        assert cancelled == [0, 1]
        ended.set()
    assert ("though it was cancelled twice" in caplog.text) == (times == 3)


@asynccontextmanager
async def mute_client() -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """One that upgrades and then neither says a word nor answers a close."""
    writers: list[asyncio.StreamWriter] = []

    async def dial(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        writer.write(
            b"GET /gateway HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await soon(reader.readuntil(b"}}"))

    yield dial
    for writer in writers:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_a_transport_that_ends_amid_tls_is_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """asyncio then gives none."""

    async def start_tls(transport: asyncio.Transport, *rest: object, **options: object) -> None:
        return None

    monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", start_tls)
    async with (
        kedge.serve(handle, hub=Hub()) as server,
        following(f"wss://127.0.0.1:{server.port}", client_of()) as record,
    ):
        assert (await record.closed()).http_status is None


async def test_a_stream_without_a_connection_has_nothing_to_steer() -> None:
    async with kedge.connect("ws://127.0.0.1:1", client_of()) as stream:
        stream._steer()
        assert stream._line is None


async def test_a_plain_server_that_stops_cancels_its_handlers() -> None:
    ended: list[str] = []

    async def wait(websocket: WebSocket) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async with (
        nothing_left(),
        kedge.serve(wait, close_timeout=0.05) as server,
        kedge.connect(server.urls[0]),
    ):
        await until(lambda: server._tasks)
        await server.close()
    assert ended == ["cancelled"]


# ---- drivers -------------------------------------------------------------------------------------


async def test_a_thread_that_asks_when_nobody_serves_any_more_is_told() -> None:
    hub = Hub()
    told: list[Exception] = []

    def ask() -> None:
        try:
            hub.sessions()
        except kedge.StateError as error:
            told.append(error)

    thread = threading.Thread(target=ask)
    with driven(hub) as driver:
        thread.start()
        while not driver._calls:
            time.sleep(0.001)  # noqa: ASYNC251 - the loop must not get a turn
    thread.join()
    assert "no longer served" in str(told[0])
    await asyncio.sleep(0)  # what was to be done comes to nothing
    assert hub.sessions() == []


async def test_a_thread_waits_for_a_loop_that_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_driver, "STANDSTILL", 0.01)
    hub = Hub()
    with driven(hub) as driver:
        asking = asyncio.create_task(asyncio.to_thread(hub.sessions))
        await asyncio.sleep(0)
        while not driver._calls:
            time.sleep(0.001)  # noqa: ASYNC251 - the loop must not get a turn
        time.sleep(0.05)  # noqa: ASYNC251 - nor meanwhile
        assert await soon(asking) == []
        assert not driver._calls


def test_a_thread_that_asks_a_loop_that_has_ended_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_driver, "STANDSTILL", 0.01)
    hub = Hub()
    loop = asyncio.new_event_loop()

    async def begin(holds: contextlib.ExitStack) -> None:
        holds.enter_context(driven(hub))

    with ThreadPoolExecutor(1) as threads, contextlib.ExitStack() as holds:
        loop.run_until_complete(begin(holds))
        for end in (lambda: None, loop.close):
            end()
            with pytest.raises(kedge.StateError, match="no longer served"):
                threads.submit(hub.publish, "topic", "tick", {}).result(PATIENCE)
    assert hub.sessions() == []


async def test_a_hub_may_be_woken_by_any_thread() -> None:
    hub = Hub()
    with driven(hub) as driver:
        await asyncio.sleep(0)
        await asyncio.to_thread(hub.wake)
        await until(lambda: not driver._turn_comes)


async def test_a_hub_is_served_by_one_loop_only() -> None:
    hub = Hub()

    async def serve() -> None:
        with driven(hub):
            raise AssertionError

    def elsewhere() -> None:
        with pytest.raises(kedge.StateError, match="another event loop"):
            asyncio.run(serve())

    with driven(hub):
        await asyncio.to_thread(elsewhere)


async def test_much_that_is_told_at_once_is_written_in_between() -> None:
    hub = Hub(topic_history=(150, 1 << 20, 600.0))
    async with kedge.serve(handle, hub=hub) as server, following(server.urls[0]) as record:
        await record.ready()
        publish(hub, 1, 1000)
        await record.came(1000)
        record.check(1000)


def test_a_path_that_is_not_the_clients_is_its_callers_mistake() -> None:
    with pytest.raises(kedge.ArgumentError, match=r"kedge\.gateway\.Client\(path=\.\.\.\)"):
        kedge.connect("ws://127.0.0.1/elsewhere", client_of())
