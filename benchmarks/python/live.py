"""Servers in processes of their own, pinned, beside something that loads them: what they cost, from
without. Linux alone tells the CPU time of another process as exactly as is needed here."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from benchmarks import program
from benchmarks.program import ROOT

PYTHON = ROOT / "build/peers/venv/bin/python"
LOG = ROOT / "build/log/bench-servers.log"
MESSAGE_SIZE = 172
CONNECTIONS = 32


def environment() -> dict[str, str]:
    """In which the peers' Python finds the package and the benchmarks."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "python"), str(ROOT)])}


@cache
def build(name: str) -> Path:
    """Once is enough."""
    return program.build(name)


def cores() -> tuple[int, int]:
    """One for servers, one for what loads them; the same if there is no other."""
    available = sorted(os.sched_getaffinity(0))
    return available[-1], available[0]


class Process:
    """A process that is told lines and answers with lines."""

    def __init__(self, command: Sequence[str | Path], core: int) -> None:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        with LOG.open("a") as log:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )
        self.answer = self.line()

    def line(self) -> str:
        assert self._process.stdout is not None
        text = self._process.stdout.readline().strip()
        if not text:
            raise SystemExit(f"{LOG.read_text()}\nbench: {self._process.args!r} failed")
        return text

    def ask(self, line: str) -> str:
        """Tells it something; gives the line that it says then."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.line()

    def cpu(self) -> float:
        """The CPU seconds that it has had, all its threads together."""
        return time.clock_gettime((~self._process.pid << 3) | 2)  # its CPUCLOCK_SCHED

    def memory(self) -> int:
        """Bytes that are its own: of what it shares, its share."""
        rollup = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text()
        lines = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
        return int(lines["Pss"].split()[0]) * 1024

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@dataclass
class Served:
    """A server, and what loads it."""

    name: str
    server: Process
    load: Process
    costs: list[float] = field(default_factory=list)

    def end(self) -> None:
        self.load.end()
        self.server.end()


def serve(module: str, name: str, loop: str, connections: int, *load: str) -> Served:
    server_core, load_core = cores()
    server = Process([PYTHON, "-m", f"benchmarks.python.{module}", name, loop], server_core)
    command = [str(build("load")), server.answer, str(connections), *load]
    return Served(name, server, Process(command, load_core))


def echoed(
    names: Iterable[str], loop: str, in_flight: int, pairs: int, milliseconds: int
) -> dict[str, list[float]]:
    """What each server pays for a message, so many times, by turns: the first ones of all are
    compared with each other, and so on."""
    options = [str(in_flight), str(MESSAGE_SIZE)]
    servers = [
        serve("servers", name, loop, CONNECTIONS, "bare" if name == "bare" else "echo", *options)
        for name in names
    ]
    for each in servers:
        each.load.ask(f"run {milliseconds}")
    for number in range(pairs):
        for each in servers if number % 2 == 0 else reversed(servers):
            begin = each.server.cpu()
            messages = int(each.load.ask(f"run {milliseconds}"))
            each.costs.append((each.server.cpu() - begin) / messages)
    for each in servers:
        each.end()
    return {each.name: each.costs for each in servers}


IDENTIFY = '{"type":"identify","d":{"token":"t","protocol_version":1}}'
TAIL = 'and nobody noticed"}}'
LINKS = 2000


def published(names: Iterable[str], loop: str, pairs: int, times: int) -> dict[str, list[float]]:
    """What each server pays for an event and one of the links that it goes to, so often."""
    servers = [
        serve("publishers", name, loop, LINKS, "listen", *([IDENTIFY] if name == "kedge" else []))
        for name in names
    ]
    counts = dict.fromkeys(names, 0)

    def publish(each: Served, often: int) -> None:
        for _ in range(often):
            each.server.ask("publish")
            counts[each.name] += 1
            came = int(each.load.ask(f"await {counts[each.name]} {TAIL}"))
            if came != counts[each.name] * LINKS:
                raise SystemExit(f"bench: {each.name} published to some twice")

    for each in servers:
        publish(each, 2)
    for number in range(pairs):
        for each in servers if number % 2 == 0 else reversed(servers):
            begin = each.server.cpu()
            publish(each, times)
            each.costs.append((each.server.cpu() - begin) / times / LINKS)
    for each in servers:
        each.end()
    return {each.name: each.costs for each in servers}


def idle(module: str, name: str, loop: str, connections: int, *load: str) -> float:
    """Bytes that a server takes for each of so many connections that do nothing."""
    server_core, load_core = cores()
    server = Process([PYTHON, "-m", f"benchmarks.python.{module}", name, loop], server_core)
    asks = build("load")
    first = Process([asks, server.answer, "20", *load], load_core)
    time.sleep(SETTLED)
    before = server.memory()
    rest = Process([asks, server.answer, str(connections), *load], load_core)
    time.sleep(SETTLED)
    taken = server.memory() - before
    for process in (rest, first, server):
        process.end()
    return taken / connections


SETTLED = 0.3  # seconds until a server is done with those who came last
