"""Events, outputs and the other immutable values: made, matched, compared, pickled, told."""

from __future__ import annotations

import gc
import inspect
import pickle
import weakref
from typing import Any

import pytest
from kedge import _core
from kedge._core import (
    Abort,
    Acknowledged,
    Attached,
    Binary,
    Close,
    Closed,
    Connect,
    Coordinates,
    Credentials,
    Decline,
    Disconnected,
    Dispatch,
    Envelope,
    Epoch,
    ErrorReport,
    Event,
    Gap,
    Handshake,
    HttpRequest,
    Identify,
    LogEntry,
    Message,
    Observation,
    Opened,
    Outcome,
    Publication,
    Ready,
    Received,
    Reconnected,
    Refused,
    Request,
    Requested,
    Resume,
    Resumed,
    Retry,
    Session,
    SessionEnded,
    Snapshot,
    Stop,
    Stray,
    Subscription,
    Sync,
    Text,
    Upgrade,
    WantCredentials,
)

HEADERS = (("X-Name", "value"), ("Other", "é"))

VALUES: list[Any] = [
    Observation("typing", "LIVE", "CLOSED", True, "client", "UNEXPECTED", 4003, "a rule"),
    LogEntry(3, 7, "publication", 1.5),
    Retry(1.5, True),
    WantCredentials(),
    Stop(),
    Closed(4009, "gone", Retry(1.0), "PEER_CLOSED", None, 4009, None, 3, False, "id", b"{}"),
    Identify("sesame", 2, ("a", "b"), 7, b'{"token":"sesame"}', b"raw"),
    Resume("sesame", "id", 41, 7, b'{"token":"sesame"}', b"raw"),
    Attached(Session("id", "ann"), True, 41),
    Message("typing", True, b'{"feed_id":1}', b"raw"),
    Connect(2, True),
    Ready("id", 1, b'{"session_id":"id"}'),
    Dispatch("message_create", 42, b'{"a":[1,2]}', b'{"type":"message_create"}'),
    Resumed(42, 7),
    Gap(3, 5),
    Sync("HISTORY_LOST"),
    ErrorReport(5, "no", b'{"code":5,"message":"no"}'),
    SessionEnded("expired", "id", "ann", 9),
    Upgrade("chat", HEADERS),
    Decline(400, HEADERS, b"no"),
    Text(b'"\xc3\xa9"'),
    Binary(b"\x00\xff"),
    Close(4004, "no"),
    Abort(),
    Handshake("/gateway?v=1", HEADERS, ("a", "b"), 4096),
    Opened("chat"),
    Requested("/", HEADERS, ("chat",)),
    HttpRequest("GET", "/health", HEADERS),
    Refused(403, HEADERS, b"go away"),
    Received("text"),
    Disconnected(1006, "x", "LOST", None, None),
    Credentials("bearer", "sesame", 7),
    Snapshot(8),
    Request("start_service", "a1", False, 9, b'{"service":"db"}', b"raw"),
    Outcome(3, "refused", "status/get", 403, "no", "params", b"{}", b"raw"),
    Acknowledged(17),
    Stray("41", b"null", b"raw"),
    Epoch(12),
    Reconnected(b'{"server_info":{}}', b"raw"),
    Subscription(Coordinates("scope", "1", "target", "2"), "changed", b"[1]", b"raw"),
    Coordinates("scope", "1", "target", "2"),
]

value = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)


def fields(value: Any) -> list[str]:
    return [
        name for name in inspect.signature(type(value)).parameters if name not in ("raw", "payload")
    ]


def test_every_value_type_is_tried_here() -> None:
    made = {type(value) for value in VALUES} | {Envelope, Session}  # made otherwise
    there = {
        type_
        for type_ in vars(_core).values()
        if isinstance(type_, type) and hasattr(type_, "__match_args__")
    }
    assert made == there


