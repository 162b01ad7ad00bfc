"""The gateway: sessions outlive a cut cable and their server, and what is numbered comes once."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from kedge import Dispatch, Ready, serve
from kedge.aio import Server
from kedge.demo._stage import HURRY, USERS, Person, Stage
from kedge.gateway import Client, Hub
from kedge.reference.gateway import ALL, Gateway


async def play(stage: Stage, folder: Path) -> str:
    anna = Person(stage, "anna", Client, compress=True, restart_spread=0.1, **HURRY)
    ben = Person(stage, "ben", Client, restart_spread=0.1, **HURRY)
    state = folder / "state"
    async with AsyncExitStack() as stack:
        hub = Hub()
        async with server_of(hub, state) as server:
            stage.say("server", f"listens on {server.urls[0]}")
            for person in (anna, ben):
                await stack.enter_async_context(person.at(server.urls[0]))
                await person.ready()
            await tell(hub, 1, 5, anna, ben)
            stage.say("both", "get 5 events, anna compressed, ben plain")
            await anna.pull()
            await tell(hub, 6, 105, ben)
            ben.say("gets 100 events, anna nothing")
            anna.plug()
            await reached(105, anna)
            stage.say("server", "is told to stop: it seals its sessions into a file")
        stage.say("server", f"is gone; {state.stat().st_size} bytes wait in a file")
        hub = Hub()
        async with server_of(hub, state) as server:
            stage.say("server", "is another process's worth of memory, on another port")
            await tell(hub, 106, 155)
            stage.say("server", "publishes 50 events before anybody is back")
            for person in (anna, ben):
                person.lead_to(server.urls[0])
            await reached(155, anna, ben)
            await tell(hub, 156, 160, anna, ben)
            stage.say("both", "get 5 more, live")
            await stack.aclose()
    for person in (anna, ben):
        person.promised("events", ticks(person), range(1, 161))
        person.promised("numbers", numbers(person), range(1, 162))
    return "160 events to each of two, over a cut cable and a restart; none lost, none doubled"


def server_of(hub: Hub, state: Path) -> Server:
    return serve(Gateway(hub, USERS).handle, hub=hub, state=state)


async def tell(hub: Hub, first: int, last: int, *readers: Person) -> None:
    """Publishes events with these counts; the readers get the last one of them."""
    for count in range(first, last + 1):
        hub.publish(ALL, "tick", {"count": count, "note": "the tide goes out " * 4})
    await reached(last, *readers)


async def reached(count: int, *readers: Person) -> None:
    for person in readers:
        await person.until(lambda: ticks(person)[-1:] == [count])  # noqa: B023


def ticks(person: Person) -> list[int]:
    return [event.data["count"] for event in person.of(Dispatch)]


def numbers(person: Person) -> list[int]:
    return [event.seq for event in person.events if isinstance(event, Ready | Dispatch)]
