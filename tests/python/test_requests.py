"""Requests on asyncio: who waits is answered, once; whoever is cancelled cancels."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import kedge
import pytest
from aio_world import Cable, Record, following, nothing_left, soon, until
from kedge import (
    Closed,
    ClosedError,
    Coordinates,
    Credentials,
    Outcome,
    Ready,
    Request,
    RequestError,
    Snapshot,
    Stray,
    blobhub,
    flowlayer,
    messaging,
)
from kedge.aio import Link

PLACE = Coordinates("org", "1", "blob", "2")


class Service:
    """Lets everybody in, keeps its links and what it is asked, and answers what a test tells it."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.asked: list[Request] = []

    async def handle(self, link: Link) -> None:
        self.links.append(link)
        async for event in link:
            if isinstance(event, Credentials):
                link.accept(event, user="anna")
            elif isinstance(event, Request):
                self.asked.append(event)
                if event.name == "fail":
                    link.reply_failed(event)

    async def next(self, count: int = 1) -> Request:
        await until(lambda: len(self.asked) >= count)
        return self.asked[count - 1]


@asynccontextmanager
async def world(hub: Any, client: Any) -> AsyncIterator[tuple[Service, Record, Cable]]:
    service = Service()
    async with (
        nothing_left(),
        kedge.serve(service.handle, hub=hub) as server,
        Cable().laid() as cable,
    ):
        cable.target = server.port
        async with following(cable.url, client) as record:
            await record.ready()
            yield service, record, cable


def messengers(**options: Any) -> tuple[Any, Any]:
    return messaging.Hub(), messaging.Client(token="t", backoff=(0.01, 0.05), **options)


def blobs(hub: Any = None, **options: Any) -> tuple[Any, Any]:
    return hub or blobhub.Hub(), blobhub.Client(token="t", backoff=(0.01, 0.05), **options)


async def test_answers_find_those_who_wait_for_them() -> None:
    async with world(*messengers()) as (service, record, _):
        tasks = [
            asyncio.create_task(record.stream.request("chat", {"chatId": n})) for n in range(10)
        ]
        await service.next(10)
        for request in reversed(service.asked):
            assert service.links[0].reply(request, request.data)
        assert await soon(asyncio.gather(*tasks)) == [{"chatId": n} for n in range(10)]
        assert record.of(Outcome) == []


async def test_a_request_that_fails_at_the_other_end_says_so() -> None:
    async with world(*messengers()) as (_, record, _):
        with pytest.raises(RequestError, match="fail: refused: internal_error") as failed:
            await soon(record.stream.request("fail"))
        assert failed.value.code == "internal_error"
        assert failed.value.status == "REFUSED"
        assert failed.value.data["error"]["code"] == "internal_error"
        assert failed.value.event.name == "fail"


async def test_one_that_is_not_answered_in_time_ends() -> None:
    async with world(*messengers()) as (service, record, cable):
        with pytest.raises(RequestError, match="chats: timed out") as failed:
            await soon(record.stream.request("chats", timeout=0.05))
        assert (failed.value.outcome, failed.value.data) == ("timed_out", None)
        # A late answer is nobody's.
        service.links[0].reply(await service.next(), {})
        await until(lambda: record.of(Stray))
        cable.pull()
        await record.closed()
        with pytest.raises(RequestError, match="chats: timed out") as failed:
            await soon(record.stream.request("chats", timeout=0.05))
        assert failed.value.event is None
        assert failed.value.data is None
        assert len(service.asked) == 1


async def test_the_end_of_a_connection_invalidates_it() -> None:
    async with world(*messengers()) as (service, record, cable):
        asking = asyncio.create_task(record.stream.request("chats"))
        request = await service.next()
        cable.pull()
        with pytest.raises(RequestError, match="chats: invalidated") as failed:
            await soon(asking)
        assert failed.value.status == "LOST"
        await until(lambda: service.links[0].closed)
        assert not service.links[0].reply(request, {})


async def test_whoever_is_cancelled_cancels() -> None:
    async with world(*messengers()) as (service, record, _):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(record.stream.request("chats"), 0.05)
        service.links[0].reply(await service.next(), {})
        await until(lambda: record.of(Stray))
        assert record.of(Outcome) == []


async def test_what_the_application_asks_by_the_client_itself_is_an_event() -> None:
    async with world(*messengers()) as (service, record, _):
        number = record.stream.client.request("chats")
        record.stream._flush_soon()
        service.links[0].reply(await service.next(), [1])
        await until(lambda: record.of(Outcome))
        (outcome,) = record.of(Outcome)
        assert (outcome.number, outcome.data) == (number, [1])


