"""A network between a client and a server that does what networks do, by a seed."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit, urlunsplit

MOST_UNDERWAY = 1 << 20
MOST_PIECES = 1000
LINGER_NOT = struct.pack("ii", 1, 0)


class Network:
    """Faults between clients and a server, drawn from a seed: the same seed, the same faults.

    ::

        async with kedge_network.between(server.urls[0]) as url:
            kedge_network.split(1, 7)
            kedge_network.delay(0.01, 0.3)
            async with kedge.connect(url, client) as stream:
                kedge_network.cut()

    What is set holds for all connections, those that are open included.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._random = random.Random(seed)
        self._sizes: tuple[int, int] | None = None
        self._delays = (0.0, 0.0)
        self._stalled = False
        self._refusing = False
        self._elsewhere: tuple[str, int] | None = None
        self._cables: set[_Cable] = set()
        self._storm: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<kedge.testing.Network seed {self.seed}, {self.connections} connections>"

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._cables)

    @asynccontextmanager
    async def between(self, url: str) -> AsyncIterator[str]:
        """Gives a url that leads to the server at `url` by way of this network. In the end every
        connection is cut."""
        place = place_of(url)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Cable(self, place).near, "127.0.0.1", 0)
        own_port = server.sockets[0].getsockname()[1]
        try:
            yield urlunsplit(urlsplit(url)._replace(netloc=f"127.0.0.1:{own_port}"))
        finally:
            self.calm()
            server.close()
            for cable in list(self._cables):
                cable.cut()
            await asyncio.sleep(0)

    # ---- faults --------------------------------------------------------------------------------

    def split(self, smallest: int = 1, largest: int = 16) -> None:
        """From now on bytes come in pieces of so many."""
        self._sizes = (smallest, largest)

    def delay(self, shortest: float, longest: float | None = None) -> None:
        """From now on each piece is underway for so many seconds; the order stays."""
        self._delays = (shortest, shortest if longest is None else longest)

    def stall(self) -> None:
        """Nothing moves any more, in neither direction, until go_on. Connections stay open."""
        self._stalled = True

    def go_on(self) -> None:
        """What was held by stall moves."""
        self._stalled = False
        for cable in list(self._cables):
            cable.look()

    def cut(self) -> None:
        """Every connection breaks, for both sides; what is underway is lost."""
        for cable in list(self._cables):
            cable.cut()

    def duplicate(self) -> None:
        """Every connection breaks for its client alone: the server has not noticed when the client
        comes back, and has both."""
        for cable in list(self._cables):
            cable.forsake()

    def refuse(self) -> None:
        """From now on nobody can connect; `accept` ends it."""
        self._refusing = True

    def accept(self) -> None:
        """Connections are let in again."""
        self._refusing = False

    def redirect(self, url: str) -> None:
        """From now on new connections lead to the server at `url`, such as the next process of the
        one that was there; of the url only host and port count."""
        self._elsewhere = place_of(url)

    def storm(self, shortest: float, longest: float) -> None:
        """From now on connections are cut, or duplicated, after so many seconds, again and again,
        until `calm`."""
        self._storm = asyncio.get_running_loop().call_later(
            self._random.uniform(shortest, longest), self._strike, shortest, longest
        )

    def calm(self) -> None:
        """No more faults; what was held moves."""
        if self._storm is not None:
            self._storm.cancel()
            self._storm = None
        self._sizes = None
        self._delays = (0.0, 0.0)
        self._refusing = False
        self.go_on()

    def _strike(self, shortest: float, longest: float) -> None:
        self._random.choice((self.cut, self.duplicate))()
        self.storm(shortest, longest)

    # ---- for its cables ------------------------------------------------------------------------

    @property
    def stalled(self) -> bool:
        """Nothing arrives at present."""
        return self._stalled

    @property
    def refusing(self) -> bool:
        """No connection is let in at present."""
        return self._refusing

    def way(self, place: tuple[str, int]) -> tuple[str, int]:
        """Where a connection to there leads."""
        return self._elsewhere or place

    def pieces(self, data: bytes) -> list[bytes]:
        """The bytes, as they arrive; the last of very many pieces is the rest."""
        if self._sizes is None:
            return [data]
        pieces: list[bytes] = []
        while data and len(pieces) < MOST_PIECES:
            size = self._random.randint(*self._sizes)
            pieces.append(data[:size])
            data = data[size:]
        return [*pieces, data] if data else pieces

    def travel_time(self) -> float:
        """How long the next bytes are on their way, in seconds."""
        return self._random.uniform(*self._delays)

    def add(self, cable: _Cable) -> None:
        """A cable was laid."""
        self._cables.add(cable)

    def remove(self, cable: _Cable) -> None:
        """A cable is gone."""
        self._cables.discard(cable)


