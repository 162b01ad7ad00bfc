"""BlobHub Realtime: requests, and subscriptions that outlive their sockets."""

from __future__ import annotations

from pathlib import Path

from kedge import Coordinates, Outcome, Subscription, serve
from kedge.blobhub import Client, Hub
from kedge.demo._stage import HURRY, USERS, Person, Stage
from kedge.reference.blobhub import BlobHub

BLOB = Coordinates("organization", "1", "blob", "7")


async def play(stage: Stage, folder: Path) -> str:
    anna = Person(stage, "anna", Client, **HURRY)
    hub = Hub()
    async with serve(BlobHub(hub, USERS).handle, hub=hub) as server, anna.at(server.urls[0]):
        stage.say("server", f"listens on {server.urls[0]}")
        await anna.ready()
        anna.say(
            f"asks for an echo of [1, 2], and gets {await anna.stream.request('echo', [1, 2])}"
        )
        error = await anna.refused("blob/delete")
        anna.say(f"asks for what the server does not do: {error.code} {error.message}")
        await anna.stream.subscribe(BLOB, "touched")
        anna.say("subscribes to what happens to blob 7")
        await touch(hub, 1, 5, anna)
        anna.say("is told of 5 events")
        await anna.pull()
        await touch(hub, 6, 8)
        stage.say("server", "tells of 3 events, which nobody hears")
        anna.plug()
        await anna.until(lambda: anna.of(Outcome))
        anna.say("is subscribed again, and knows that something was missed")
        await touch(hub, 9, 12, anna)
        anna.say("is told of 4 events")
    anna.promised("events", counts(anna), [*range(1, 6), *range(9, 13)])
    return (
        "a request answered, one refused; a subscription outlived a cut cable, and the cut was told"
    )


async def touch(hub: Hub, first: int, last: int, *readers: Person) -> None:
    """Broadcasts events with these counts; the readers get the last one of them."""
    for count in range(first, last + 1):
        hub.broadcast(BLOB, "touched", {"count": count})
    for person in readers:
        await person.until(lambda: counts(person)[-1:] == [last])  # noqa: B023


def counts(person: Person) -> list[int]:
    return [event.data["count"] for event in person.of(Subscription)]