@value
def test_a_value_is_made_anew_from_its_fields_by_place_and_by_name(value: Any) -> None:
    names = list(inspect.signature(type(value)).parameters)
    assert type(value)(*[getattr(value, name) for name in names]) == value
    assert type(value)(**{name: getattr(value, name) for name in names}) == value


@value
def test_match_arguments_are_the_first_fields(value: Any) -> None:
    names = fields(value)
    assert list(value.__match_args__) == names[: len(value.__match_args__)]


@value
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_value_is_pickled_with_all_that_it_has(value: Any, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(value, protocol))
    assert again == value
    assert type(again) is type(value)
    assert again is not value
    for name in inspect.signature(type(value)).parameters:
        assert getattr(again, name) == getattr(value, name), name


@value
def test_equal_values_have_equal_hashes_and_others_differ(value: Any) -> None:
    again = pickle.loads(pickle.dumps(value))
    assert hash(again) == hash(value)
    assert {value: 1}[again] == 1
    assert value != object()
    assert not value == 5  # noqa: SIM201
    others = [other for other in VALUES if other is not value]
    assert all(other != value for other in others)
    with pytest.raises(TypeError):
        value < again  # noqa: B015


@value
def test_a_value_cannot_be_changed(value: Any) -> None:
    for name in fields(value):
        with pytest.raises(AttributeError):
            setattr(value, name, None)
        with pytest.raises(AttributeError):
            delattr(value, name)
    with pytest.raises(AttributeError):
        value.other = 1
    with pytest.raises(TypeError):
        type(value).other = 1


@value
def test_a_value_type_is_final_and_documented(value: Any) -> None:
    with pytest.raises(TypeError):
        type("Other", (type(value),), {})
    assert type(value).__doc__
    assert str(inspect.signature(type(value))).startswith("(")


@value
def test_the_repr_is_one_line_that_begins_with_the_name(value: Any) -> None:
    assert repr(value).startswith(type(value).__name__ + "(")
    assert repr(value).endswith(")")
    assert "\n" not in repr(value)
    assert "sesame" not in repr(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Retry(1.5, True), "Retry(after=1.5, resume=True)"),
        (Dispatch("a", 4), "Dispatch(name='a', seq=4)"),
        (Dispatch("a", 4, b'{"x":1}'), "Dispatch(name='a', seq=4, payload=b'{\"x\":1}')"),
        (Dispatch("a", 4, b'"%s"' % (b"x" * 99)), "Dispatch(name='a', seq=4, payload=<101 bytes>)"),
        (
            Identify("sesame", payload=b'{"token":"sesame"}'),
            "Identify(token=<hidden>, payload=<18 bytes>)",
        ),
        (
            Resume("sesame", "id", 4, 9, b"{}"),
            "Resume(token=<hidden>, session_id='id', position=4, ticket=9, payload=<2 bytes>)",
        ),
        (
            Closed(4007, "why", Stop(), "TIMED_OUT", sent=4007),
            "Closed(code=4007, reason='why', action=Stop(), cause=Status.TIMED_OUT, sent=4007)",
        ),
        (Closed(), "Closed(code=None, reason='', action=None)"),
        (
            Credentials("bearer", "sesame", 5),
            "Credentials(kind=CredentialsKind.BEARER, secret=<hidden>, ticket=5)",
        ),
        (
            Outcome(3, "refused", code=403, about={"type": "x"}),
            "Outcome(number=3, outcome=OutcomeKind.REFUSED, code=403, about={'type': 'x'})",
        ),
        (Outcome(3, "answered", "a"), "Outcome(number=3, outcome=OutcomeKind.ANSWERED, name='a')"),
        (Snapshot(), "Snapshot()"),
        (
            Subscription(Coordinates("a"), "b"),
            "Subscription(coordinates=Coordinates(scope='a', scope_id='', target='',"
            " target_id=''), type='b')",
        ),
        (
            Requested("/?token=x", (("Authorization", "Bearer sesame"),)),
            "Requested(target='/?<hidden>', headers=<hidden>, subprotocols=<hidden>)",
        ),
        (
            Handshake("/ws", (("Authorization", "Bearer sesame"),), ("a",), 9),
            "Handshake(target='/ws', headers=<hidden>, subprotocols=('a',), message_limit=9)",
        ),
        (
            HttpRequest("GET", "/health?token=sesame", (("Authorization", "Bearer sesame"),)),
            "HttpRequest(method='GET', target='/health?<hidden>', headers=<hidden>)",
        ),
    ],
)
def test_the_repr_tells_what_matters_and_no_secrets(value: object, told: str) -> None:
    assert repr(value) == told


