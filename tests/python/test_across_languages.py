"""Each server against the clients of all languages, plain and compressed: cut, starved, restarted,
killed. Seen from outside: nothing numbered is lost or doubled, and what cannot be kept is said."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from across import (
    TOKEN,
    AiohttpClient,
    Cable,
    CClient,
    CommandClient,
    CommandServer,
    CServer,
    FastapiServer,
    Player,
    Record,
    Server,
    StreamClient,
    Voice,
    spoken,
    ticked,
    until,
)

SERVER_RESTART = 4008
SESSION_EXPIRED = 4009
REPLAY_EXHAUSTED = 4010

CLIENTS = (CClient, CommandClient, AiohttpClient, StreamClient)
servers = pytest.mark.parametrize(
    "kind", [CServer, CommandServer, FastapiServer], ids=["c", "command", "fastapi"]
)


class World:
    """A server, a client of each kind in each way, and somebody who speaks to all."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.players: list[Player] = []
        self.voice = Voice()
        self.presences = 0

    async def all(self, condition: Callable[[Player], object], what: str) -> None:
        """Waits until it is so with every client."""
        for player in self.players:
            name = f"{player.name} {what}"
            await until(partial(condition, player), name, player, self.server)

    def join(self, player: Player) -> None:
        player.missed = self.presences
        self.players.append(player)

    async def speak(self, count: int, size: int) -> None:
        await self.voice.speak(self.server, count, size)
        self.presences += count

    async def heard(self) -> None:
        """Waits until everybody got all that was said since they joined, by their one session."""
        await self.all(
            lambda player: player.presences() >= self.presences - player.missed,
            f"has {self.presences} presences less those before it",
        )

    async def attached(self, sessions: int) -> None:
        """Waits until everybody has begun that many sessions, and gets what is published now."""
        await self.all(
            lambda player: len(player.sessions()) == sessions, f"begins session {sessions}"
        )
        ticks = {player: player.ticks() for player in self.players}
        await self.all(lambda player: player.ticks() > ticks[player] + 1, "gets two more ticks")


@asynccontextmanager
async def world(kind: type[Server], folder: Path) -> AsyncIterator[World]:
    async with kind(folder).running() as server, AsyncExitStack() as stack:
        world = World(server)
        for client in CLIENTS:
            for compress in (False, True):
                cable = await stack.enter_async_context(Cable(server.port).laid())
                player = client(compress, cable)
                await stack.enter_async_context(player.running())
                world.join(player)
                if client is CClient:  # it has something to say, as soon as it is there
                    world.presences += 1
                    await world.heard()
        await world.attached(1)
        yield world


def check(world: World) -> None:
    """Each session of each client has everything from its beginning to its end, once."""
    for player in world.players:
        player.check_numbers()
        for session in player.sessions():
            said = numbers(session, spoken)
            first = said[0] if said else 0
            assert said == list(range(first, first + len(said))), f"{said}\n{player}"
            world.server.check_ticks(numbers(session, ticked))


def numbers(session: list[Record], number: Callable[[Record], int | None]) -> list[int]:
    return [found for found in map(number, session) if found is not None]


@servers
async def test_cut_starved_and_restarted_nothing_is_lost(
    kind: type[Server], tmp_path: Path
) -> None:
    async with world(kind, tmp_path) as all_of_them:
        await cut(all_of_them)
        await starve(all_of_them)
        await restart(all_of_them)
        for player in all_of_them.players:
            await player.end()
        check(all_of_them)


async def cut(world: World) -> None:
    """In the midst of a message of 20 kB."""
    for player in world.players:
        player.cable.cut_after(35_000)
    await world.speak(10, 20_000)
    await world.all(lambda player: player.cable.was_cut, "is cut off")
    await world.all(lambda player: player.count("resumed") == 1, "resumes after the cut")
    await world.heard()


async def starve(world: World) -> None:
    """By less than the history's 4 MiB, which count what is compressed besides, and by more than
    the system's own buffers: nobody notices, and no connection ends."""
    before = {player: player.cable.carried for player in world.players}
    for player in world.players:
        player.starve()
    await world.speak(20, 100_000)
    for player in world.players:
        carried = player.cable.carried - before[player]
        assert carried < 100_000, f"it did not starve, of {carried} bytes: {player}"
        player.feed()
    await world.heard()
    for player in world.players:
        assert player.codes() == [None], str(player)


async def restart(world: World) -> None:
    """From the sealed state, which is used once."""
    server = world.server
    assert await server.stop(signal.SIGTERM) in (0, -signal.SIGTERM), str(server)
    assert server.state.stat().st_size > 0
    assert TOKEN.encode() not in server.state.read_bytes()
    await server.start()
    await world.all(lambda player: player.count("resumed") == 2, "resumes after the restart")
    assert not server.state.exists()
    await world.speak(3, 10)
    await world.heard()
    for player in world.players:
        assert player.told() == [SERVER_RESTART], str(player)
        assert player.count("ready") == 1, str(player)


@servers
async def test_what_cannot_be_kept_is_said(kind: type[Server], tmp_path: Path) -> None:
    async with world(kind, tmp_path) as all_of_them:
        await outrun(all_of_them)
        await kill(all_of_them)
        for player in all_of_them.players:
            await player.end()
        check(all_of_them)


async def outrun(world: World) -> None:
    """Starved by more than the history holds: identified afresh, and told to sync."""
    for player in world.players:
        player.starve()
    await world.speak(60, 150_000)
    for player in world.players:
        player.feed()
    await world.attached(2)
    for player in world.players:
        assert player.codes() == [REPLAY_EXHAUSTED], str(player)
        assert player.count("sync") == 1, str(player)


async def kill(world: World) -> None:
    """With no state left behind nobody resumes."""
    await world.server.stop(signal.SIGKILL)
    await world.server.start()
    await world.attached(3)
    for player in world.players:
        assert player.told() == [REPLAY_EXHAUSTED, SESSION_EXPIRED], str(player)
        assert player.count("resumed") == 0, str(player)
