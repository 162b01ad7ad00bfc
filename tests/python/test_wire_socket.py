"""What a wire writes to its transport's socket itself, and what it leaves to the transport."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from kedge import ArgumentError, StateError
from kedge._core import Wire
from kedge.aio._wire import plain_socket
from kedge.websocket import Connection, Requested

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Transport:
    """Keeps what it is given, until it is told to write it; it is the loop as well."""

    def __init__(self, near: socket.socket) -> None:
        self.near = near
        self.waits = b""
        self.fails = False
        self.closing = False
        self.closed = False
        self.failure: Exception | None = None

    def write(self, data: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        if not self.closing:
            self.waits += data

    def abort(self) -> None:
        self.closing = True
        self.waits = b""

    def is_closing(self) -> bool:
        return self.closing

    def is_closed(self) -> bool:
        """Of the loop."""
        return self.closed

    def get_write_buffer_size(self) -> int:
        if self.fails:
            raise RuntimeError("closed")
        return len(self.waits)

    def call_soon(self, callback: Callable[[], object]) -> object:
        """It is a loop that has no turns."""
        return self

    def drain(self) -> None:
        while self.waits:
            self.waits = self.waits[self.near.send(self.waits) :]


class Plain(Wire):
    def __init__(self, near: socket.socket, descriptor: int, waits: bytes = b"") -> None:
        buffer = memoryview(bytearray(REQUEST))
        super().__init__(buffer)
        self.tells_written = False
        self.out = Transport(near)
        self.out.waits = waits
        self._attach(Connection.accept(), self.out, self.out, descriptor)  # type: ignore[arg-type]
        self.buffer_updated(len(buffer))

    def say(self, text: str) -> None:
        self.send(text)
        self.flush()

    def _deliver(self, events: Sequence[Any]) -> None:
        for event in events:
            if isinstance(event, Requested):
                self.connection.upgrade()

    def _set_alarm(self, deadline: float | None) -> None:
        """No time passes."""


Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        far.setblocking(False)
        yield near, far


def take(far: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            found += far.recv(1 << 16)
        except BlockingIOError:
            return found


def test_what_the_socket_takes_goes_past_the_transport(pair: Pair) -> None:
    near, far = pair
    wire = Plain(near, near.fileno())
    assert take(far).startswith(b"HTTP/1.1 101 ")
    wire.say("hello")
    assert take(far) == b"\x81\x05hello"
    assert wire.out.waits == b""


def test_what_it_does_not_take_is_the_transports_in_its_order(pair: Pair) -> None:
    near, far = pair
    wire = Plain(near, near.fileno())
    take(far)
    texts = [str(number) * 50_000 for number in range(10)]
    for text in texts:
        wire.say(text)
    assert wire.out.waits
    found = take(far)
    wire.say("last")
    assert wire.out.waits.endswith(b"\x81\x04last"), "while it has something all is the transport's"
    for _ in range(20):
        try:
            wire.out.drain()
        except BlockingIOError:
            found += take(far)
    found += take(far)
    for text in texts:
        header = b"\x81\x7e" + len(text).to_bytes(2, "big")
        assert found.startswith(header + text.encode())
        found = found[len(header) + len(text) :]
    assert found == b"\x81\x04last"
    wire.say("again")
    assert take(far) == b"\x81\x05again"


def test_nothing_goes_past_the_transport_of_a_loop_that_is_closed(pair: Pair) -> None:
    """Its descriptor may be another file's by now."""
    near, far = pair
    wire = Plain(near, near.fileno())
    take(far)
    wire.out.closed = True
    wire.say("hello")
    assert take(far) == b""
    assert wire.out.waits == b"\x81\x05hello"


def test_a_transport_that_cannot_say_is_given_all(pair: Pair) -> None:
    near, far = pair
    wire = Plain(near, near.fileno())
    take(far)
    wire.say("x" * 1_000_000)
    wire.out.waits = b""
    wire.out.fails = True
    take(far)
    wire.say("hello")
    assert wire.out.waits == b"\x81\x05hello"


