"""BlobHub through the extension: both sides ask, notify and answer; subscriptions; batches."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from core_peers import Peers
from kedge import _core
from kedge._core import (
    Closed,
    Coordinates,
    Credentials,
    Message,
    Outcome,
    Ready,
    Reconnected,
    Request,
    Stray,
    Subscription,
    Text,
)
from kedge.blobhub import CredentialsKind, OutcomeKind

FILE = Coordinates("project", "7", "file", "9")
OTHER = Coordinates("project", "7", "file", "10")


def peers(**options: Any) -> Peers:
    return Peers("blobhub", **options)


def test_a_client_initializes_by_itself() -> None:
    world = peers(name="a hub", version="9")
    ann = world.join(name="a client", version="8")
    (ready,) = ann.take(Ready)
    assert ready.session_id == ""
    assert ready.data["server_info"] == {"name": "a hub", "version": "9"}
    assert (ann.client.state, ann.client.session_id) == ("ACTIVE", None)
    assert ann.server.session is not None
    assert world.hub.counts["sessions"] == 1
    ann.cut()
    assert world.hub.counts["sessions"] == 0


@pytest.mark.parametrize("credential", ["bearer", "api_key"])
@pytest.mark.parametrize("in_subprotocol", [False, True])
def test_credentials_come_in_four_ways(credential: str, in_subprotocol: bool) -> None:
    world = peers()
    ann = world.join(credential=credential, in_subprotocol=in_subprotocol)
    (question,) = [event for event in ann.asked if isinstance(event, Credentials)]
    assert question.secret == "token-of-ann"
    expected = CredentialsKind.BEARER if credential == "bearer" else CredentialsKind.API_KEY
    assert question.kind is expected
    assert ann.take(Ready) != []


def test_a_selected_subprotocol_is_the_name_and_never_the_secret() -> None:
    world = peers()
    link = world.hub.link()
    secret = base64.b64encode(b"key").decode().rstrip("=")
    (question,) = link.requested(
        "/v1/", [("Sec-WebSocket-Protocol", f"x-api-key.base64, {secret}")]
    )
    assert (question.kind, question.secret) == (CredentialsKind.API_KEY, "key")
    link.accept(question, user=5)
    assert link.outputs() == [_core.Upgrade("x-api-key.base64")]


def test_both_sides_ask_and_answer() -> None:
    world = peers()
    ann = world.join()
    ann.take(Ready)
    asked = ann.client.request("sum", [1, 2])
    nothing = ann.client.request("nothing")
    world.run()
    first, second = (event for event in ann.asked if isinstance(event, Request))
    assert (first.name, first.data, first.known) == ("sum", [1, 2], False)
    ann.server.reply(second)
    ann.server.reply(first, 3)
    world.run()
    by_number = {event.number: event for event in ann.take(Outcome)}
    assert by_number[asked].data == 3
    assert by_number[nothing].outcome is OutcomeKind.ANSWERED
    number = ann.server.request("status", {"verbose": True}, timeout=3)
    world.run()
    (question,) = ann.take(Request)
    assert question.data == {"verbose": True}
    ann.told += ann.client.reply_error(question, 403, "forbidden", {"why": "secret"})
    world.run()
    outcome = ann.asked[-1]
    assert isinstance(outcome, Outcome)
    assert (outcome.number, outcome.outcome) == (number, OutcomeKind.REFUSED)
    assert (outcome.code, outcome.message) == (403, "forbidden")
    assert outcome.data["data"] == {"why": "secret"}
    given_up = ann.server.request("status")
    (cancelled,) = ann.server.cancel(given_up)
    assert isinstance(cancelled, Outcome)
    assert cancelled.outcome is OutcomeKind.CANCELLED


def test_both_sides_notify() -> None:
    world = peers()
    ann = world.join()
    ann.told.clear()
    ann.client.notify("moved", {"x": 1})
    ann.server.notify("tick")
    world.run()
    assert ann.asked[-1] == Message("moved", False, b'{"x":1}')
    assert ann.told == [Message("tick", False)]


def test_a_broadcast_reaches_who_subscribed() -> None:
    world = peers()
    ann, bob = world.join("ann"), world.client("bob")
    assert bob.client.subscribe(FILE, "changed", "deleted") == []
    assert bob.client.subscribed(FILE, "changed")
    bob.connect()
    ann.client.subscribe(OTHER, "changed")
    world.run()
    ended = ann.take(Outcome)
    assert [(event.name, event.outcome) for event in ended] == [
        ("subscription/add", OutcomeKind.ANSWERED)
    ]
    assert ended[0].about["target_id"] == "10"
    assert bob.server.subscribed(FILE, "deleted")
    assert not bob.server.subscribed(OTHER, "deleted")
    bob.told.clear()
    assert world.hub.broadcast(FILE, "changed", {"n": 1}) == 1
    assert world.hub.broadcast(FILE, "unheard") == 0
    assert world.hub.broadcast(FILE, "deleted") == 1
    world.run()
    assert bob.told == [
        Subscription(FILE, "changed", b'{"n":1}'),
        Subscription(FILE, "deleted"),
    ]
    assert ann.told == []
    bob.client.unsubscribe(FILE, "changed")
    world.run()
    assert bob.outcome().name == "subscription/remove"
    assert world.hub.broadcast(FILE, "changed") == 0
    assert not bob.client.subscribed(FILE, "changed")


def test_a_client_that_comes_back_subscribes_again() -> None:
    world = peers()
    ann = world.join()
    ann.client.subscribe(FILE, "changed")
    world.run()
    ann.cut()
    assert world.hub.broadcast(FILE, "changed", 1) == 0
    ann.told.clear()
    ann.come_back()
    assert len(ann.take(Reconnected)) == 1
    assert world.hub.broadcast(FILE, "changed", 2) == 1
    world.run()
    assert [event.data for event in ann.take(Subscription)] == [2]


def test_what_is_kept_of_subscriptions_goes_to_the_next_process() -> None:
    world = peers()
    ann = world.join()
    ann.client.subscribe(FILE, "changed")
    heir = world.module.Client(token="token-of-ann", clock=world.clock)
    heir.load(ann.client.save())
    assert heir.subscribed(FILE, "changed")


def test_the_application_may_decide_about_subscriptions() -> None:
    world = peers(ask_subscriptions=True)
    ann = world.join()
    ann.client.subscribe(FILE, "changed")
    ann.client.subscribe(OTHER, "changed")
    world.run()
    first, second = (event for event in ann.asked if isinstance(event, Request))
    assert (first.name, first.known) == ("subscription/add", True)
    ann.server.reply(first, {})
    ann.server.reply_error(second, 403, "not yours")
    world.run()
    assert ann.server.subscribed(FILE, "changed")
    assert not ann.client.subscribed(OTHER, "changed")


def test_a_batch_is_answered_as_one() -> None:
    world = peers()
    ann = world.join()
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "a"},
        {"jsonrpc": "2.0", "method": "b", "params": [5]},
        {"jsonrpc": "2.0", "id": "1", "method": "c"},
        5,
    ]
    events = ann.server.receive(json.dumps(batch))
    assert [(type(event), event.name) for event in events] == [
        (Request, "a"),
        (Message, "b"),
        (Request, "c"),
    ]
    ann.server.reply(events[2], "see")
    assert ann.server.outputs() == []
    ann.server.reply(events[0], "ay")
    (answer,) = ann.server.outputs()
    assert isinstance(answer, Text)
    told = json.loads(answer.text)
    assert {repr(one["id"]): one.get("result") for one in told} == {
        "1": "ay",
        "'1'": "see",
        "None": None,
    }


def test_stray_answers_are_told() -> None:
    world = peers()
    ann = world.join()
    (stray,) = ann.client.receive('{"jsonrpc":"2.0","id":99,"result":1}')
    assert isinstance(stray, Stray)
    (stray,) = ann.server.receive('{"jsonrpc":"2.0","id":99,"error":{"code":1,"message":"x"}}')
    assert isinstance(stray, Stray)


def test_a_slow_consumer_is_closed_and_not_served_with_holes() -> None:
    world = peers(topic_history=(2, 1 << 20, 600.0))
    ann = world.join()
    ann.client.subscribe(FILE, "changed")
    world.run()
    ann.slow = True
    for n in range(5):
        world.hub.broadcast(FILE, "changed", n)
    ann.slow = False
    ann.told.clear()
    world.run()
    assert ann.take(Closed)[0].code == 1013


def test_who_does_not_initialize_is_closed() -> None:
    world = peers(initialize_timeout=2.0)
    link = world.hub.link()
    (question,) = link.requested("/v1/", [("X-API-Key", "k")])
    link.accept(question, user="k")
    link.outputs()
    link.opened()
    world.clock.pass_time(2)
    (closed,) = link.tick()
    assert isinstance(closed, Closed)
    assert closed.sent == 1008


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda w, a: w.hub.send(a.server.session, "x", {}), _core.StateError, "blobhub"),
        (lambda w, a: w.hub.broadcast("here", "x"), TypeError, "Coordinates, not str"),
        (lambda w, a: w.hub.broadcast(FILE), TypeError, "type"),
        (lambda w, a: w.hub.broadcast(FILE, 5), TypeError, "type must be str"),
        (lambda w, a: w.hub.broadcast(FILE, "a", b"{"), _core.DecodeError, None),
        (lambda w, a: a.client.subscribe(FILE), _core.ArgumentError, None),
        (lambda w, a: a.client.subscribe(), TypeError, "coordinates"),
        (lambda w, a: a.client.subscribe(FILE, 5), TypeError, "types must be str"),
        (lambda w, a: a.client.subscribe(5, "a"), TypeError, "Coordinates"),
        (lambda w, a: a.client.subscribe(FILE, "a", later=1), TypeError, "later"),
        (lambda w, a: a.client.unsubscribe(FILE, "a", now=-1), _core.ArgumentError, "now"),
        (lambda w, a: a.client.request(""), _core.ArgumentError, None),
        (lambda w, a: a.client.request("a", 5), _core.Error, None),
        (lambda w, a: a.client.request("a", timeout=-1), _core.ArgumentError, "timeout"),
        (lambda w, a: a.client.cancel(99), _core.UnknownError, None),
        (lambda w, a: a.client.cancel(-1), _core.ArgumentError, "number"),
        (lambda w, a: a.server.subscribed(FILE, 5), TypeError, "type"),
        (lambda w, a: a.client.reply("a"), TypeError, "Request or Snapshot, not str"),
        (lambda w, a: a.client.reply(Request("a")), _core.StaleTicketError, None),
        (lambda w, a: a.client.reply_error(Request("a"), 1.5), TypeError, "code"),
        (lambda w, a: a.client.reply_error(Request("a"), 1, 5), TypeError, "message"),
        (
            lambda w, a: w.module.Client(token="a", credential="b"),
            _core.ArgumentError,
            "credential must be 'bearer' or 'api_key'",
        ),
        (lambda w, a: w.module.Client(token="a", credential=5), _core.ArgumentError, "credential"),
    ],
)
def test_mistakes_raise_and_name_what_is_wrong(call: Any, error: type, told: str | None) -> None:
    world = peers()
    ann = world.join()
    with pytest.raises(error, match=told):
        call(world, ann)


def test_the_name_of_a_server_lives_as_long_as_its_hub() -> None:
    for number in range(50):
        hub = _core.BlobHubHub(name="".join(["server-", str(number), "n" * 200]), version="1")
        filled = ["x" * size for size in range(150, 400)]  # where the name was, if it is gone
        assert filled
        link = hub.link()
        for question in link.requested("/v1/", [("Authorization", "Bearer t")]):
            link.accept(question, user="ann")
        link.outputs()
        link.opened()
        link.receive(
            '{"jsonrpc":"2.0","id":1,"method":"status/initialize",'
            '"params":{"client_info":{"name":"n","version":"1"}}}'
        )
        (answer,) = link.outputs()
        assert f'"server-{number}nnn' in answer.text
