"""The four protocols behind one face: a server's handler, a client, and what they say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import kedge
import pytest
from aio_world import Record, until
from kedge import (
    Connect,
    Coordinates,
    Credentials,
    Dispatch,
    Identify,
    Message,
    Outcome,
    Ready,
    Reconnected,
    Request,
    Resume,
    Snapshot,
    Subscription,
    blobhub,
    flowlayer,
    gateway,
    messaging,
)
from kedge.aio import Link

TOPIC = "all"
WRONG = "wrong"
TIME = "2026-11-21T12:00:00Z"


class Play(ABC):
    """What is the same in all: everybody is let in whose token is not "wrong"; numbers are
    published, and counted at the other end."""

    name: str
    stop_code = 1001

    @abstractmethod
    def hub(self, **options: Any) -> Any: ...

    @abstractmethod
    def client(self, token: str = "anna", **options: Any) -> Any: ...

    async def handle(self, link: Link) -> None:
        async for event in link:
            if isinstance(event, Credentials | Identify | Resume):
                token = event.secret if isinstance(event, Credentials) else event.token
                if token == WRONG:
                    link.refuse(event)
                else:
                    self.accept(link, event)
            else:
                self.hear(link, event)

    def accept(self, link: Link, event: Any) -> None:
        link.accept(event, user="anna", topics=[TOPIC])

    def hear(self, link: Link, event: Any) -> None:
        if isinstance(event, Request):
            self.answer(link, event)

    def answer(self, link: Link, request: Request) -> None:
        link.reply(request, {"asked": request.name})

    @abstractmethod
    def publish(self, hub: Any, first: int, last: int) -> None: ...

    def counts(self, record: Record) -> list[int]:
        return [event.data["count"] for event in record.of(Dispatch) if event.name == "new"]

    async def begin(self, record: Record) -> None:
        """Until the client can say something."""
        await until(lambda: record.of(Ready))

    async def back(self, record: Record, times: int) -> None:
        """Until it is there again, after so many cuts."""
        await until(lambda: len(record.of(Connect)) > times)

    def missed(self, first: int, last: int) -> list[int]:
        """What comes late, of what was published while it was away."""
        return list(range(first, last + 1))

    @abstractmethod
    async def chat(self, record: Record) -> None:
        """What clients say in this protocol, and are answered."""


async def refused(record: Record, name: str, payload: Any, code: Any) -> None:
    with pytest.raises(kedge.RequestError) as told:
        await record.stream.request(name, payload)
    assert (told.value.outcome, told.value.code) == ("refused", code)


class Gateway(Play):
    name = "gateway"
    stop_code = 4008

    def hub(self, **options: Any) -> Any:
        return gateway.Hub(**options)

    def client(self, token: str = "anna", **options: Any) -> Any:
        hurried = {"backoff": (0.01, 0.05), "restart_spread": 0.02, "compress": True}
        return gateway.Client(token=token, **(hurried | options))

    def hear(self, link: Link, event: Any) -> None:
        if isinstance(event, Message):
            link.send("heard", {"name": event.name})

    def publish(self, hub: Any, first: int, last: int) -> None:
        for count in range(first, last + 1):
            hub.publish(TOPIC, "new", {"count": count})

    async def chat(self, record: Record) -> None:
        await record.stream.notify("presence_update", {"status": "idle"})
        await until(lambda: [e.data for e in record.of(Dispatch) if e.name == "heard"])
        with pytest.raises(kedge.StateError, match="gateway"):
            await record.stream.request("chats")


class Messaging(Play):
    name = "messaging"

    def hub(self, **options: Any) -> Any:
        return messaging.Hub(**options)

    def client(self, token: str = "anna", **options: Any) -> Any:
        hurried = {"backoff": (0.01, 0.05)}
        return messaging.Client(token=token, **(hurried | options))

    def accept(self, link: Link, event: Any) -> None:
        link.accept(event, user="anna", topics=[TOPIC], passing_topics=[TOPIC])

    def hear(self, link: Link, event: Any) -> None:
        if isinstance(event, Message):
            link.hub.publish(TOPIC, event.name, event.data)
        super().hear(link, event)

    def answer(self, link: Link, request: Request) -> None:
        if request.name == "chat":
            link.reply_error(request, "no_such_chat", "there is none")
        else:
            super().answer(link, request)

    def publish(self, hub: Any, first: int, last: int) -> None:
        for count in range(first, last + 1):
            hub.publish(TOPIC, "new", {"count": count})

    async def chat(self, record: Record) -> None:
        assert await record.stream.request("chats", {}) == {"asked": "chats"}
        await refused(record, "chat", {"chatId": 1}, "no_such_chat")
        await record.stream.notify("typing", {"chatId": 1})
        await until(lambda: [e for e in record.of(Dispatch) if e.name == "typing"])


class FlowLayer(Play):
    name = "flowlayer"

    def hub(self, **options: Any) -> Any:
        return flowlayer.Hub(**options)

    def client(self, token: str = "anna", **options: Any) -> Any:
        return flowlayer.Client(token=token, **options)

    def accept(self, link: Link, event: Any) -> None:
        link.accept(event, user="anna")

    def hear(self, link: Link, event: Any) -> None:
        if isinstance(event, Snapshot):
            link.reply(event, {"services": [{"name": "billing", "status": "ready"}]})
        super().hear(link, event)

    def answer(self, link: Link, request: Request) -> None:
        if request.name == "stop_all":
            link.reply_error(request, "service_busy", "not now")
        elif request.name == "start_all":
            link.accept_request(request)
            link.reply_error(request, "failed", "not all", data=["billing"])
        else:
            link.accept_request(request)
            super().answer(link, request)

    def publish(self, hub: Any, first: int, last: int) -> None:
        for count in range(first, last + 1):
            hub.publish(
                "log",
                {
                    "service": "billing",
                    "phase": "running",
                    "stream": "stdout",
                    "message": str(count),
                    "timestamp": TIME,
                },
            )

    def counts(self, record: Record) -> list[int]:
        return [int(e.data["message"]) for e in record.of(Dispatch) if e.name == "log"]

    async def chat(self, record: Record) -> None:
        stream = record.stream
        asked = await stream.request("restart_service", {"service": "billing"})
        assert asked == {"asked": "restart_service"}
        await refused(record, "stop_all", None, "service_busy")
        await refused(record, "start_all", None, "failed")
        assert (await stream.request("get_logs", {"limit": 1}))["effective_limit"] == 1
        assert record.stream.client.services == {"billing": "ready"}

    async def back(self, record: Record, times: int) -> None:
        await until(lambda: len(record.of(Ready)) > times)


class BlobHub(Play):
    name = "blobhub"
    place = Coordinates("org", "1", "blob", "2")

    def hub(self, **options: Any) -> Any:
        return blobhub.Hub(**options)

    def client(self, token: str = "anna", **options: Any) -> Any:
        hurried = {"backoff": (0.01, 0.05)}
        return blobhub.Client(token=token, **(hurried | options))

    async def handle(self, link: Link) -> None:
        self.asked: Any = None
        await super().handle(link)

    def answer(self, link: Link, request: Request) -> None:
        if request.name == "forbidden":
            link.reply_error(request, 403, "no", data={"why": "so"})
        else:
            super().answer(link, request)

    def publish(self, hub: Any, first: int, last: int) -> None:
        for count in range(first, last + 1):
            hub.broadcast(self.place, "changed", {"count": count})

    def counts(self, record: Record) -> list[int]:
        return [event.data["count"] for event in record.of(Subscription)]

    async def begin(self, record: Record) -> None:
        await super().begin(record)
        await record.stream.subscribe(self.place, "changed", "removed")

    async def back(self, record: Record, times: int) -> None:
        await until(lambda: len(record.of(Reconnected)) == times)
        await until(lambda: len(record.of(Outcome)) == times)

    def missed(self, first: int, last: int) -> list[int]:
        return []

    async def chat(self, record: Record) -> None:
        assert await record.stream.request("blob/get", [1]) == {"asked": "blob/get"}
        await refused(record, "forbidden", None, 403)


PLAYS: dict[str, Play] = {
    play.name: play for play in (Gateway(), Messaging(), FlowLayer(), BlobHub())
}
