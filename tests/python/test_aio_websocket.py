"""Plain WebSockets on asyncio: kedge.serve and kedge.connect, by themselves and with websockets."""

from __future__ import annotations

import asyncio
import logging
import socket

import kedge
import pytest
import websockets.asyncio.client as websockets_client
import websockets.asyncio.server as websockets_server
from aio_world import nothing_left, soon, until
from kedge.aio import WebSocket
from websockets.exceptions import ConnectionClosed

MESSAGES: list[str | bytes] = [
    "",
    "hello",
    "ünïcödé 🜛",
    b"",
    b"\x00\xff",
    "x" * 200_000,
    b"y" * 99_999,
]


async def echo(websocket: WebSocket) -> None:
    async for message in websocket:
        await websocket.send(message)


async def test_messages_come_back_as_they_were_sent() -> None:
    async with (
        nothing_left(),
        kedge.serve(echo) as server,
        kedge.connect(server.urls[0]) as websocket,
    ):
        for message in MESSAGES:
            await websocket.send(message)
        for message in MESSAGES:
            assert await soon(anext(websocket)) == message
        await websocket.close()
        assert websocket.closed.code == 1000
        assert [message async for message in websocket] == []
        with pytest.raises(kedge.ClosedError):
            await websocket.send("too late")
        await until(lambda: server.connections == 0)


async def test_another_librarys_client_is_served() -> None:
    async with (
        kedge.serve(echo) as server,
        websockets_client.connect(server.urls[0], max_size=None) as websocket,
    ):
        for message in MESSAGES:
            await websocket.send(message)
            assert await soon(websocket.recv()) == message
        await (await websocket.ping())


