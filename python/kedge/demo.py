"""`kedge demo`: sessions survive their sockets, seen from outside."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kedge import connect, gateway, serve
from kedge.aio import Server
from kedge.gateway import Closed, Connect, Dispatch, Event, Gap, Hub, Ready, Resumed, Stop
from kedge.reference import Users
from kedge.reference.gateway import ALL, Gateway

USERS = Users({"anna": "anna's secret", "ben": "ben's secret"})
PATIENCE = 9.0


class BrokenPromiseError(Exception):
    """What was promised did not come about."""


class Cable:
    """A TCP connection's way to a server, which can be pulled out and put back."""

    def __init__(self) -> None:
        self.target = 0
        self._plugged = True
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Cable]:
        """Listens meanwhile; `url` leads through it to whatever port `target` says."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.pull()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def pull(self) -> None:
        """Cuts what goes through it, without a word to either side, and lets nothing in."""
        self._plugged = False
        for end in self._ends:
            end.transport.abort()

    def plug(self) -> None:
        self._plugged = True

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._ends.add(writer)
        try:
            if self._plugged:
                await self._join(reader, writer)
        except OSError:
            pass  # there is no server, or somebody pulled
        finally:
            writer.transport.abort()
            self._ends.discard(writer)
            self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._ends.add(far_writer)
        try:
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        finally:
            far_writer.transport.abort()
            self._ends.discard(far_writer)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


class Watcher:
    """A client that keeps a record of what it gets, and tells of what happens to it."""

    def __init__(self, name: str, *, compress: bool) -> None:
        self.name = name
        self.ticks: list[int] = []
        self.numbers: list[int] = []
        self.client = gateway.Client(
            token=f"{name}'s secret",
            compress=compress,
            backoff=(0.05, 0.2),
            restart_spread=0.1,
        )
        self._news = asyncio.Event()

    async def watch(self, cable: Cable) -> None:
        async with connect(cable.url, self.client) as stream:
            async for event in stream:
                self._note(event)
                self._news.set()
                self._news.clear()

    def _note(self, event: Event) -> None:
        if isinstance(event, Ready | Dispatch):
            self.numbers.append(event.seq)
        if isinstance(event, Dispatch) and event.name == "tick":
            self.ticks.append(event.data["count"])
        elif isinstance(event, Ready):
            say(f"{self.name:>6}  has session {event.session_id[:6]}…")
        elif isinstance(event, Resumed):
            say(f"{self.name:>6}  is back, and gets the {event.replayed} events that it missed")
        elif isinstance(event, Gap):
            say(f"{self.name:>6}  lost {event.first} to {event.last}")
        elif isinstance(event, Closed) and not isinstance(event.action, Stop):
            say(f"{self.name:>6}  lost its connection ({event.code or 'no word of farewell'})")
        elif isinstance(event, Connect) and event.attempt > 3:
            say(f"{self.name:>6}  tries again")

    async def until(self, count: int) -> None:
        """Waits for that tick; 0: for the session."""
        while not self.numbers or (count > 0 and (not self.ticks or self.ticks[-1] < count)):
            await self._news.wait()

    def check(self, last: int) -> None:
        """Every event once, in order, with numbers without a hole."""
        if self.ticks != list(range(self.ticks[0], last + 1)):
            raise BrokenPromiseError(f"{self.name} got the events {self.ticks}")
        if self.numbers != list(range(1, len(self.numbers) + 1)):
            raise BrokenPromiseError(f"{self.name} got the numbers {self.numbers}")


class Clockwork:
    """Publishes numbered events, and goes on counting whatever happens."""

    def __init__(self) -> None:
        self._counts = itertools.count(1)
        self.last = 0

    def tick(self, hub: Hub, times: int) -> int:
        for count in itertools.islice(self._counts, times):
            hub.publish(ALL, "tick", {"count": count, "note": "the tide goes out " * 4})
            self.last = count
        return self.last


_begin = time.monotonic()


def say(text: str) -> None:
    print(f"{time.monotonic() - _begin:5.2f}  {text}", flush=True)


def server_of(hub: Hub, state: Path) -> Server:
    return serve(Gateway(hub, USERS).handle, hub=hub, state=state)


async def play(state: Path) -> None:
    """The whole piece."""
    clockwork = Clockwork()
    anna, ben = Watcher("anna", compress=True), Watcher("ben", compress=False)
    cables = Cable(), Cable()
    async with cables[0].laid(), cables[1].laid():
        watchers: list[asyncio.Task[None]] = []
        try:
            hub = Hub()
            async with server_of(hub, state) as server:
                say(f"server  listens on {server.urls[0]}")
                for cable, watcher in zip(cables, (anna, ben), strict=True):
                    cable.target = server.port
                    watchers.append(asyncio.create_task(watcher.watch(cable)))
                await first_act(hub, clockwork, (anna, ben), cables)
                say("server  is told to stop: it seals its sessions into a file")
            say(f"server  is gone; {size_of(state)} bytes wait in a file")
            hub = Hub()
            async with server_of(hub, state) as server:
                say("server  is another process's worth of memory, on another port")
                await second_act(server, hub, clockwork, (anna, ben), cables)
                await asyncio.gather(*map(farewell, watchers))
        finally:
            for task in watchers:
                task.cancel()
    for watcher in (anna, ben):
        watcher.check(clockwork.last)
        say(f"{watcher.name:>6}  got all {len(watcher.ticks)} events, each once, in order")


async def first_act(
    hub: Hub,
    clockwork: Clockwork,
    watchers: tuple[Watcher, Watcher],
    cables: tuple[Cable, Cable],
) -> None:
    anna, ben = watchers
    await asyncio.gather(anna.until(0), ben.until(0))
    last = clockwork.tick(hub, 5)
    await asyncio.gather(anna.until(last), ben.until(last))
    say("  both  get 5 events, anna compressed, ben plain")
    cables[0].pull()
    say(" cable  of anna's is pulled out")
    last = clockwork.tick(hub, 100)
    await ben.until(last)
    say("   ben  gets 100 events, anna nothing")
    cables[0].plug()
    say(" cable  of anna's is put back")
    await anna.until(last)


async def second_act(
    server: Server,
    hub: Hub,
    clockwork: Clockwork,
    watchers: tuple[Watcher, Watcher],
    cables: tuple[Cable, Cable],
) -> None:
    anna, ben = watchers
    last = clockwork.tick(hub, 50)
    say("server  publishes 50 events before anybody is back")
    for cable in cables:
        cable.target = server.port
    await asyncio.gather(anna.until(last), ben.until(last))
    last = clockwork.tick(hub, 5)
    await asyncio.gather(anna.until(last), ben.until(last))
    say("  both  get 5 more, live")


def size_of(file: Path) -> int:
    return file.stat().st_size


async def farewell(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def run() -> int:
    """Plays it; the exit status tells whether all went as it should."""
    print("kedge demo: the gateway\n")
    with tempfile.TemporaryDirectory(prefix="kedge-demo-") as folder:
        try:
            asyncio.run(asyncio.wait_for(play(Path(folder) / "state"), PATIENCE))
        except (BrokenPromiseError, asyncio.TimeoutError, TimeoutError) as error:
            say(f"FAILED: {error or 'it took too long'}")
            return 1
    print("\nNothing lost, nothing doubled.")
    return 0
