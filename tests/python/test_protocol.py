"""kedge.websocket.Protocol: WebSockets with callbacks, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import kedge
import pytest
from aio_world import nothing_left, soon, until
from kedge._core import Mailbox, Wire
from kedge.aio import _wire as aio_wire
from kedge.websocket import Disconnected, HttpRequest, Opened, Protocol, Refused, Requested

MESSAGES: list[str | bytes] = ["", "ünïcödé 🜛", b"", b"\x00\xff", "x" * 200_000, b"y" * 99_999]


class Echo(Protocol):
    def received(self, message: str | bytes) -> None:
        self.send(message)


class Recorder(Protocol):
    """Keeps what happens."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.happened: list[Any] = []

    def opened(self, event: Opened) -> None:
        self.happened.append(event)

    def refused(self, event: Refused) -> None:
        self.happened.append(event)

    def received(self, message: str | bytes) -> None:
        self.happened.append(message)

    def closed(self, event: Disconnected) -> None:
        self.happened.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.happened if isinstance(event, kind)]


DIALED: list[Protocol] = []


@asynccontextmanager
async def listening(factory: Callable[[], Protocol]) -> AsyncIterator[int]:
    """A server; in the end its connections and those of dial() are dropped."""
    made = DIALED

    def make() -> Protocol:
        made.append(factory())
        return made[-1]

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in made:
            each.abort()
        await until(lambda: all(each.transport is None for each in made))
        made.clear()


async def dial(port: int, **options: Any) -> Recorder:
    _, protocol = await asyncio.get_running_loop().create_connection(
        lambda: Recorder(host="127.0.0.1", **options), "127.0.0.1", port
    )
    DIALED.append(protocol)
    return protocol


async def test_messages_come_back() -> None:
    async with nothing_left(), listening(Echo) as port:
        client = await dial(port)
        await until(lambda: client.of(Opened))
        for message in MESSAGES:
            client.send(message)
        await until(lambda: len(client.happened) > len(MESSAGES))
        assert client.happened[1:] == MESSAGES
        client.close(4000, "enough")
        client.close()
        await until(lambda: client.of(Disconnected))
        (end,) = client.of(Disconnected)
        assert (end.code, end.sent, end.received) == (4000, 4000, 4000)
        await until(lambda: client.transport is None)
        client.abort()
        client.look()
        client.flush()
        client.steer()
        assert client.held


async def test_kedges_own_client_is_answered() -> None:
    async with listening(Echo) as port, kedge.connect(f"ws://127.0.0.1:{port}/") as websocket:
        await websocket.send("hello")
        assert await soon(anext(websocket)) == "hello"


async def test_texts_may_stay_bytes() -> None:
    class Raw(Protocol):
        def received_text(self, message: bytes) -> None:
            self.send_text(message)

        def received(self, message: str | bytes) -> None:
            self.send(message)

    async with listening(Raw) as port:
        client = await dial(port)
        await until(lambda: client.of(Opened))
        for message in MESSAGES:
            client.send(message)
        await until(lambda: len(client.happened) > len(MESSAGES))
        assert client.happened[1:] == MESSAGES
        with pytest.raises(kedge.DecodeError):
            client.send_text(b"\xff")


async def test_a_server_looks_at_the_request() -> None:
    class Choosy(Echo):
        def requested(self, request: Requested) -> None:
            if request.target == "/chat":
                self.upgrade("v1", [("X-Room", "1")])
            else:
                self.answer(403, body=b"not here")

        def asked(self, request: HttpRequest) -> None:
            self.answer(200, [("Content-Type", "text/plain")], request.target.encode())

    async with listening(Choosy) as port:
        client = await dial(port, target="/chat", subprotocols=["v2", "v1"])
        await until(lambda: client.happened)
        assert client.of(Opened)[0].subprotocol == "v1"
        refused = await dial(port, target="/elsewhere")
        await until(lambda: refused.of(Disconnected))
        assert refused.of(Refused)[0].status == 403
        assert refused.of(Refused)[0].body == b"not here"
        assert b"200 OK" in await ask(port, "/health")
    async with listening(Echo) as port:
        assert b"426 Upgrade Required" in await ask(port, "/")