async def test_another_librarys_server_is_understood() -> None:
    async def other_echo(connection: websockets_server.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with websockets_server.serve(other_echo, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with kedge.connect(f"ws://127.0.0.1:{port}/chat?room=1") as websocket:
            for message in MESSAGES:
                await websocket.send(message)
                assert await soon(anext(websocket)) == message


async def test_a_subprotocol_is_agreed_upon() -> None:
    async def tell(websocket: WebSocket) -> None:
        await websocket.send(f"{websocket.subprotocol} {websocket.target}")
        async for _ in websocket:
            pass

    async with kedge.serve(tell, subprotocols=["v2", "v1"], path="/chat") as server:
        url = f"{server.urls[0]}?room=1"
        async with kedge.connect(url, subprotocols=["v1"]) as websocket:
            assert websocket.subprotocol == "v1"
            assert await soon(anext(websocket)) == "v1 /chat?room=1"
        async with kedge.connect(url) as websocket:
            assert await soon(anext(websocket)) == "None /chat?room=1"
        with pytest.raises(kedge.RefusedError, match="404") as refused:
            async with kedge.connect(f"ws://127.0.0.1:{server.port}/elsewhere"):
                pass
        assert refused.value.code == 404


async def test_where_nobody_is_the_caller_is_told() -> None:
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    async with nothing_left():
        with pytest.raises(OSError, match=f"{port}|refused"):
            async with kedge.connect(f"ws://127.0.0.1:{port}"):
                pass
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(kedge.RefusedError, match="hung up"):
            async with kedge.connect(url, open_timeout=0.05):
                pass


@pytest.mark.parametrize(
    "url", ["http://x/", "ws://", "ws://x:port/", "ws://a@x/", "ws://x/#y", "x", "ws://x:70000/"]
)
def test_what_is_no_url_of_a_websocket_is_refused(url: str) -> None:
    with pytest.raises(kedge.ArgumentError):
        kedge.connect(url)


@pytest.mark.parametrize(
    "url", ["https://x/?token=sesame", "ws://x:port/?token=sesame", "ws://ann:sesame@x/"]
)
def test_what_is_no_url_is_not_repeated(url: str) -> None:
    with pytest.raises(kedge.ArgumentError) as refusal:
        kedge.connect(url)
    assert "sesame" not in str(refusal.value)


async def test_a_handler_that_raises_closes_its_own_with_1011(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def raising(websocket: WebSocket) -> None:
        async for message in websocket:
            raise ValueError(f"as it should: {message!r}")

    async with kedge.serve(raising) as server, kedge.connect(server.urls[0]) as other:
        async with kedge.connect(server.urls[0]) as websocket:
            await websocket.send("go")
            assert [message async for message in websocket] == []
            assert websocket.closed.code == 1011
        assert other.closed is None
    assert "as it should: 'go'" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_handler_that_returns_closes_with_1000() -> None:
    async def one(websocket: WebSocket) -> None:
        await websocket.send(await anext(websocket))

    async with kedge.serve(one) as server, kedge.connect(server.urls[0]) as websocket:
        await websocket.send("go")
        assert [message async for message in websocket] == ["go"]
        assert websocket.closed.code == 1000


async def test_a_client_that_leaves_amid_a_send_is_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def flood(websocket: WebSocket) -> None:
        while True:
            await websocket.send(b"x" * 65536)

    async with kedge.serve(flood) as server:
        async with kedge.connect(server.urls[0]) as websocket:
            await soon(anext(websocket))
            websocket.abort()
        await until(lambda: server.connections == 0)
    assert [entry for entry in caplog.records if entry.levelno >= logging.ERROR] == []


async def test_a_reader_that_is_slow_holds_the_sender_back() -> None:
    sent = 0

    async def flood(websocket: WebSocket) -> None:
        nonlocal sent
        while sent < 1000:
            await websocket.send(sent.to_bytes(4, "big") * 10_000)
            sent += 1

    async with (
        kedge.serve(flood) as server,
        kedge.connect(server.urls[0], events_max=2) as websocket,
    ):
        await soon(anext(websocket))
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.05)
        assert sent < 1000
        count = 1
        async for message in websocket:
            assert message[:4] == count.to_bytes(4, "big")
            count += 1
        assert count == 1000


async def test_a_message_larger_than_the_limit_closes_with_1009() -> None:
    async with kedge.serve(echo, message_limit=1000) as server:
        async with kedge.connect(server.urls[0]) as websocket:
            await websocket.send("x" * 1001)
            assert [message async for message in websocket] == []
            assert websocket.closed.code == 1009
        async with kedge.connect(server.urls[0]) as websocket:
            with pytest.raises(kedge.LimitError):
                await websocket.send(b"x" * (1 << 21))


async def test_a_server_that_stops_says_1001() -> None:
    async with (
        nothing_left(),
        kedge.serve(echo) as server,
        websockets_client.connect(server.urls[0]) as websocket,
    ):
        await server.close()
        with pytest.raises(ConnectionClosed) as closed:
            await soon(websocket.recv())
        assert closed.value.rcvd.code == 1001


async def test_a_peer_that_is_silent_is_found_dead() -> None:
    """One that reads nothing and answers no ping."""
    ended = asyncio.Event()

    async def wait(websocket: WebSocket) -> None:
        async for _ in websocket:
            pass
        assert websocket.closed.cause == "TIMED_OUT"
        ended.set()

    async with kedge.serve(wait, ping_interval=0.05, ping_timeout=0.05) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert b" 101 " in await reader.readline()
        await soon(ended.wait())
        writer.close()
        await writer.wait_closed()


async def test_cancelling_a_handler_and_a_client_leaves_nothing() -> None:
    async with nothing_left(), kedge.serve(echo) as server:

        async def talk() -> None:
            async with kedge.connect(server.urls[0]) as websocket:
                async for _ in websocket:
                    pass

        talks = [asyncio.create_task(talk()) for _ in range(3)]
        await until(lambda: len(server._tasks) == 3)
        for task in talks:
            task.cancel()
        await asyncio.wait(talks)
        await until(lambda: server.connections == 0 and not server._tasks)
        connecting = asyncio.create_task(talk())
        await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.wait([connecting])
        await until(lambda: server.connections == 0)


async def test_several_addresses_are_listened_on() -> None:
    async with kedge.serve(echo, ["127.0.0.1", "127.0.0.2"]) as server:
        assert len(server.urls) == 2
        for url in server.urls:
            async with kedge.connect(url) as websocket:
                await websocket.send(url)
                assert await soon(anext(websocket)) == url


def test_a_path_is_a_path() -> None:
    for path in ("chat", "/chat?room=1", ""):
        with pytest.raises(ValueError, match="not a path"):
            kedge.serve(echo, path=path)


async def test_a_message_larger_than_the_queue_is_refused_at_once() -> None:
    async with kedge.serve(echo) as server, kedge.connect(server.urls[0]) as websocket:
        with pytest.raises(kedge.LimitError):
            await websocket.send(b"x" * (1 << 21))
        await websocket.send("small")
        assert await soon(anext(websocket)) == "small"


async def test_several_tasks_wait_for_room_together() -> None:
    async def late(websocket: WebSocket) -> None:
        await released.wait()
        async for message in websocket:
            sizes.append(len(message))

    released = asyncio.Event()
    sizes: list[int] = []
    async with (
        kedge.serve(late, events_max=2) as server,
        kedge.connect(server.urls[0]) as websocket,
    ):

        async def flood() -> None:
            for _ in range(20):
                await websocket.send(b"x" * 500_000)

        tasks = [asyncio.create_task(flood()) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in tasks)
        released.set()
        await soon(asyncio.gather(*tasks))
        await until(lambda: sum(sizes) == 60 * 500_000)


async def test_who_sends_while_the_peer_takes_nothing_waits() -> None:
    async def late(websocket: WebSocket) -> None:
        await released.wait()
        async for message in websocket:
            sizes.append(len(message))

    released = asyncio.Event()
    sizes: list[int] = []
    async with (
        kedge.serve(late, events_max=2) as server,
        kedge.connect(server.urls[0]) as websocket,
    ):
        sent = 0
        (peer,) = server._open
        while peer.reading or not websocket._wire.held:
            if not websocket._wire.held:
                await soon(websocket.send(b"x" * 500_000))
                sent += 1
            await asyncio.sleep(0.02)  # what can be written is
        last = asyncio.create_task(websocket.send(b"last"))
        await asyncio.sleep(0.05)
        assert not last.done()
        released.set()
        await soon(last)
        await until(lambda: sizes == [500_000] * sent + [4])


async def test_who_gives_up_connecting_leaves_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"

        async def enter() -> None:
            async with kedge.connect(url):
                raise AssertionError("nobody answers")

        async with nothing_left():
            task = asyncio.create_task(enter())
            peer, _ = await asyncio.get_running_loop().run_in_executor(None, silent.accept)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        peer.close()


async def test_who_leaves_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kedge.aio._websocket.CLOSE_TIMEOUT", 0.01)
    deaf: list[kedge.websocket.Protocol] = []

    class Deaf(kedge.websocket.Protocol):
        def opened(self, event: kedge.websocket.Opened) -> None:
            deaf.append(self)
            self.transport.pause_reading()

    listener = await asyncio.get_running_loop().create_server(Deaf, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with kedge.connect(f"ws://127.0.0.1:{port}") as websocket:
        await until(lambda: deaf)
    await soon(websocket.wait_closed())
    assert websocket.closed.received is None
    deaf[0].abort()
    await until(lambda: deaf[0].transport is None)
    listener.close()
    await listener.wait_closed()