def place_of(url: str) -> tuple[str, int]:
    """Its host and port."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or (443 if parts.scheme == "wss" else 80)


class _End(asyncio.Protocol):
    """One end of a cable: what comes in here goes out at the other."""

    def __init__(self, cable: _Cable) -> None:
        self.cable = cable
        self.transport: asyncio.Transport | None = None
        self.other: _End
        self._underway: deque[tuple[float, bytes | None]] = deque()
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._held = False

    # ---- what comes in -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.cable.made(self)

    def data_received(self, data: bytes) -> None:
        for piece in self.cable.network.pieces(data):
            self._send_off(piece)
        self._steer()

    def eof_received(self) -> bool:
        self._send_off(None)
        return not self.cable.forsaken

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.drop()
        self.cable.lost(self)

    def pause_writing(self) -> None:
        self._held = True

    def resume_writing(self) -> None:
        self._held = False
        self.other.look()

    # ---- what is underway to the other end -----------------------------------------------------

    def _send_off(self, piece: bytes | None) -> None:
        now = asyncio.get_running_loop().time()
        arrival = now + self.cable.network.travel_time()
        if self._underway:
            arrival = max(arrival, self._underway[-1][0])
        self._underway.append((arrival, piece))
        self._size += len(piece or b"")
        self.look()

    def look(self) -> None:
        """Lets arrive what is due."""
        loop = asyncio.get_running_loop()
        if self._timer is None and self._underway and not self._blocked:
            self._timer = loop.call_at(self._underway[0][0], self._arrive)

    @property
    def _blocked(self) -> bool:
        return self.cable.network.stalled or self.other.transport is None or self.other._held

    def _arrive(self) -> None:
        self._timer = None
        if not self._underway or self._blocked:
            return
        _, piece = self._underway.popleft()
        transport = self.other.transport
        assert transport is not None
        if piece is None:
            transport.close()
        else:
            self._size -= len(piece)
            transport.write(piece)
        self._steer()
        self.look()

    def _steer(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self._size > MOST_UNDERWAY:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def drop(self) -> None:
        """What is underway is lost."""
        self._underway.clear()
        self._size = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        """Breaks it, so that a real socket's other side hears of a reset, not of an end."""
        self.drop()
        if self.transport is not None:
            real = self.transport.get_extra_info("socket")
            if real is not None:
                real.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            self.transport.abort()


class _Cable:
    """A client's connection to the server: its near end is the client's."""

    def __init__(self, network: Network, place: tuple[str, int]) -> None:
        self.network = network
        self._place = place
        self.near = _End(self)
        self.far = _End(self)
        self.near.other, self.far.other = self.far, self.near
        self._dialing: asyncio.Task[None] | None = None
        self._severed = False
        self.forsaken = False
        network.add(self)

    def made(self, end: _End) -> None:
        if self._severed:
            end.abort()
        elif end is self.near:
            self._dialing = asyncio.get_running_loop().create_task(self._dial())
        else:
            self.look()

    async def _dial(self) -> None:
        if self.network.refusing:
            self.cut()
            return
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: self.far, *self.network.way(self._place)
            )
        except OSError:
            self.cut()
            return
        if self.near.transport is None and not self.forsaken:
            self.cut()

    def look(self) -> None:
        self.near.look()
        self.far.look()

    def lost(self, end: _End) -> None:
        """An end is gone; the other is told once what was underway has arrived."""
        if not (self.forsaken and end is self.near):
            other = end.other
            if other.transport is not None:
                other.transport.close()
        if self.near.transport is None and self.far.transport is None:
            self.network.remove(self)

    def cut(self) -> None:
        self._severed = True
        self.near.abort()
        self.far.abort()
        if self.near.transport is None and self.far.transport is None:
            self.network.remove(self)

    def forsake(self) -> None:
        """The client loses its end, the server keeps its own and hears nothing."""
        self.forsaken = True
        self.near.abort()