def test_events_match_by_class_and_place() -> None:
    match Dispatch("message_create", 42, b"[1]"):
        case Dispatch("message_create", n) as event:
            assert n == 42
            assert event.data == [1]
        case _:
            pytest.fail("did not match")
    match Closed(4008, action=Retry(0.5, True)):
        case Closed(code=4008, action=Retry(after=after, resume=True)):
            assert after == 0.5
        case _:
            pytest.fail("did not match")


def test_raw_is_not_compared_but_the_payload_is() -> None:
    assert Dispatch("a", 1, b"[]", b"one") == Dispatch("a", 1, b"[]", b"two")
    assert hash(Dispatch("a", 1, b"[]", b"one")) == hash(Dispatch("a", 1, b"[]"))
    assert Dispatch("a", 1, b"[1]") != Dispatch("a", 1, b"[2]")
    assert Dispatch("a", 1, b"[1]") != Dispatch("a", 1)
    assert Dispatch("a", 1) != Dispatch("a", 2)
    assert Dispatch("a", 1) != Message("a", True)


def test_events_have_a_base() -> None:
    events = [value for value in VALUES if isinstance(value, Event)]
    assert len(events) == 21
    assert all(event.raw is None or isinstance(event.raw, memoryview) for event in events)
    with pytest.raises(TypeError, match="cannot create"):
        Event()


def test_a_payload_is_a_view_and_its_data_is_decoded_once() -> None:
    event = Dispatch("a", 1, b'{"x":"\xc3\xa9"}', bytearray(b"whole"))
    assert isinstance(event.payload, memoryview)
    assert event.payload.readonly
    assert bytes(event.payload) == b'{"x":"\xc3\xa9"}'
    assert event.data == {"x": "é"}
    assert event.data is event.data
    assert bytes(event.raw or b"") == b"whole"
    assert hash(event.payload) == hash(b'{"x":"\xc3\xa9"}')


def test_no_payload_is_none() -> None:
    event = Dispatch("a", 1)
    assert event.payload is None
    assert event.data is None
    assert event.raw is None
    assert Dispatch("a", 1, b"null").data is None


def test_a_payload_that_changes_is_copied() -> None:
    source = bytearray(b"[1]")
    event = Dispatch("a", 1, source)
    view = Dispatch("a", 1, memoryview(source))
    source[1:2] = b"2"
    assert event.data == [1]
    assert view.data == [1]


def test_a_payload_outlives_its_event() -> None:
    payload = Dispatch("a", 1, b'{"x":1}').payload
    gc.collect()
    assert payload is not None
    assert bytes(payload) == b'{"x":1}'


def test_into_says_that_it_wants_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "msgspec", None)
    monkeypatch.setitem(sys.modules, "msgspec.json", None)
    with pytest.raises(ImportError, match="msgspec"):
        Dispatch("a", 1, b"[1]").into(list)


