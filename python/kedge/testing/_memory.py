"""Connections and listeners within one process, for an event loop that has no others."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, cast

PIECE = 1 << 16
HIGH_WATER = 1 << 16
FIRST_PORT = 49152

Factory = Callable[[], asyncio.BaseProtocol]


class Pipe(asyncio.Transport):
    """One end of a connection. What is written arrives at the other end in a later turn of the
    loop, in order, as far as that end reads."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BaseProtocol,
        own: tuple[str, int],
        other: tuple[str, int],
    ) -> None:
        super().__init__({"sockname": own, "peername": other})
        self._loop = loop
        self._protocol = protocol
        self._other: Pipe
        self._outgoing: deque[bytes] = deque()
        self._waiting = 0
        self._high = HIGH_WATER
        self._low = HIGH_WATER // 4
        self._held = False
        self._reading = True
        self._moving = False
        self._ends = False
        self._closing = False
        self._lost = False

    # ---- what asyncio asks of a transport ------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing or self._lost

    def is_reading(self) -> bool:
        return self._reading and not self.is_closing()

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        if not self.is_closing():
            self._other._move_soon()

    def get_write_buffer_size(self) -> int:
        return self._waiting

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = HIGH_WATER if high is None else high
        self._low = self._high // 4 if low is None else low
        self._steer()

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.is_closing() or self._ends or len(data) == 0:
            return
        self._outgoing.append(bytes(data))
        self._waiting += len(data)
        self._steer()
        self._move_soon()

    def write_eof(self) -> None:
        self._ends = True
        self._move_soon()

    def close(self) -> None:
        if not self.is_closing():
            self._closing = True
            self._move_soon()

    def abort(self) -> None:
        if not self._lost:
            self._other._lose(ConnectionResetError("the other side reset the connection"))
            self._lose(None)

    # ---- how bytes move ------------------------------------------------------------------------

    def _move_soon(self) -> None:
        if not self._moving and not self._lost:
            self._moving = True
            self._loop.call_soon(self._move)

    def _move(self) -> None:
        self._moving = False
        if self._lost:
            return
        other = self._other
        if other._closing:
            # It reads no more: a socket would answer with a reset.
            self._outgoing.clear()
            self._waiting = 0
        while self._outgoing and other.is_reading():
            piece = self._outgoing[0][:PIECE]
            rest = self._outgoing.popleft()[PIECE:]
            if rest:
                self._outgoing.appendleft(rest)
            self._waiting -= len(piece)
            other._take(piece)
            if self._is_lost():
                return
        self._steer()
        if not self._outgoing and (self._closing or self._ends):
            other._end()
            if self._closing:
                self._lose(None)

    def _take(self, data: bytes) -> None:
        protocol = self._protocol
        try:
            if isinstance(protocol, asyncio.BufferedProtocol):
                while data and not self._lost:
                    buffer = memoryview(protocol.get_buffer(len(data)))
                    size = min(len(buffer), len(data))
                    buffer[:size] = data[:size]
                    protocol.buffer_updated(size)
                    data = data[size:]
            else:
                cast(asyncio.Protocol, protocol).data_received(data)
        except Exception as error:
            self._loop.call_exception_handler(
                {
                    "message": "the protocol failed",
                    "exception": error,
                    "transport": self,
                    "protocol": protocol,
                }
            )
            self.abort()

    def _end(self) -> None:
        """The other end writes no more."""
        if self.is_closing():
            return
        stays = cast(asyncio.Protocol, self._protocol).eof_received()
        if not stays:
            self.close()

    def _steer(self) -> None:
        if not self._held and self._waiting > self._high:
            self._held = True
            self._protocol.pause_writing()
        elif self._held and self._waiting <= self._low:
            self._held = False
            self._protocol.resume_writing()

    def _is_lost(self) -> bool:
        return self._lost

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._outgoing.clear()
            self._waiting = 0
            self._loop.call_soon(self._over, error)

    def _over(self, error: Exception | None) -> None:
        """The last call; nothing of the connection is kept."""
        protocol, self._protocol = self._protocol, asyncio.BaseProtocol()
        del self._other
        protocol.connection_lost(error)


class _Address:
    """What stands for a listening socket."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM

    def __init__(self, host: str, port: int) -> None:
        self._name = (host, port)

    def getsockname(self) -> tuple[str, int]:
        return self._name

    def fileno(self) -> int:
        return -1


class Listener(asyncio.AbstractServer):
    """A server that listens on a port of its process."""

    def __init__(self, ports: Ports, factory: Factory, host: str, port: int) -> None:
        self._ports = ports
        self.factory = factory
        self.sockets: tuple[Any, ...] = (_Address(host, port),)
        self._serving = False
        self._port = port

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._ports.loop

    def is_serving(self) -> bool:
        return self._serving

    async def start_serving(self) -> None:
        self._serving = True
        self._ports.listeners[self._port] = self

    async def serve_forever(self) -> None:
        await self.start_serving()
        try:
            await self._ports.loop.create_future()
        finally:
            self.close()

    def close(self) -> None:
        self._serving = False
        self.sockets = ()
        if self._ports.listeners.get(self._port) is self:
            del self._ports.listeners[self._port]

    def close_clients(self) -> None:
        """Connections are their own owners' here."""

    def abort_clients(self) -> None:
        """Connections are their own owners' here."""

    async def wait_closed(self) -> None:
        await asyncio.sleep(0)


class Ports:
    """Who listens on which port, and the connections that were made."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.listeners: dict[int, Listener] = {}
        self._next = FIRST_PORT

    def free(self) -> int:
        self._next += 1
        return self._next - 1

    async def listen(self, factory: Factory, host: str, port: int, start: bool) -> Listener:
        if port in self.listeners:
            raise OSError(f"port {port} is taken")
        listener = Listener(self, factory, host, port or self.free())
        if start:
            await listener.start_serving()
        return listener

    async def connect(
        self, factory: Factory, host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        await asyncio.sleep(0)
        listener = self.listeners.get(port)
        if listener is None:
            raise ConnectionRefusedError(f"nobody listens on port {port} of the virtual network")
        here, there = ("127.0.0.1", self.free()), (host, port)
        client = Pipe(self.loop, factory(), here, there)
        server = Pipe(self.loop, listener.factory(), there, here)
        client._other, server._other = server, client
        server.get_protocol().connection_made(server)
        client.get_protocol().connection_made(client)
        return client, client.get_protocol()
