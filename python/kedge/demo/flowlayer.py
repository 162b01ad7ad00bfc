"""FlowLayer: logs go on without a hole over a cut cable, a hole is told, commands have results."""

from __future__ import annotations

from pathlib import Path

from kedge import Credentials, Dispatch, Gap, Request, Snapshot, serve
from kedge.aio import Link
from kedge.demo._stage import USERS, Person, Stage
from kedge.flowlayer import Client, Hub

KEPT = 50
TIME = "2026-01-01T00:00:00Z"


class Supervisor:
    """Of a service "web", which is what it is told to be."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.status = "running"

    async def handle(self, link: Link) -> None:
        async for event in link:
            match event:
                case Credentials(secret=secret):
                    link.accept(event, user=USERS.whose(secret) or "")
                case Snapshot():
                    link.reply(event, {"services": [{"name": "web", "status": self.status}]})
                case Request(name="restart_service"):
                    link.accept_request(event)
                    for status in ("stopping", "starting", "running"):
                        self.change(status)
                    link.reply(event, {"restarted": "web"})
                case Request():
                    link.reply_error(event, "service_busy", "web stays as it is")

    def change(self, status: str) -> None:
        self.status = status
        self.hub.publish("service_status", {"service": "web", "status": status, "timestamp": TIME})

    def log(self, first: int, last: int) -> None:
        for count in range(first, last + 1):
            line = {"service": "web", "phase": "run", "stream": "stdout", "timestamp": TIME}
            self.hub.publish("log", line | {"message": f"line {count}"})


async def play(stage: Stage, folder: Path) -> str:
    anna = Person(stage, "anna", Client)
    hub = Hub(services=["web"], own_history=(KEPT, 1 << 20, 3600.0))
    web = Supervisor(hub)
    async with serve(web.handle, hub=hub) as server, anna.at(server.urls[0]):
        stage.say("server", f"listens on {server.urls[0]}")
        await anna.ready()
        anna.say(f"is told by the snapshot that web is {anna.client.services['web']}")
        web.log(1, 5)
        await logged(anna, 5)
        anna.say("follows 5 lines of log")
        await anna.pull()
        web.log(6, 25)
        stage.say("server", "logs 20 lines that nobody reads")
        anna.plug()
        await logged(anna, 25)
        anna.say("has them all")
        await anna.pull()
        web.log(26, 225)
        stage.say("server", f"logs 200 lines, and keeps {KEPT}")
        anna.plug()
        await logged(anna, 225)
        anna.say(f"has the last {KEPT}")
        done = await anna.stream.request("restart_service", {"service": "web"})
        await anna.until(lambda: len(statuses(anna)) == 3)
        anna.say(f"restarts web: {', '.join(statuses(anna))}; the result is {done}")
        error = await anna.refused("stop_all")
        anna.say(f"would stop it, and is refused: {error.code}")
    anna.promised("lines", lines(anna), [*range(1, 26), *range(226 - KEPT, 226)])
    anna.promised("gaps", [at for gap in anna.of(Gap) for at in (gap.first, gap.last)], [26, 175])
    return "75 lines of log over two cut cables, the 150 that were gone told as such; commands done"


async def logged(person: Person, count: int) -> None:
    await person.until(lambda: lines(person)[-1:] == [count])


def lines(person: Person) -> list[int]:
    logs = [event for event in person.of(Dispatch) if event.name == "log"]
    return [int(event.data["message"].split()[1]) for event in logs]


def statuses(person: Person) -> list[str]:
    told = [event for event in person.of(Dispatch) if event.name == "service_status"]
    return [event.data["status"] for event in told]