def test_into_hands_the_payload_and_the_type_to_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import ModuleType

    asked: list[tuple[bytes, object]] = []
    module = ModuleType("msgspec.json")

    def decode(payload: bytes, *, type: object) -> str:
        asked.append((payload, type))
        return "decoded"

    module.decode = decode
    monkeypatch.setitem(sys.modules, "msgspec", ModuleType("msgspec"))
    monkeypatch.setitem(sys.modules, "msgspec.json", module)
    assert Dispatch("a", 1, b"[1]").into(list) == "decoded"
    assert Dispatch("a", 1).into(list) == "decoded"
    assert asked == [(b"[1]", list), (b"null", list)]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Dispatch(), "missing required argument 'name'"),
        (lambda: Dispatch(5), "must be str"),
        (lambda: Dispatch("a", "1"), "must be int"),
        (lambda: Dispatch("a", payload="{}"), "must be bytes"),
        (lambda: Dispatch("a", other=1), "unexpected keyword argument 'other'"),
        (lambda: Dispatch("a", name="b"), "multiple values for argument 'name'"),
        (lambda: Dispatch("a", 1, None, None, 5), "at most 4 positional"),
        (lambda: Text("text"), "must be bytes"),
        (lambda: Received(5), "must be str or bytes"),
        (lambda: Retry("soon"), "soon"),
        (lambda: Upgrade(headers=5), "iterable"),
        (lambda: Gap(None, 1), "must be int"),
        (lambda: Subscription("a", "b"), "'coordinates' must be Coordinates, not str"),
        (lambda: Closed(cause="SAD"), "'SAD' is not a valid Status"),
        (lambda: Sync("SAD"), "'SAD' is not a valid Status"),
        (lambda: Outcome(1, "sad"), "'sad' is not a valid OutcomeKind"),
        (lambda: Credentials("sad"), "'sad' is not a valid CredentialsKind"),
    ],
)
def test_wrong_fields_are_refused(make: Any, match: str) -> None:
    with pytest.raises((TypeError, ValueError), match=match):
        make()


def test_an_unhashable_field_makes_an_event_unhashable() -> None:
    report = ErrorReport({"a": 1}, [])
    assert report == ErrorReport({"a": 1}, [])
    with pytest.raises(TypeError, match="unhashable"):
        hash(report)


class Witness:
    """Something that can be watched going away."""


def test_events_in_cycles_are_collected() -> None:
    watched = []
    for _ in range(100):
        witness = Witness()
        event = Dispatch("a", 1, b"{}")
        event.data["self"] = event
        event.data["witness"] = witness
        other = ErrorReport([witness], None)
        other.code.append(other)
        watched.append(weakref.ref(witness))
    del witness, event, other
    gc.collect()
    assert [w for w in watched if w() is not None] == []


def test_a_session_by_hand_is_a_name_only() -> None:
    session = Session("id", "ann")
    assert (session.id, session.user) == ("id", "ann")
    assert (session.alive, session.attached, session.last) == (False, False, 0)
    assert session == Session("id", "bob")
    assert session != Session("other", "ann")
    assert session != "id"
    with pytest.raises(TypeError):
        session < session  # noqa: B015
    assert hash(session) == hash(Session("id", "x"))
    assert repr(session) == "Session(id='id', user='ann')"
    assert pickle.loads(pickle.dumps(session)) == session
    match session:
        case Session(id, user):
            assert (id, user) == ("id", "ann")
    with pytest.raises(AttributeError):
        session.id = "other"


def test_a_publication_is_encoded_once() -> None:
    publication = Publication("message_create", {"text": "é", "n": [1, None]})
    assert publication.name == "message_create"
    assert publication.payload == '{"text":"é","n":[1,null]}'.encode()
    assert Publication("a").payload is None
    assert Publication("a", None).payload is None
    assert Publication("a", b" [1] ").payload is not None
    assert Publication("a", bytearray(b"[1]")).payload == b"[1]"
    assert Publication("a", memoryview(b"[1]")).payload == b"[1]"
    again = pickle.loads(pickle.dumps(publication))
    assert (again.name, again.payload) == (publication.name, publication.payload)
    assert repr(publication) == (
        "Publication(name='message_create', payload=<26 bytes>, protocol='gateway', passing=False)"
    )
