"""A WebSocket as a protocol of asyncio: callbacks instead of a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from kedge._core import Connection, Disconnected, HttpRequest, Opened, Refused, Requested
from kedge.aio._wire import Carrier, ConnectionEvent

PING_INTERVAL = 20.0


class Protocol(Carrier):
    """One WebSocket, to be made a class of your own, with a method for what happens.

    ::

        class Echo(kedge.websocket.Protocol):
            def received(self, message):
                self.send(message)

        server = await loop.create_server(Echo, "127.0.0.1", 8765)

    This is the fast way: between the socket and `received` there is no task and no queue. For a
    client give it the `host` that the request is to name:
    `loop.create_connection(lambda: Echo(host="example.org", target="/chat"), "example.org", 80)`.

    It belongs to the loop's thread; the methods for what happens must not wait. What they send is
    written when they are done, in one go; flush() writes at once.
    """

    __slots__ = ("_make",)

    def __init__(
        self,
        *,
        host: str | None = None,
        target: str = "/",
        headers: Iterable[tuple[str, str]] = (),
        subprotocols: Iterable[str] = (),
        message_limit: int = 1 << 20,
        queue_limit: int = 1 << 20,
        handshake_timeout: float = 10.0,
        close_timeout: float = 5.0,
        ping_interval: float = PING_INTERVAL,
        ping_timeout: float = 20.0,
    ) -> None:
        """`target`, `headers` and `subprotocols` are a client's. A message larger than
        `message_limit` closes with 1009; send() raises LimitError once `queue_limit` bytes wait. It
        pings after `ping_interval` seconds of silence (0: never), and is lost `ping_timeout` later.
        """
        super().__init__()
        limits: dict[str, Any] = {
            "message_limit": message_limit,
            "queue_limit": queue_limit,
            "handshake_timeout": handshake_timeout,
            "close_timeout": close_timeout,
            "ping_interval": ping_interval,
            "ping_timeout": ping_timeout,
        }
        self._make: Callable[[], Connection] | None
        if host is None:
            self._make = partial(Connection.accept, **limits)
        else:
            wish: dict[str, Any] = {"headers": tuple(headers), "subprotocols": tuple(subprotocols)}
            self._make = partial(Connection.open, host, target, **wish, **limits)
        self.tells_written = False
        self.raw_texts = type(self).received_text is not Protocol.received_text

    # ---- to be overridden ----------------------------------------------------------------------

    def requested(self, request: Requested) -> None:
        """A client asks for the upgrade: upgrade() or answer(), now or later. Not before the path
        and, where browsers come, the Origin were looked at; this one lets everybody in."""
        self.upgrade()

    def asked(self, request: HttpRequest) -> None:
        """A request that asks for no upgrade: answer()."""
        self.answer(426, [("Upgrade", "websocket")])

    def opened(self, event: Opened) -> None:
        """The WebSocket is open."""

    def refused(self, event: Refused) -> None:
        """The server answered a client with something else than an upgrade."""

    def received(self, message: str | bytes) -> None:
        """A message came."""

    def received_text(self, message: bytes) -> None:
        """A text message came. A class that has this method gets the UTF-8 of texts here, checked
        but not decoded, as json, msgspec and orjson take it; `received` is then for binary ones.
        send_text() is what sends such."""

    def closed(self, event: Disconnected) -> None:
        """It is over, whatever the reason."""

    def room(self) -> None:
        """The transport takes something again; `held` told that it did not."""

    # ---- to be called --------------------------------------------------------------------------

    def upgrade(
        self, subprotocol: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Lets a client in."""
        self.connection.upgrade(subprotocol, headers)
        self.flush_soon()

    def answer(
        self, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Answers a request in HTTP; the connection closes after it."""
        self.connection.answer(status, headers, body)
        self.flush_soon()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begins to close; no effect where that has begun. `closed` is called in the end."""
        self.begin_close(code, reason)

    # ---- what the base calls -------------------------------------------------------------------

    def _begin(self) -> Connection:
        make, self._make = self._make, None
        assert make is not None, "a protocol has one transport"
        return make()

    def _deliver(self, events: Sequence[ConnectionEvent]) -> None:
        for event in events:
            if type(event) is Opened:
                self.opened(event)
            elif type(event) is Requested:
                self.requested(event)
            elif type(event) is HttpRequest:
                self.asked(event)
            elif type(event) is Refused:
                self.refused(event)
            else:
                assert type(event) is Disconnected
                self.closed(event)

    def _written(self) -> None:
        self.room()
