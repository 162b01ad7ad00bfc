"""The part that all adapters share, beneath a library that does what none should."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aio_world import client_of, nothing_left, soon, until
from kedge import ClosedError
from kedge._core import Binary, Decline, Handshake, Text, Upgrade
from kedge.aio import Link
from kedge.aio._carrier import (
    CarriedStream,
    Courier,
    Ended,
    Socket,
    attend,
    retry_after_of,
)
from kedge.gateway import Closed, Connect, Event, Hub, Identify

HELLO = '{"type":"hello","seq":0,"d":{"heartbeat_interval":45000}}'
IDENTIFY = '{"type":"identify","d":{"token":"anna"}}'


class OddSocket(Socket):
    """What is put into it comes out; what is sent is kept."""

    def __init__(self, *messages: str | Ended | Exception) -> None:
        self.messages: asyncio.Queue[str | Ended | Exception] = asyncio.Queue()
        for message in messages:
            self.messages.put_nowait(message)
        self.sent: list[bytes] = []
        self.fails: Exception | None = None
        self.closing = asyncio.Event()
        self.closed: int | None = None
        self.aborted = self.ended = False

    async def send(self, message: Text | Binary) -> None:
        if self.fails is not None:
            raise self.fails
        self.sent.append(message.data)

    async def receive(self) -> str | bytes | Text | Ended:
        message = await self.messages.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def close(self, code: int, reason: str) -> None:
        self.closed = code
        await self.closing.wait()

    def abort(self) -> None:
        self.aborted = True

    async def end(self) -> None:
        self.ended = True


class OddCourier(Courier):
    def __init__(
        self,
        hub: Hub,
        socket: Socket | Exception,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(hub, events_max=10, peer="odd", target=b"/gateway", headers=headers)
        self.socket = socket
        self.declined: Decline | None = None

    async def accept(self, upgrade: Upgrade) -> Socket:
        if isinstance(self.socket, Exception):
            raise self.socket
        return self.socket

    async def decline(self, decline: Decline) -> None:
        self.declined = decline


class OddStream(CarriedStream):
    def __init__(self, open: Callable[[], Any], open_timeout: float = 10.0) -> None:
        super().__init__(
            "ws://127.0.0.1:1", client_of(), open_timeout=open_timeout, events_max=None
        )
        self.open = open
        self.events: list[Event] = []

    async def _open(self, url: str, wish: Handshake) -> Socket:
        socket: Socket = await self.open()
        return socket

    async def follow(self) -> None:
        async with self:
            async for event in self:
                self.events.append(event)


async def test_a_socket_that_fails_to_send_is_a_lost_one() -> None:
    socket = OddSocket()
    socket.fails = ConnectionResetError()
    events: list[Event] = []
    async with nothing_left(), OddCourier(Hub(), socket) as link:
        events.extend([event async for event in link])
    assert [type(event) for event in events] == [Closed]
    assert (events[0].code, socket.aborted, socket.ended) == (None, True, True)


@pytest.mark.parametrize("way", ["send", "receive"])
async def test_what_no_library_should_raise_goes_on_to_the_caller(way: str) -> None:
    socket = OddSocket()
    if way == "send":
        socket.fails = KeyError("odd")
    else:
        socket.messages.put_nowait(KeyError("odd"))
    hub = Hub()

    async def block() -> None:
        async with OddCourier(hub, socket) as link:
            async for _ in link:
                pass

    async with nothing_left():
        with pytest.raises(KeyError, match="odd"):
            await soon(block())
    assert (hub.links(), socket.aborted, socket.ended) == ([], True, True)


async def test_a_request_may_break_off() -> None:
    async with nothing_left(), OddCourier(Hub(), ConnectionResetError()) as link:
        assert [type(event) async for event in link] == []


async def test_a_request_that_is_lost_before_its_answer_gets_none() -> None:
    hub = Hub(links_max=1)
    courier = OddCourier(hub, OddSocket())
    async with nothing_left(), courier as link:
        link.core.lost()
        assert [event async for event in link] == []
    assert courier.declined is None
    async with OddCourier(hub, OddSocket()):
        full = OddCourier(hub, OddSocket())
        async with full as link:
            assert [event async for event in link] == []
        assert full.declined is not None
        assert full.declined.status == 503


async def test_a_request_with_too_many_headers_is_declined() -> None:
    hub = Hub()
    headers = [(b"x-%d" % count, b"x") for count in range(101)]
    for count, status in ((100, None), (101, 431)):
        courier = OddCourier(hub, OddSocket(Ended()), headers=headers[:count])
        async with nothing_left(), courier as link:
            assert (link.closed and link.closed.http_status) == status
            assert link.peer == "odd"
            async for _ in link:
                pass
        assert (courier.declined and courier.declined.status) == status


async def test_a_handler_may_let_pass_that_its_link_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(link: Link) -> None:
        raise ClosedError("as it should")

    await attend(OddCourier(Hub(), OddSocket(Ended())), handler)
    assert caplog.records == []


async def test_messages_that_come_after_the_close_are_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    socket = OddSocket()
    seen: list[Event] = []
    async with nothing_left(), OddCourier(Hub(), socket) as link:
        await until(lambda: socket.sent)
        link.close(1000)
        await until(lambda: socket.closed)
        socket.messages.put_nowait(IDENTIFY)
        await until(socket.messages.empty)
        link.close(1000)
        seen = [event async for event in link]
        socket.closing.set()
    assert not any(isinstance(event, Identify) for event in seen)
    assert (socket.closed, socket.aborted, socket.ended) == (1000, False, True)


async def test_a_close_that_nobody_answers_is_waited_for_no_longer_than_needed() -> None:
    """The peer's own end, while ours is being told."""
    socket = OddSocket()
    async with nothing_left(), OddCourier(Hub(), socket) as link:
        link.close(1000)
        await until(lambda: socket.closed)
        socket.messages.put_nowait(Ended("peer", 4000))
        await until(socket.messages.empty)
        socket.closing.set()
        assert [event.code async for event in link if isinstance(event, Closed)] == [1000]


