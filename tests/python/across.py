"""Servers and clients of every language behind one face each, and the cables between them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.util
import itertools
import json
import os
import random
import re
import signal
import socket
import sqlite3
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import kedge
from kedge.cli._events import head_of, json_line
from kedge.gateway import Client, Dispatch, Event, Ready

ROOT = Path(__file__).resolve().parents[2]
C_EXAMPLES = Path(os.environ.get("KEDGE_C_EXAMPLES", ROOT / "build/c/examples"))
PATIENCE = 25.0
TICK = 0.02
TOKEN = "secret-client0"  # what the C client says, and the C server lets in
LINE_LIMIT = 1 << 24

Record = dict[str, Any]


# ---- patience ------------------------------------------------------------------------------------


async def until(condition: Callable[[], Any], what: str, *witnesses: object) -> None:
    """Waits for something; if it does not come, tells what that was and what the witnesses saw."""

    async def look() -> None:
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    try:
        await asyncio.wait_for(look(), PATIENCE)
    except asyncio.TimeoutError:
        seen = "\n".join(map(str, witnesses))
        raise AssertionError(f"{PATIENCE:.0f} s passed without this: {what}\n{seen}") from None


class Program:
    """A process of ours; its lines of stdout and stderr as they come."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.lines.append(line.decode().rstrip("\n"))

    def __str__(self) -> str:
        said = "\n    ".join(line[:200] for line in self.lines[-12:])
        return f"{self.name} (exit status {self.process.returncode}) said last:\n    {said}"

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Waits for its end, and for the last that it said; the exit status."""
        await until(self._reading.done, f"the end of {self.name}", self)
        return await self.process.wait()

    async def end(self) -> int:
        self.signal(signal.SIGTERM)
        return await self.ended()


@asynccontextmanager
async def running(name: str, *command: object, **environment: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=LINE_LIMIT,
        env={**os.environ, **environment},
    )
    program = Program(name, process)
    try:
        yield program
    finally:
        if process.returncode is None:
            process.kill()
        await program.ended()


# ---- cables --------------------------------------------------------------------------------------


class Cable:
    """A way to a server with little room in it, which can be cut and stopped up."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.carried = 0  # bytes from the server
        self._cut_at: int | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Cable]:
        listener = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listener.close()
            self._open.set()
            self._cut()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def cut_after(self, size: int) -> None:
        """Breaks without a word to either side when so many bytes more came from the server."""
        self._cut_at = self.carried + size

    @property
    def was_cut(self) -> bool:
        return self._cut_at is None

    def stop_up(self) -> None:
        """Nothing more comes from the server; nothing is lost."""
        self._open.clear()

    def clear(self) -> None:
        self._open.set()

    def _cut(self) -> None:
        self._cut_at = None
        for end in self._ends:
            end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._ends.add(writer)
        near = writer.get_extra_info("socket")
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
        writer.transport.set_write_buffer_limits(1 << 14)
        # OSError: somebody cut, or died.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._join(reader, writer)
        writer.transport.abort()
        self._ends.discard(writer)
        self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(
            sock=await narrow_socket(self.target), limit=1 << 14
        )
        self._ends.add(far_writer)
        ways = [
            asyncio.ensure_future(self._up(reader, far_writer)),
            asyncio.ensure_future(self._down(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for way in ways:
                way.cancel()
            far_writer.transport.abort()
            self._ends.discard(far_writer)
            await asyncio.gather(*ways, return_exceptions=True)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 14):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await self._next(reader):
            room = len(data) if self._cut_at is None else self._cut_at - self.carried
            writer.write(data[:room])
            await writer.drain()
            self.carried += len(data)
            if len(data) >= room and self._cut_at is not None:
                self._cut()
        writer.close()

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        await self._open.wait()
        return await reader.read(1 << 14)


async def narrow_socket(port: int) -> socket.socket:
    """Connected, with so little room that a server soon notices who does not read: short segments
    keep the sender's buffer small too. While nobody listens there it waits, so that clients do not
    back off for longer than a test has."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while True:
        narrow = socket.socket()
        try:
            narrow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1200)
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
            narrow.setblocking(False)
            await loop.sock_connect(narrow, ("127.0.0.1", port))
        except BaseException as error:
            narrow.close()
            if not isinstance(error, ConnectionRefusedError) or loop.time() > end:
                raise
            await asyncio.sleep(0.02)
        else:
            return narrow


# ---- servers -------------------------------------------------------------------------------------


class Server(ABC):
    """A server that lets TOKEN in, tells everybody of each presence_update, and ticks."""

    name: str
    announced = "listening on"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.port = 0
        self.starts = 0
        self.program: Program
        self._life = AsyncExitStack()

    def __str__(self) -> str:
        return str(self.program)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """It runs at the beginning, and not at the end; within, as it is told."""
        try:
            await self.start()
            yield self
        finally:
            await self._life.aclose()

    async def start(self) -> None:
        """On the same port and from the same state as before."""
        self.starts += 1
        self.program = await self._life.enter_async_context(
            running(f"the server {self.name}", *self.command(), **self.environment())
        )
        await until(self._find_port, f"the address of the server {self.name}", self)
        await self._life.enter_async_context(self.ticking())

    async def stop(self, number: signal.Signals) -> int:
        """Sends that signal; gives the exit status."""
        self.program.signal(number)
        status = await self.program.ended()
        await self._life.aclose()
        return status

    def _find_port(self) -> bool:
        for line in self.program.lines:
            found = re.search(rf"{self.announced} \w+://127\.0\.0\.1:(\d+)", line)
            if found is not None:
                self.port = int(found[1])
                return True
        return False

    @abstractmethod
    def command(self) -> tuple[object, ...]: ...

    def environment(self) -> dict[str, str]:
        return {}

    @asynccontextmanager
    async def ticking(self) -> AsyncIterator[None]:
        """Makes it tick, if it does not by itself."""
        yield

    def check_ticks(self, ticks: list[int]) -> None:
        """What a session had rises by one; each process counts from 1 again."""
        breaks = [now for before, now in itertools.pairwise(ticks) if now != before + 1]
        assert breaks == [1] * len(breaks), f"{ticks}\n{self}"
        assert len(breaks) < self.starts, f"{ticks}\n{self}"


class CServer(Server):
    name = "gateway_server.c"

    def command(self) -> tuple[object, ...]:
        tick = int(TICK * 1000)
        return (C_EXAMPLES / "gateway_server", "--tick", tick, "--state", self.state, self.port)


class CommandServer(Server):
    name = "kedge serve gateway"

    def command(self) -> tuple[object, ...]:
        return (
            *(sys.executable, "-m", "kedge", "serve", "gateway", "--port", self.port),
            *("--token", TOKEN, "--state", self.state, "--every", f"{TICK * 1000:.0f}ms"),
        )

    def environment(self) -> dict[str, str]:
        return {"PYTHONWARNINGS": "error"}


class FastapiServer(Server):
    """What its users post are the ticks."""

    name = "fastapi_gateway.py"
    announced = "running on"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.state = folder / "chat.db.gateway"
        self.database = folder / "chat.db"
        self.posted = 0
        self.unsure: set[int] = set()

    def command(self) -> tuple[object, ...]:
        return (sys.executable, ROOT / "examples/fastapi_gateway.py", "--port", self.port)

    def environment(self) -> dict[str, str]:
        return {"CHAT_DB": str(self.database)}

    @asynccontextmanager
    async def ticking(self) -> AsyncIterator[None]:
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            database.execute("INSERT OR IGNORE INTO users VALUES ('client0', ?)", (TOKEN,))
            database.execute("INSERT OR IGNORE INTO follows VALUES ('client0', 500)")
            database.commit()
        task = asyncio.create_task(self._post())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _post(self) -> None:
        url = f"http://127.0.0.1:{self.port}/feeds/500/messages"
        head = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=head) as http:
            while True:
                self.posted += 1
                self.unsure.add(self.posted)
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with http.post(url, json={"text": str(self.posted)}) as answer:
                        if answer.status == 200:
                            self.unsure.discard(self.posted)
                await asyncio.sleep(TICK)

    def check_ticks(self, ticks: list[int]) -> None:
        """What was answered by 200 is there, once and in order."""
        assert ticks == sorted(set(ticks)), f"{ticks}\n{self}"
        absent = set(range(ticks[0], ticks[-1])) - set(ticks) if ticks else set()
        assert absent <= self.unsure, f"{absent - self.unsure} of {ticks}\n{self}"


# ---- clients -------------------------------------------------------------------------------------


class Player(ABC):
    """A client on a cable of its own; what it saw, as the `kedge` command would print it."""

    name: str

    def __init__(self, compress: bool, cable: Cable) -> None:
        self.compress = compress
        self.cable = cable
        self.missed = 0  # what was spoken before it came

    def __str__(self) -> str:
        way = "compressed" if self.compress else "plain"
        seen = "\n    ".join(json.dumps(record)[:200] for record in self.seen[-12:])
        return f"the client {self.name}, {way}, saw last:\n    {seen}"

    @property
    @abstractmethod
    def seen(self) -> list[Record]: ...

    @abstractmethod
    def running(self) -> contextlib.AbstractAsyncContextManager[object]: ...

    def starve(self) -> None:
        self.cable.stop_up()

    def feed(self) -> None:
        self.cable.clear()

    @abstractmethod
    async def end(self) -> None:
        """Ends it in good order."""

    # ---- what it saw ---------------------------------------------------------------------------

    def count(self, kind: str) -> int:
        return sum(record["event"] == kind for record in self.seen)

    def codes(self) -> list[int | None]:
        """By which codes connections ended; None if they broke."""
        return [record["code"] for record in self.seen if record["event"] == "closed"]

    def told(self) -> list[int]:
        """By which codes the server ended them."""
        return [code for code in self.codes() if code is not None]

    def sessions(self) -> list[list[Record]]:
        """What was numbered, a list a session."""
        sessions: list[list[Record]] = []
        for record in self.seen:
            if record["event"] == "ready":
                sessions.append([])
            if record["event"] in ("ready", "dispatch"):
                sessions[-1].append(record)
        return sessions

    def check_numbers(self) -> None:
        """Within each session they rise by exactly one, from ready on."""
        for session in self.sessions():
            numbers = [record["seq"] for record in session]
            assert numbers == list(range(1, len(numbers) + 1)), f"{numbers}\n{self}"
        assert self.count("gap") == 0, str(self)

    def ticks(self) -> int:
        """How many came in this session."""
        return sum(record.get("name") in TICKS for record in self._session())

    def presences(self) -> int:
        return sum(record.get("name") == "presence_update" for record in self._session())

    def _session(self) -> list[Record]:
        return self.sessions()[-1] if self.count("ready") else []


TICKS = ("tick", "message_create")


class Process(Player):
    """A client in a process of its own, which is paused when it starves."""

    program: Program

    def __init__(self, compress: bool, cable: Cable) -> None:
        super().__init__(compress, cable)
        self._records: list[Record] = []

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.program}"

    @property
    def seen(self) -> list[Record]:
        self._records += map(self.record, self.program.lines[len(self._records) :])
        return self._records

    @abstractmethod
    def command(self) -> tuple[object, ...]: ...

    def environment(self) -> dict[str, str]:
        return {}

    @abstractmethod
    def record(self, line: str) -> Record:
        """What a line of its says."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with running(
            f"the client {self.name}", *self.command(), **self.environment()
        ) as self.program:
            yield

    def starve(self) -> None:
        self.program.signal(signal.SIGSTOP)
        super().starve()

    def feed(self) -> None:
        super().feed()
        self.program.signal(signal.SIGCONT)

    async def end(self) -> None:
        assert await self.program.end() == 0, str(self)


class CClient(Process):
    name = "gateway_client.c"

    def command(self) -> tuple[object, ...]:
        options = ["--compress"] if self.compress else []
        return (C_EXAMPLES / "gateway_client", *options, "127.0.0.1", self.cable.port)

    def record(self, line: str) -> Record:
        """It shows no payloads."""
        _, what, number = line.split()
        if what == "closed":
            return {"event": what, "code": int(number) or None}
        if what == "HOLE":
            return {"event": "gap", "first": int(number)}
        if what in ("ready", "resumed", "sync"):
            return {"event": what, "seq": int(number)}
        return {"event": "dispatch", "name": what, "seq": int(number)}


class CommandClient(Process):
    name = "kedge connect gateway"

    def command(self) -> tuple[object, ...]:
        options = ["--compress"] if self.compress else []
        server = (f"{self.cable.url}/gateway", "--token", TOKEN, *options)
        return (sys.executable, "-m", "kedge", "connect", "gateway", "--json", *server)

    def environment(self) -> dict[str, str]:
        return {"PYTHONWARNINGS": "error"}

    def record(self, line: str) -> Record:
        if line.startswith("kedge: "):
            return {"event": "said", "text": line}  # on stderr, why there is no connection
        record: Record = json.loads(line)
        return record


def record_of(event: Event) -> Record:
    """What `kedge connect --json` tells."""
    record: Record = json.loads(json_line(head_of(event), "d", getattr(event, "payload", None)))
    return record


class Local(Player):
    """A client in this process."""

    def __init__(self, compress: bool, cable: Cable) -> None:
        super().__init__(compress, cable)
        self.records: list[Record] = []
        self._task: asyncio.Task[None]
        self.client = hurried_client(compress)

    @property
    def seen(self) -> list[Record]:
        return self.records

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    def note(self, event: Event) -> None:
        self.records.append(record_of(event))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            await self.end()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @abstractmethod
    async def run(self) -> None: ...


class AiohttpClient(Local):
    name = "aiohttp_client.py"

    async def run(self) -> None:
        path = ROOT / "examples/aiohttp_client.py"
        spec = importlib.util.spec_from_file_location("aiohttp_client", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        await module.run(self.cable.url, self.client, self.note)


class StreamClient(Local):
    name = "kedge.connect"

    async def run(self) -> None:
        async with kedge.connect(self.cable.url, self.client) as stream:
            async for event in stream:
                self.note(event)


def hurried_client(compress: bool = False) -> Client:
    return Client(token=TOKEN, compress=compress, backoff=(0.05, 0.3), restart_spread=0.2)


# ---- the voice -----------------------------------------------------------------------------------


class Voice:
    """Says things to everybody by presence_update, numbered throughout."""

    def __init__(self) -> None:
        self.said = 0

    async def speak(self, server: Server, count: int, size: int) -> None:
        """So many things of that size, which hardly get smaller when compressed; returns when the
        server has published all."""
        heard: list[int | None] = []

        async def talk() -> None:
            client = hurried_client()
            async with kedge.connect(f"ws://127.0.0.1:{server.port}", client) as stream:
                async for event in stream:
                    if isinstance(event, Ready):
                        for _ in range(count):
                            self.said += 1
                            text = f"{self.said} {noise(size)}"
                            presence = {"status": "online", "custom_status": text}
                            await stream.notify("presence_update", presence)
                    elif isinstance(event, Dispatch):
                        heard.append(spoken(record_of(event)))
                        if heard[-1] == self.said:
                            break

        task = asyncio.create_task(talk())
        try:
            await until(task.done, f"the voice's {count} things came back", heard, server)
        finally:
            task.cancel()
            await asyncio.wait([task])
        await task


def noise(size: int) -> str:
    """Letters that JSON writes as they are."""
    return base64.b85encode(random.randbytes(size * 4 // 5)).decode()


def spoken(record: Record) -> int | None:
    """What the voice said with it, if it did."""
    if record.get("name") != "presence_update" or "custom_status" not in record.get("d", {}):
        return None
    return int(record["d"]["custom_status"].split()[0])


def ticked(record: Record) -> int | None:
    """Which tick it is, if it is one that tells."""
    if record.get("name") not in TICKS or "d" not in record:
        return None
    told: Record = record["d"]
    return int(next(told[member] for member in ("text", "n", "count") if member in told))
