"""What the links of all four protocols tell, event by event, as Python sees it."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from core_world import ENTROPY, Clock, feed
from kedge import CredentialsKind, OutcomeKind, Status, _core
from kedge._core import (
    Acknowledged,
    Attached,
    BlobHubClient,
    BlobHubHub,
    Closed,
    Coordinates,
    Credentials,
    Dispatch,
    Epoch,
    ErrorReport,
    Event,
    FlowLayerClient,
    FlowLayerHub,
    HubLink,
    Message,
    MessagingClient,
    MessagingHub,
    Outcome,
    Ready,
    Reconnected,
    Request,
    Snapshot,
    Stray,
    Subscription,
    Text,
)

SNAPSHOT = {"services": [{"name": "db", "status": "running"}]}


class Pair:
    """A client and a link of the same protocol, joined by hand."""

    def __init__(self, client_type: Any, hub_type: Any, **settings: Any) -> None:
        self.clock = Clock()
        self.hub = hub_type(clock=self.clock, entropy=ENTROPY)
        self.client = client_type(token="t", clock=self.clock, entropy=ENTROPY, **settings)
        self.client.start()
        self.server: list[Event] = []
        self.told: list[Event] = []
        self.connect()

    def connect(self) -> None:
        wish = self.client.handshake()
        self.link: HubLink = self.hub.link()
        (question,) = self.link.requested(wish.target, wish.headers)
        self.question = question
        self.server = self.link.accept(question, user="ann")
        self.link.outputs()
        self.server += self.link.opened()
        self.told = self.client.opened()
        for event in self.server:
            if isinstance(event, Snapshot):
                self.server += self.link.reply(event, SNAPSHOT)
        self.run()

    def reconnect(self) -> None:
        self.link.lost()
        self.client.lost()
        assert self.client.deadline is not None
        self.clock.now = self.client.deadline
        self.client.tick()
        self.connect()

    def run(self) -> None:
        outputs = True
        while outputs:
            outputs = False
            for output in self.link.outputs():
                outputs = True
                self.told += feed(self.client, output)
            for output in self.client.outputs():
                outputs = True
                self.server += feed(self.link, output)

    def heard(self, type_: type) -> list[Any]:
        """What the client heard of a kind since the last time."""
        found = [event for event in self.told if type(event) is type_]
        self.told = [event for event in self.told if type(event) is not type_]
        return found

    def asked(self) -> Request:
        (request,) = [event for event in self.server if type(event) is Request]
        self.server.clear()
        return request


def flowlayer(**settings: Any) -> Pair:
    return Pair(FlowLayerClient, FlowLayerHub, **settings)


def messaging(**settings: Any) -> Pair:
    return Pair(MessagingClient, MessagingHub, **settings)


def blobhub(**settings: Any) -> Pair:
    return Pair(BlobHubClient, BlobHubHub, **settings)


PROTOCOLS = [flowlayer, messaging, blobhub]

pairs = pytest.mark.parametrize("make", PROTOCOLS, ids=lambda make: make.__name__)


@pairs
def test_a_server_asks_about_credentials(make: Any) -> None:
    pair = make()
    question = pair.question
    assert isinstance(question, Credentials)
    assert question.kind is CredentialsKind.BEARER
    assert question.secret == "t"
    assert question.ticket != 0
    assert "secret=<hidden>" in repr(question)
    (attached,) = [event for event in pair.server if isinstance(event, Attached)]
    assert attached.session.user == ("server" if make is flowlayer else "ann")
    (closed,) = pair.hub.link().requested("/", ())
    assert (closed.cause, closed.http_status) == (Status.NO_CREDENTIALS, 401)


def test_a_key_is_a_kind_of_its_own() -> None:
    link = BlobHubHub(clock=Clock()).link()
    (question,) = link.requested("/v1/", [("X-API-Key", "k")])
    assert (question.kind, question.secret) == (CredentialsKind.API_KEY, "k")


@pairs
def test_a_client_is_ready(make: Any) -> None:
    (ready,) = make().heard(Ready)
    assert ready.session_id == ""
    if make is flowlayer:
        assert ready.data == SNAPSHOT
    elif make is blobhub:
        assert list(ready.data) == ["server_info"]
    else:
        assert (ready.seq > 0, ready.data) == (True, None)


ASKED = {
    flowlayer: ("start_service", {"service": "db"}),
    messaging: ("send", {"text": "hi"}),
    blobhub: ("documents/get", {"id": 5}),
}


@pairs
def test_a_request_is_answered(make: Any) -> None:
    pair = make()
    name, payload = ASKED[make]
    number = pair.client.request(name, payload)
    pair.run()
    request = pair.asked()
    assert (request.name, request.data) == (name, payload)
    assert request.known is (make is flowlayer)
    assert isinstance(request.id, str)
    assert request.id.strip('"') == request.id != ""
    assert bytes(request.payload or b"") in bytes(request.raw or b"")
    pair.link.reply(request, {"done": [1]})
    pair.run()
    (outcome,) = pair.heard(Outcome)
    assert outcome.number == number
    assert outcome.outcome is OutcomeKind.ANSWERED
    assert (outcome.name, outcome.code, outcome.message, outcome.about) == (name, None, None, None)
    assert outcome.data == {"done": [1]}


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (flowlayer, "unknown_service", 'no "x" ü'),
        (messaging, "forbidden", "not\nyou"),
        (blobhub, "404", "123"),
    ],
)
def test_a_request_is_refused(make: Any, code: str, message: str) -> None:
    pair = make()
    pair.client.request(*ASKED[make])
    pair.run()
    pair.link.reply_error(pair.asked(), code, message)
    pair.run()
    (outcome,) = pair.heard(Outcome)
    assert outcome.outcome is OutcomeKind.REFUSED
    assert outcome.code == (404 if make is blobhub else code)
    assert outcome.message == message
    match outcome:
        case Outcome(outcome="refused", code=(404 | "unknown_service" | "forbidden")):
            pass
        case _:
            pytest.fail("did not match")


@pairs
def test_a_request_ends_without_an_answer(make: Any) -> None:
    pair = make()
    name, payload = ASKED[make]
    late = pair.client.request(name, payload, timeout=1.0)
    given_up = pair.client.request(name, payload)
    cut = pair.client.request(name, payload)
    pair.run()
    (cancelled,) = pair.client.cancel(given_up)
    assert (cancelled.number, cancelled.outcome) == (given_up, OutcomeKind.CANCELLED)
    ended = {}
    while late not in ended:
        pair.clock.now = pair.client.deadline
        ended |= {event.number: event.outcome for event in pair.client.tick()}
    assert ended[late] is OutcomeKind.TIMED_OUT
    lost = pair.client.lost()
    ended |= {event.number: event.outcome for event in lost if isinstance(event, Outcome)}
    assert ended[cut] in (OutcomeKind.INVALIDATED, OutcomeKind.TIMED_OUT)
    (closed,) = [event for event in lost if isinstance(event, Closed)]
    assert closed.cause is Status.LOST


def test_an_answer_to_nothing_is_a_stray() -> None:
    pair = blobhub()
    (stray,) = pair.client.receive('{"jsonrpc":"2.0","id":77,"result":[1]}')
    assert isinstance(stray, Stray)
    assert (stray.id, stray.data) == ("77", [1])
    (stray,) = pair.client.receive('{"jsonrpc":"2.0","id":"\\u00fc","error":{"code":1}}')
    assert (stray.id, stray.data) == ("ü", {"code": 1})
    (stray,) = messaging().client.receive(
        '{"type":"response","timestamp":1,"id":"zz","payload":{"a":1}}'
    )
    assert (stray.id, stray.data) == ("zz", {"a": 1})


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("-32601", -32601),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("9" * 5000, None),
        ("1.5", None),
        ('"word"', None),
    ],
)
def test_a_code_is_an_integer_that_can_be_one(code: str, told: int | None) -> None:
    pair = blobhub()
    number = pair.client.request("a/b")
    pair.run()
    error = f'{{"code":{code},"message":"m"}}'
    (outcome,) = pair.client.receive(f'{{"jsonrpc":"2.0","id":{pair.asked().id},"error":{error}}}')
    assert isinstance(outcome, Outcome)
    assert (outcome.number, outcome.outcome) == (number, OutcomeKind.REFUSED)
    assert (outcome.code, outcome.message) == (told, None if told is None else "m")
    assert bytes(outcome.payload or b"").decode() == error


def test_a_code_may_be_a_word_with_escapes() -> None:
    pair = messaging()
    pair.client.request("send", {})
    pair.run()
    (outcome,) = pair.client.receive(
        f'{{"type":"response","timestamp":1,"id":"{pair.asked().id}",'
        '"payload":{"error":{"code":"w\\u006frd","message":"\\u00fc"}}}'
    )
    assert isinstance(outcome, Outcome)
    assert (outcome.code, outcome.message) == ("word", "ü")


def test_a_messengers_client_acknowledges() -> None:
    pair = messaging()
    session = pair.hub.sessions("ann")[0]
    first = session.last
    pair.hub.send(session, "message", {"text": "hi"})
    pair.run()
    (event,) = pair.heard(Dispatch)
    assert event.seq == first + 1
    ack = f'{{"type":"ack","timestamp":1,"id":{event.seq}}}'
    assert pair.link.receive(ack) == [Acknowledged(event.seq)]


def test_a_flowlayer_client_hears_of_another_process() -> None:
    pair = flowlayer()
    for n in range(1, 4):
        pair.hub.publish("log", {"message": str(n)})
    pair.run()
    assert [event.seq for event in pair.heard(Dispatch) if event.name == "log"] == [1, 2, 3]
    pair.hub = FlowLayerHub(clock=pair.clock, entropy=bytes(32))
    pair.reconnect()
    pair.hub.publish("log", {"message": "new"})
    pair.run()
    (epoch,) = pair.heard(Epoch)
    assert epoch.last_before == 3
    (event,) = [event for event in pair.heard(Dispatch) if event.name == "log"]
    assert (event.seq, event.data["message"]) == (1, "new")


def test_what_is_of_no_known_name_is_a_message() -> None:
    pair = flowlayer()
    (message,) = pair.client.receive('{"type":"event","name":"weather","payload":{"a":1}}')
    assert isinstance(message, Message)
    assert (message.name, message.known, message.data) == ("weather", False, {"a": 1})


def test_a_blobhub_client_is_told_of_what_it_subscribed_to() -> None:
    pair = blobhub()
    place = Coordinates("org", "1", "doc", "ü")
    pair.client.subscribe(place, "changed", "gone")
    pair.run()
    (outcome,) = pair.heard(Outcome)
    assert (outcome.name, outcome.outcome) == ("subscription/add", OutcomeKind.ANSWERED)
    assert outcome.about["scope"] == "org"
    assert pair.hub.broadcast(place, "changed", {"v": 2}) == 1
    assert pair.hub.broadcast(Coordinates("org"), "changed", {"v": 3}) == 0
    pair.run()
    (event,) = pair.heard(Subscription)
    assert event == Subscription(place, "changed", event.payload)
    assert (event.coordinates, event.type, event.data) == (place, "changed", {"v": 2})
    pair.reconnect()
    (again,) = pair.heard(Reconnected)
    assert list(again.data) == ["server_info"]
    assert [event.name for event in pair.heard(Outcome)] == ["subscription/add"]


def test_a_blobhub_server_asks_too() -> None:
    pair = blobhub()
    number = pair.link.request("ping", {"a": 1})
    pair.run()
    (request,) = pair.heard(Request)
    assert (request.name, request.known, request.data) == ("ping", False, {"a": 1})
    pair.client.reply(request, [2])
    pair.run()
    (outcome,) = [event for event in pair.server if isinstance(event, Outcome)]
    assert (outcome.number, outcome.outcome, outcome.data) == (
        number,
        OutcomeKind.ANSWERED,
        [2],
    )


def test_an_error_of_the_servers_is_reported() -> None:
    pair = messaging()
    pair.link.receive("{")
    pair.run()
    (report,) = pair.heard(ErrorReport)
    assert (report.code, report.message) == ("invalid_message", "the message cannot be decoded")
    assert report.data["error"]["code"] == report.code


@pairs
def test_every_event_can_be_kept_and_told(make: Any) -> None:
    pair = make()
    for event in (pair.question, *pair.server, *pair.told):
        again = pickle.loads(pickle.dumps(event))
        assert again == event
        assert repr(again) == repr(event)
        assert isinstance(event, _core.Event)


def test_outputs_are_texts() -> None:
    pair = blobhub()
    pair.client.request("a/b")
    (output,) = pair.client.outputs()
    assert isinstance(output, Text)
    assert json.loads(output.data)["method"] == "a/b"
