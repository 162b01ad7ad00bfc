"""The messenger: a user's stream is numbered once for all, and outlasts server and cable."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from kedge import Dispatch, serve
from kedge.aio import Server
from kedge.demo._stage import HURRY, USERS, Person, Stage
from kedge.messaging import Client
from kedge.reference.messaging import Messenger, new_hub


async def play(stage: Stage, folder: Path) -> str:
    anna = Person(stage, "anna", Client, **HURRY)
    ben = Person(stage, "ben", Client, **HURRY)
    file = folder / "events"
    async with AsyncExitStack() as stack:
        async with serving(file) as server:
            stage.say("server", f"listens on {server.urls[0]}")
            for person in (anna, ben):
                await stack.enter_async_context(person.at(server.urls[0]))
                await person.ready()
            await write(anna, 1, 5, ben)
            stage.say("both", "have 5 messages of anna's")
            await ben.pull()
            await write(anna, 6, 25)
            anna.say("writes 20 more")
        stage.say("server", f"is gone; what it was told is {file.stat().st_size} bytes of SQLite")
        async with serving(file) as server:
            stage.say("server", "is another, on another port, with that file")
            for person in (anna, ben):
                person.lead_to(server.urls[0])
            ben.plug()
            await reached(25, ben)
            await write(anna, 26, 30, ben)
            stage.say("both", "have 30 messages")
            await stack.aclose()
    for person in (anna, ben):
        person.promised("messages", [int(event.data["message"]) for event in news(person)], RANGE)
        person.promised("numbers", [event.seq for event in news(person)], RANGE)
    return "30 messages to each of two, over a cut cable and a restart; none lost, none doubled"


RANGE = range(1, 31)


@asynccontextmanager
async def serving(file: Path) -> AsyncIterator[Server]:
    hub = new_hub()
    async with (
        Messenger(hub, USERS, str(file)) as messenger,
        serve(messenger.handle, hub=hub) as server,
    ):
        yield server


async def write(writer: Person, first: int, last: int, *readers: Person) -> None:
    """Messages with these counts; the readers get the last one of them, as the writer does."""
    for count in range(first, last + 1):
        await writer.stream.request("new", {"chatId": 1, "message": str(count)})
    await reached(last, writer, *readers)


async def reached(count: int, *readers: Person) -> None:
    for person in readers:
        await person.until(lambda: len(news(person)) >= count)  # noqa: B023


def news(person: Person) -> list[Dispatch]:
    return [event for event in person.of(Dispatch) if event.name == "new"]