async def test_a_connection_that_comes_too_late_is_dropped() -> None:
    late = OddSocket()

    async def open() -> Socket:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return late
        raise AssertionError

    stream = OddStream(open, open_timeout=0.01)
    async with nothing_left():
        task = asyncio.create_task(stream.follow())
        await until(lambda: any(isinstance(event, Closed) for event in stream.events))
        task.cancel()
        await asyncio.wait([task])
    assert (late.aborted, late.ended) == (True, True)


async def test_a_stream_that_is_left_before_it_connects_has_no_failure() -> None:
    async def open() -> Socket:
        raise AssertionError

    stream = OddStream(open)
    async with nothing_left():
        async with stream:
            pass
        assert [type(event) async for event in stream] == [Connect, Closed]


async def test_a_library_that_fails_ends_the_stream_with_it() -> None:
    socket = OddSocket(HELLO, KeyError("odd"))

    async def open() -> Socket:
        return socket

    async with nothing_left():
        with pytest.raises(KeyError, match="odd"):
            await soon(OddStream(open).follow())
    assert (socket.aborted, socket.ended) == (True, True)


async def test_the_old_connection_is_dropped_for_the_new_one() -> None:
    """The client gave it up; the library still waits for whatever it was to send."""
    stuck = asyncio.Event()

    class Stuck(OddSocket):
        async def send(self, message: Text | Binary) -> None:
            await stuck.wait()

        def abort(self) -> None:
            super().abort()
            stuck.set()

    sockets = [Stuck(HELLO), OddSocket(HELLO)]
    opened: list[OddSocket] = []

    async def open() -> Socket:
        opened.append(sockets[len(opened)])
        return opened[-1]

    stream = OddStream(open)
    async with nothing_left():
        task = asyncio.create_task(stream.follow())
        await until(lambda: opened)
        await asyncio.sleep(0.02)
        stream._take(stream.client.close(4000))
        await until(lambda: len(opened) == 2 and opened[1].sent)
        assert stuck.is_set()
        assert [type(event) for event in stream.events] == [Connect, Closed, Connect]
        task.cancel()
        await asyncio.wait([task])


def test_a_wait_that_a_server_asks_for() -> None:
    assert retry_after_of([("server", "x"), ("retry-after", "7")]) == 7.0
    assert retry_after_of([("retry-after", "9" * 30)]) == 86_400.0
    assert retry_after_of([("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")]) == 0.0
    assert retry_after_of([]) == 0.0
