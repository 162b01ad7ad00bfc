"""The examples of FlowLayer, messaging and BlobHub, in C and in Python: each server with each
client, cut off and restarted. Seen from outside: nothing numbered is lost or doubled."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from across import C_EXAMPLES, ROOT, Program, running, until
from aio_world import Cable

CLIENTS = 2
EVENTS = 5


@dataclass
class Play:
    """How a protocol's examples speak: the words of a client's lines."""

    name: str
    clients: str
    event: str
    back: str
    anew: str
    """With another server, which has nothing of what the one before had."""
    numbered: bool = True

    def command(self, language: str, role: str) -> list[object]:
        if language == "c":
            return [C_EXAMPLES / f"{self.name}_{role}"]
        return [sys.executable, ROOT / "examples" / f"{self.name}_{role}.py"]


PLAYS = [
    Play("flowlayer", "--clients", "log", "ready", "epoch"),
    Play("messaging", "--devices", "new", "resumed", "sync"),
    Play("blobhub", "--clients", "touched", "reconnected", "reconnected", numbered=False),
]
pairs = pytest.mark.parametrize(
    ("serving", "connecting"),
    [("python", "c"), ("c", "python"), ("python", "python")],
    ids=["python-c", "c-python", "python-python"],
)
plays = pytest.mark.parametrize("play", PLAYS, ids=[play.name for play in PLAYS])


@asynccontextmanager
async def server_of(play: Play, language: str) -> AsyncIterator[tuple[Program, int]]:
    name = f"the {play.name} server in {language}"
    async with running(name, *play.command(language, "server"), "--tick", 50) as server:
        await until(lambda: server.lines, "it listens", server)
        found = re.fullmatch(r"listening on ws://127\.0\.0\.1:(\d+)/\w+/?", server.lines[0])
        assert found is not None, server.lines[0]
        yield server, int(found[1])


class Clients:
    """A program of some clients, and what each said."""

    def __init__(self, play: Play, program: Program) -> None:
        self.play = play
        self.program = program

    def numbers(self, index: int, word: str) -> list[int]:
        lines = [line.split() for line in self.program.lines]
        return [int(line[2]) for line in lines if line[:2] == [str(index), word]]

    async def have(self, word: str, count: int) -> None:
        """Waits until each has said that so often."""
        await until(
            lambda: all(len(self.numbers(index, word)) >= count for index in range(CLIENTS)),
            f"each says {word!r} {count} times",
            self.program,
        )

    async def go_on(self) -> None:
        """Waits until each has had some events more."""
        most = max(len(self.numbers(index, self.play.event)) for index in range(CLIENTS))
        await self.have(self.play.event, most + EVENTS)

    def check(self) -> None:
        """Each number once, in order."""
        assert "HOLE" not in " ".join(self.program.lines), str(self.program)
        for index in range(CLIENTS):
            numbers = self.numbers(index, self.play.event)
            if self.play.numbered:
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@asynccontextmanager
async def clients_of(play: Play, language: str, port: int) -> AsyncIterator[Clients]:
    name = f"the {play.name} clients in {language}"
    options = (play.clients, CLIENTS, "127.0.0.1", port)
    async with running(name, *play.command(language, "client"), *options) as program:
        clients = Clients(play, program)
        await clients.have("ready", 1)
        yield clients


def port_of(cable: Cable) -> int:
    return int(cable.url.rpartition(":")[2])


@pairs
@plays
async def test_a_cut_cable_loses_nothing(play: Play, serving: str, connecting: str) -> None:
    async with server_of(play, serving) as (server, port), Cable().laid() as cable:
        cable.target = port
        async with clients_of(play, connecting, port_of(cable)) as clients:
            await clients.go_on()
            for cut in (1, 2):
                back = len(clients.numbers(0, play.back))
                cable.pull()
                await clients.have("closed", cut)
                cable.plug()
                await clients.have(play.back, back + 1)
                await clients.go_on()
            assert await clients.program.end() == 0
            clients.check()
        assert await server.end() == 0, str(server)
        assert "Traceback" not in str(server)


@pairs
@plays
async def test_a_restarted_server_is_found_again(play: Play, serving: str, connecting: str) -> None:
    async with Cable().laid() as cable, server_of(play, serving) as (server, port):
        cable.target = port
        async with clients_of(play, connecting, port_of(cable)) as clients:
            await clients.go_on()
            clients.check()
            before = {index: len(clients.numbers(index, play.anew)) for index in range(CLIENTS)}
            assert await server.end() == 0, str(server)
            await clients.have("closed", 1)
            assert {clients.numbers(index, "closed")[0] for index in range(CLIENTS)} == {1001}
            async with server_of(play, serving) as (_, again):
                cable.target = again
                await clients.have(play.anew, before[0] + 1)
                await clients.go_on()
                clients.program.signal(signal.SIGTERM)
                assert await clients.program.ended() == 0