def test_what_the_transport_has_from_before_comes_first(pair: Pair) -> None:
    near, far = pair
    wire = Plain(near, near.fileno(), b"HTTP/1.1 100 Continue\r\n\r\n")
    assert take(far) == b""
    assert wire.out.waits.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 ")


def test_nothing_follows_a_frame_that_an_abort_cut_off(pair: Pair) -> None:
    near, far = pair
    wire = Plain(near, near.fileno())
    take(far)
    wire.say("x" * 1_000_000)
    assert wire.out.waits
    wire.out.abort()
    found = take(far)
    wire.say("hello")
    assert set(found[10:]) == {ord("x")}
    assert take(far) == b""


def test_nothing_follows_an_abort(pair: Pair) -> None:
    near, far = pair
    wire = Plain(near, near.fileno())
    wire.say("hello")
    assert take(far).endswith(b"hello")
    wire.abort()
    wire.say("again")
    assert take(far) == b""
    wire._detach()
    wire.abort()


async def test_nothing_follows_an_abort_of_a_real_transport(pair: Pair) -> None:
    near, far = pair
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
    wire = Plain(near, near.fileno())
    wire._attach(wire.connection, transport, asyncio.get_running_loop(), plain_socket(transport))
    take(far)
    wire.say("x" * 1_000_000)
    assert transport.get_write_buffer_size() > 0
    transport.abort()
    take(far)
    wire.say("hello")
    assert take(far) == b""
    wire._detach()
    await asyncio.sleep(0)


def test_a_transport_that_loses_what_it_is_given_is_dropped(pair: Pair) -> None:
    near, far = pair
    wire = Plain(near, near.fileno())
    take(far)
    wire.out.failure = OSError("as it should")
    with pytest.raises(OSError, match="as it should"):
        wire.say("x" * 1_000_000)
    assert wire.out.closing
    take(far)
    wire.out.failure = None
    wire.say("hello")
    assert take(far) == b""


def test_how_it_is_dropped_does_not_matter(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = pair
    wire = Plain(near, near.fileno())
    take(far)
    wire.out.failure = OSError("as it should")
    monkeypatch.setattr(Transport, "abort", None)
    with pytest.raises(OSError, match="as it should"):
        wire.say("x" * 1_000_000)
    with pytest.raises(TypeError):
        wire.abort()


@pytest.mark.parametrize("descriptor", [-1, -7, 1 << 40])
def test_without_a_socket_all_is_the_transports(pair: Pair, descriptor: int) -> None:
    near, far = pair
    wire = Plain(near, descriptor)
    assert wire.out.waits.startswith(b"HTTP/1.1 101 ")
    assert take(far) == b""


def test_a_socket_that_fails_leaves_it_to_the_transport(pair: Pair) -> None:
    near, far = pair
    far.close()
    wire = Plain(near, near.fileno())
    assert wire.out.waits.startswith(b"HTTP/1.1 101 ")


def test_a_socket_is_a_number(pair: Pair) -> None:
    with pytest.raises(TypeError):
        Plain(pair[0], "1")  # type: ignore[arg-type]


async def test_only_transports_that_are_known_are_passed(pair: Pair) -> None:
    near, _ = pair
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
    assert plain_socket(transport) == near.fileno()
    assert plain_socket(asyncio.BaseTransport()) == -1
    transport.close()
    await asyncio.sleep(0)


def test_wires_share_what_they_read_into(pair: Pair) -> None:
    one, other = memoryview(bytearray(8)), memoryview(bytearray(4))
    wires = [Wire(one), Wire(one), Wire(other), Wire(one)]
    assert [wire.get_buffer(-1) for wire in wires] == [one, one, other, one]
    with pytest.raises(ArgumentError, match="more than the buffer holds"):
        wires[2].buffer_updated(5)
    with pytest.raises(BufferError):
        one.release()
    with pytest.raises(BufferError):
        Wire(memoryview(b"constant"))
    with pytest.raises(TypeError):
        Wire(1)  # type: ignore[arg-type]
    unmade = Wire.__new__(Wire)
    for call in (lambda: unmade.get_buffer(-1), lambda: unmade.buffer_updated(0)):
        with pytest.raises(StateError, match="nothing to read into"):
            call()
