"""What the caller did wrong is said so that it can be put right: which argument, which state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from core_world import Clock, World
from kedge import ArgumentError, StateError, Status, gateway
from kedge._core import (
    BlobHubClient,
    Connection,
    Coordinates,
    FlowLayerHub,
    Publication,
)


class Case:
    """A world with a client that has its session, and a plain connection."""

    def __init__(self) -> None:
        self.world = World()
        self.hub = self.world.hub
        self.wire = self.world.join()
        self.client = self.wire.client
        self.link = self.wire.link
        assert self.link.session is not None
        self.session = self.link.session
        self.plain = Connection.accept(clock=Clock())

    def asked(self) -> Connection:
        """A plain connection with a request that waits for its answer."""
        self.plain.receive(
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        return self.plain

    def question(self) -> tuple[Any, Any]:
        """A link that asks who it is."""
        link = self.hub.link()
        link.requested("/gateway")
        link.outputs()
        link.opened()
        (question,) = link.receive('{"type":"identify","d":{"token":"t"}}')
        return link, question


REFUSED: list[tuple[Callable[[Case], object], str]] = [
    (lambda case: case.link.close(1005), r"close\(\) wants a `code` that may be sent"),
    (lambda case: case.link.close(1000, "x" * 124), "`reason` of at most 123 bytes"),
    (lambda case: case.hub.close(case.session, 999), r"close\(\) wants a `code`"),
    (lambda case: case.client.notify("identify"), r"notify\(\) wants a `name`"),
    (lambda case: case.client.notify(""), r"notify\(\) wants a `name` that is not empty"),
    (lambda case: case.client.set_credentials(""), r"set_credentials\(\) wants a `token`"),
    (lambda case: case.hub.publish("", "a"), r"publish\(\) wants a `topic`"),
    (lambda case: case.hub.publish("a", "hello"), "an event that is not the protocol's own"),
    (lambda case: case.hub.send(case.session, "hello"), r"send\(\) wants the name of an `event`"),
    (lambda case: case.hub.publication(""), r"publication\(\) wants a name"),
    (lambda case: Publication(""), r"Publication\(\) wants a name that is not empty"),
    (lambda case: case.hub.follow(case.session, ""), r"follow\(\) wants a `topic`"),
    (lambda case: case.hub.unfollow(case.session, ""), r"unfollow\(\) wants a `topic`"),
    (lambda case: case.hub.limit_topic("news", (0, 1, 1)), "`history` without a zero"),
    (lambda case: case.asked().upgrade("b"), "`subprotocol` that was offered"),
    (lambda case: case.asked().answer(99), "`status` from 200 to 599"),
    (lambda case: case.plain.join(case.link), r"join\(\) does not fit the state of"),
    (lambda case: Connection.accept(message_limit=0), "message_limit is zero"),
    (lambda case: Connection.accept(queue_limit=0), "queue_limit is zero"),
    (lambda case: Connection.accept(head_limit=0), "head_limit is zero"),
    (lambda case: Connection.accept(head_limit=2**63), "head_limit is zero or out of range"),
    (lambda case: Connection.accept(handshake_timeout=0), "handshake_timeout is zero"),
    (lambda case: Connection.accept(close_timeout=0), "close_timeout is zero"),
    (lambda case: Connection.accept(ping_timeout=0), "ping_timeout is zero"),
    (lambda case: Connection.open(""), r"open\(\) wants a `host` that is not empty"),
    (lambda case: Connection.open("a", "no/slash"), "a `target` that begins with '/'"),
]


@pytest.mark.parametrize(("call", "said"), REFUSED)
def test_a_refused_call_says_what_it_wants(call: Callable[[Case], object], said: str) -> None:
    with pytest.raises((ArgumentError, StateError), match=said) as caught:
        call(Case())
    assert isinstance(caught.value.status, Status)
    assert "an argument is" not in str(caught.value)


def test_what_cannot_be_accepted_or_refused_is_named() -> None:
    link, question = Case().question()
    with pytest.raises(ArgumentError, match=r"accept\(\) wants a `user`"):
        link.accept(question, user="")
    with pytest.raises(ArgumentError, match=r"accept\(\) wants a `user` and `topics`"):
        link.accept(question, user="ann", topics=[""])
    with pytest.raises(ArgumentError, match=r"refuse\(\) wants a `code`"):
        link.refuse(question, 4999)
    assert link.accept(question, user="ann") != []


def test_calls_of_one_protocol_are_refused_in_words_too() -> None:
    with pytest.raises(ArgumentError, match=r"subscribe\(\) wants at least one type"):
        BlobHubClient(token="t", clock=Clock()).subscribe(Coordinates("a"))
    with pytest.raises(ArgumentError, match=r"publish\(\) wants a name"):
        FlowLayerHub(clock=Clock()).publish("")


def test_a_call_at_the_wrong_time_tells_the_state() -> None:
    case = Case()
    with pytest.raises(StateError, match=r"connect_failed\(\) .* gateway client LIVE: "):
        case.client.connect_failed(500)
    with pytest.raises(StateError, match=r"answer\(\) .* <Connection: plain WebSocket>"):
        case.plain.answer(404)
    with pytest.raises(StateError, match=r"restore\(\) .* gateway hub: 1 link, 1 session"):
        case.hub.restore(b"")


def test_a_state_that_cannot_be_told_is_no_other_error() -> None:
    class Mute(gateway.Hub):
        def __repr__(self) -> str:
            raise ValueError("no words")

    hub = Mute(clock=Clock())
    hub.link()
    with pytest.raises(StateError, match="the call does not fit"):
        hub.restore(b"")