async def test_one_too_many_waits_until_there_is_room() -> None:
    async with world(*messengers(requests_max=2)) as (service, record, _):
        tasks = [asyncio.create_task(record.stream.request("chats")) for _ in range(3)]
        await service.next(2)
        await asyncio.sleep(0.05)
        assert len(service.asked) == 2
        service.links[0].reply(service.asked[0], "first")
        service.links[0].reply(await service.next(3), "third")
        service.links[0].reply(service.asked[1], "second")
        assert sorted(await soon(asyncio.gather(*tasks))) == ["first", "second", "third"]
        with pytest.raises(kedge.LimitError):
            await record.stream.request("chats", "x" * (1 << 21))


async def test_who_waits_when_the_client_stops_is_told() -> None:
    hub, client = messengers()
    async with world(hub, client) as (service, record, cable):
        asking = asyncio.create_task(record.stream.request("chats"))
        await service.next()
        cable.pull()
        await record.closed()
        with pytest.raises(RequestError):
            await soon(asking)
        waiting = asyncio.create_task(record.stream.request("chats"))
        await asyncio.sleep(0)
        await record.stream.aclose()
        with pytest.raises(ClosedError):
            await soon(waiting)
        with pytest.raises(ClosedError):
            await record.stream.request("chats")


async def test_who_waits_when_the_stream_is_dropped_is_told() -> None:
    async with world(*messengers()) as (service, record, _):
        asking = asyncio.create_task(record.stream.request("chats"))
        await service.next()
        record.stream._drop()
        with pytest.raises(ClosedError):
            await soon(asking)


async def test_servers_ask_too() -> None:
    async with world(*blobs()) as (service, record, _):
        link = service.links[0]
        asking = asyncio.create_task(link.request("whoami", {"a": 1}))
        await until(lambda: record.of(Request))
        (request,) = record.of(Request)
        assert (request.name, request.data) == ("whoami", {"a": 1})
        assert record.stream.reply(request, {"name": "anna"})
        assert await soon(asking) == {"name": "anna"}
        refused = asyncio.create_task(link.request("whoami"))
        await until(lambda: len(record.of(Request)) == 2)
        assert record.stream.reply_error(record.of(Request)[1], 403, "no", data=[1])
        with pytest.raises(RequestError, match="whoami: refused: 403 no") as told:
            await soon(refused)
        assert (told.value.code, told.value.message) == (403, "no")
        failed = asyncio.create_task(link.request("whoami"))
        await until(lambda: len(record.of(Request)) == 3)
        assert record.stream.reply_failed(record.of(Request)[2])
        with pytest.raises(RequestError, match="500"):
            await soon(failed)
        with pytest.raises(RequestError, match="timed out"):
            await soon(link.request("whoami", timeout=0.05))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(link.request("whoami"), 0.05)
        link.notify("news", [1])
        await until(lambda: [e for e in record.events if isinstance(e, kedge.Message)])
        lost = asyncio.create_task(link.request("whoami"))
        await until(lambda: len(record.of(Request)) == 6)
        link.close(4000)
        with pytest.raises(kedge.Error):
            await soon(lost)
        await until(lambda: link.closed and "gone" not in repr(link))
        await record.closed()
    with pytest.raises(ClosedError):
        await link.request("whoami")
    assert not link.subscribed(PLACE, "changed")


async def test_an_answer_that_comes_too_late_is_none_and_a_second_one_a_mistake() -> None:
    async with world(*blobs()) as (service, record, cable):
        stream = record.stream
        asking = [asyncio.create_task(service.links[0].request("whoami")) for _ in range(2)]
        await until(lambda: len(record.of(Request)) == 2)
        first, second = record.of(Request)
        assert stream.reply(first)
        for again in (stream.reply, stream.reply_failed):
            with pytest.raises(kedge.StaleTicketError, match="answered before"):
                again(first)
        with pytest.raises(kedge.StaleTicketError):
            stream.reply_error(first, 403)
        cable.pull()
        await record.closed()
        assert not stream.reply(first)
        assert not stream.reply(second)
        await asyncio.wait(asking)
        cable.plug()
        await until(lambda: len(record.of(kedge.Reconnected)) == 1)
        assert not stream.reply(second)
        asking = [asyncio.create_task(service.links[1].request("whoami"))]
        await until(lambda: len(record.of(Request)) == 3)
        assert not stream.reply_failed(second)
        third = record.of(Request)[2]
        assert stream.reply(third)
        with pytest.raises(kedge.StaleTicketError):
            stream.reply(third)
        await asyncio.wait(asking)
        await stream.aclose()
        assert not stream.reply(third)