async def ask(port: int, target: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = await soon(reader.read())
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_peer_that_does_not_read_is_told_of() -> None:
    class Flood(Recorder):
        rooms = 0

        def opened(self, event: Opened) -> None:
            floods.append(self)

        def room(self) -> None:
            self.rooms += 1

    floods: list[Flood] = []
    async with listening(lambda: Flood(queue_limit=1 << 24)) as port:
        client = await dial(port)
        await until(lambda: floods)
        (flood,) = floods
        client.transport.pause_reading()
        while not flood.held:
            flood.send(b"x" * 500_000)
            flood.flush()
        with pytest.raises(kedge.LimitError):
            flood.send(b"x" * (1 << 24))
        assert flood.rooms == 0
        client.transport.resume_reading()
        await until(lambda: not flood.connection.output_waiting and not flood.held)
        assert flood.rooms >= 1


async def test_nobody_waits_for_ever() -> None:
    async with listening(lambda: Recorder(handshake_timeout=0.02)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert b"408" in await soon(reader.read())
        writer.close()
        await writer.wait_closed()


async def test_silence_is_pinged_and_death_found() -> None:
    async with listening(lambda: Recorder(ping_interval=0.01, ping_timeout=0.02)) as port:
        client = await dial(port)
        await until(lambda: client.of(Opened))
        await asyncio.sleep(0.05)
        assert not client.of(Disconnected)
        client.transport.pause_reading()
        await asyncio.sleep(0.05)
        client.transport.resume_reading()
        await until(lambda: client.of(Disconnected))


async def test_what_a_method_raises_ends_the_connection() -> None:
    class Broken(Protocol):
        def received(self, message: str | bytes) -> None:
            raise ValueError("broken")

    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    async with listening(Broken) as port:
        client = await dial(port)
        await until(lambda: client.of(Opened))
        client.send("one")
        await until(lambda: client.of(Disconnected))
    assert isinstance(told[0]["exception"], ValueError)


async def test_a_protocol_without_methods_takes_everything() -> None:
    async with listening(Protocol) as port:
        client = await dial(port)
        await until(lambda: client.of(Opened))
        client.send("one")
        client.close()
        await until(lambda: client.of(Disconnected))
    async with listening(Protocol) as port:
        _, quiet = await asyncio.get_running_loop().create_connection(
            lambda: Protocol(host="127.0.0.1"), "127.0.0.1", port
        )
        await until(lambda: quiet.connection.deadline is not None)
        quiet.room()
        quiet.received_text(b"")
        quiet.refused(Refused(500))
        quiet.abort()
        await until(lambda: quiet.transport is None)


async def test_before_the_transport_is_there() -> None:
    protocol = Echo()
    assert not protocol.begun
    assert protocol.transport is None
    assert protocol.held
    with pytest.raises(AttributeError):
        protocol.connection  # noqa: B018
    with pytest.raises(kedge.StateError, match="no connection"):
        protocol.send("x")
    with pytest.raises(kedge.StateError, match="no connection"):
        protocol.buffer_updated(1)
    with pytest.raises(kedge.ArgumentError, match="nbytes"):
        protocol.buffer_updated(1 << 17)
    with pytest.raises(TypeError):
        protocol.buffer_updated("1")  # type: ignore[arg-type]
    protocol.look()
    protocol.flush()
    protocol.steer()
    protocol.pause_writing()
    protocol.resume_writing()
    protocol.connection_lost(None)
    protocol.close()
    protocol.abort()


async def test_the_attributes_of_a_wire_are_checked() -> None:
    protocol = Echo()
    assert protocol.reading
    assert not protocol.tells_written
    assert not protocol.raw_texts
    for name in ("reading", "tells_written", "raw_texts"):
        setattr(protocol, name, True)
        assert getattr(protocol, name) is True
        delattr(protocol, name)
        assert getattr(protocol, name) is False
    with pytest.raises(TypeError, match="Mailbox or None"):
        protocol.mailbox = 1  # type: ignore[assignment]
    protocol.mailbox = None
    assert protocol.mailbox is None
    with pytest.raises(TypeError, match="must be a Connection"):
        protocol._attach(1, 2, 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        protocol._attach()  # type: ignore[call-arg]


async def test_a_hubs_turn_gives_back_the_links_that_no_wire_carries() -> None:
    hub = kedge.gateway.Hub()
    link = hub.link()
    link.close(1000)
    assert Wire.serve(hub) == [link]
    assert Wire.serve(hub) == []
    with pytest.raises(TypeError, match="takes a hub"):
        Wire.serve(1)  # type: ignore[arg-type]


async def test_one_that_cannot_begin_drops_its_transport(caplog: pytest.LogCaptureFixture) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with listening(lambda: Protocol(message_limit=0)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await soon(reader.read()) == b""
        writer.close()
        await writer.wait_closed()
    assert isinstance(told[0]["exception"], kedge.ArgumentError)


async def test_what_comes_late_is_no_news() -> None:
    protocol = Echo()
    protocol._pause()
    protocol._resume()
    protocol._finish()
    assert protocol.reading


async def test_a_wire_without_a_mailbox_has_nowhere_to_put_a_message() -> None:
    def begin(wire: aio_wire.Wire) -> kedge.websocket.Connection:
        return kedge.websocket.Connection.accept()

    wire = aio_wire.Wire(aio_wire._Nobody(), begin)
    wire.received("lost")
    wire.mailbox = Mailbox(1, wire.steer, asyncio.get_running_loop())
    wire.received("kept")
    assert await wire.mailbox.get() == "kept"
    nobody = aio_wire._Nobody()
    nobody.deliver(wire, [])
    nobody.written(wire)
    nobody.gone(wire)
