"""The reference server's logic: who is who, and what goes to whom."""

from __future__ import annotations

import asyncio

import kedge
import pytest
from aio_world import client_of, following, soon, until
from kedge.gateway import CloseCode, Dispatch, Hub
from kedge.reference import Users
from kedge.reference.gateway import Gateway

USERS = Users({"anna": "a", "ben": "b"}, "c")


def test_users_are_known_by_their_tokens() -> None:
    assert [USERS.whose(token) for token in ("a", "b", "c", "d", "", "ä")] == [
        *("anna", "ben", "guest", None, None, None)
    ]
    assert repr(USERS) == "Users(['anna', 'ben', 'guest'])"


@pytest.mark.parametrize(
    ("name", "payload", "everybody"),
    [
        ("presence_update", {"status": "idle"}, True),
        ("voice_state_update", {"self_mute": True}, True),
        ("typing", {"feed_id": 1}, False),
        ("mls_relay", {"mls_type": "welcome", "data": "x"}, False),
        ("cpace_relay", {"cpace_type": "isi", "pair_id": "p", "data": "x"}, False),
    ],
)
async def test_what_goes_to_whom(name: str, payload: dict[str, object], everybody: bool) -> None:
    hub = Hub()
    async with kedge.serve(Gateway(hub, USERS).handle, hub=hub) as server:
        url = server.urls[0]
        async with following(url, client_of("a")) as anna, following(url, client_of("b")) as ben:
            await anna.ready()
            await ben.ready()
            await anna.stream.notify(name, payload)
            await until(lambda: ben.of(Dispatch))
            await ben.stream.notify("presence_update", {"status": "dnd"})
            last = {"status": "dnd"}
            await until(lambda: [event.data for event in anna.of(Dispatch)[-1:]] == [last])
            assert ben.of(Dispatch)[0].data == payload
            assert (name in [event.name for event in anna.of(Dispatch)[:-1]]) is everybody


async def test_a_stranger_is_refused() -> None:
    hub = Hub()
    async with (
        kedge.serve(Gateway(hub, USERS).handle, hub=hub) as server,
        following(server.urls[0], client_of("nobody's")) as record,
    ):
        assert (await record.closed()).code == CloseCode.AUTH_FAILED


async def test_the_time_is_told_again_and_again() -> None:
    hub = Hub()
    gateway = Gateway(hub, USERS)
    async with (
        kedge.serve(gateway.handle, hub=hub) as server,
        following(server.urls[0], client_of("a")) as record,
    ):
        await record.ready()
        telling = asyncio.create_task(gateway.tell_time(0.01))
        await until(lambda: len(record.counts) >= 5)
        telling.cancel()
        await soon(asyncio.wait([telling]))
        first = record.counts[0]
        assert record.counts == list(range(first, first + len(record.counts)))