async def test_subscriptions_are_kept_until_they_are_taken_back() -> None:
    hub, client = blobs()
    async with world(hub, client) as (service, record, cable):
        stream = record.stream
        await soon(stream.subscribe(PLACE, "changed"))
        assert service.links[0].subscribed(PLACE, "changed")
        await soon(stream.subscribe(PLACE, "changed", "removed"))
        await soon(stream.subscribe(PLACE, "changed", "removed"))
        assert record.of(Outcome) == []
        stream.unsubscribe(PLACE, "changed", "removed")
        await until(lambda: record.of(Outcome))
        assert record.of(Outcome)[0].name == "subscription/remove"
        assert hub.broadcast(PLACE, "changed", 1) == 0
        # While there is no connection: it is asked for with the next one.
        cable.pull()
        await record.closed()
        waiting = asyncio.create_task(stream.subscribe(PLACE, "changed"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        cable.plug()
        await soon(waiting)
        assert hub.broadcast(PLACE, "changed", 1) == 1


async def test_a_subscription_that_is_taken_back_is_not_waited_for() -> None:
    hub, client = blobs()
    async with world(hub, client) as (_service, record, cable):
        stream = record.stream
        cable.pull()
        await record.closed()
        waiting = asyncio.create_task(stream.subscribe(PLACE, "changed"))
        await asyncio.sleep(0)
        stream.unsubscribe(PLACE, "changed", "removed")
        with pytest.raises(kedge.StateError, match="unsubscribed from 'changed' meanwhile"):
            await soon(waiting)


async def test_nobody_complains_of_a_subscription_that_nobody_waits_for() -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    hub, client = blobs()
    async with world(hub, client) as (_service, record, cable):
        cable.pull()
        await record.closed()
        waiting = asyncio.create_task(record.stream.subscribe(PLACE, "changed"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_a_subscription_that_is_refused_says_so() -> None:
    hub, client = blobs(blobhub.Hub(ask_subscriptions=True))
    async with world(hub, client) as (service, record, cable):
        waiting = asyncio.create_task(record.stream.subscribe(PLACE, "changed"))
        request = await service.next()
        assert request.name == "subscription/add"
        service.links[0].reply_error(request, 403, "not yours")
        with pytest.raises(RequestError, match="403 not yours"):
            await soon(waiting)
        # Lost amid it, it is asked for again.
        waiting = asyncio.create_task(record.stream.subscribe(PLACE, "changed"))
        await service.next(2)
        cable.pull()
        await record.closed()
        cable.plug()
        again = await service.next(3)
        service.links[1].reply(again)
        await soon(waiting)
        await until(lambda: hub.broadcast(PLACE, "changed", 1) == 1)
        stopped = asyncio.create_task(record.stream.subscribe(PLACE, "removed"))
        await service.next(4)
        await record.stream.aclose()
        with pytest.raises(ClosedError):
            await soon(stopped)
    assert [e for e in record.of(Outcome) if e.name == "subscription/add"] == []


async def test_what_a_protocol_does_not_have_is_said_by_name() -> None:
    async with world(*messengers()) as (service, record, _):
        with pytest.raises(kedge.StateError, match="messaging has no subscribe"):
            await record.stream.subscribe(PLACE, "changed")
        with pytest.raises(kedge.StateError, match="messaging has no unsubscribe"):
            record.stream.unsubscribe(PLACE, "changed")
        with pytest.raises(kedge.StateError, match="messaging"):
            await service.links[0].request("whoami")


async def test_a_state_that_is_asked_for_may_be_refused() -> None:
    async def handle(link: Link) -> None:
        async for event in link:
            if isinstance(event, Credentials):
                link.accept(event, user="server")
            elif isinstance(event, Snapshot):
                link.reply_failed(event)

    async with (
        kedge.serve(handle, hub=flowlayer.Hub()) as server,
        following(server.urls[0], flowlayer.Client(token="t")) as record,
    ):
        assert (await record.closed()).code == 1011
        assert record.of(Ready) == []
        assert isinstance(record.of(Closed)[0].action, kedge.Retry)
