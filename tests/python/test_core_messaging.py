"""The messenger through the extension: streams, catch-up, requests, passing events, snapshots."""

from __future__ import annotations

import json
from typing import Any

import pytest
from core_peers import WALL, Peers
from kedge import _core
from kedge._core import (
    Acknowledged,
    Attached,
    Closed,
    Connect,
    Credentials,
    Dispatch,
    ErrorReport,
    Gap,
    Message,
    Outcome,
    Ready,
    Request,
    Resumed,
    Retry,
    Sync,
    WantCredentials,
)
from kedge.messaging import CredentialsKind, OutcomeKind

FIRST = WALL * 1_000_000


def peers(**options: Any) -> Peers:
    made = Peers("messaging", **options)
    made.answer = {"topics": ["chat"], "passing_topics": ["chat"]}
    return made


def numbered(events: list[Dispatch]) -> list[tuple[str, int, Any]]:
    return [(event.name, event.seq, event.data) for event in events]


def test_a_client_is_let_in_and_hears_what_arises() -> None:
    world = peers()
    ann = world.join()
    credentials, attached = ann.asked
    assert isinstance(credentials, Credentials)
    assert (credentials.kind, credentials.secret) == (CredentialsKind.BEARER, "token-of-ann")
    assert isinstance(attached, Attached)
    assert attached.session == ann.server.session
    assert ann.take(Ready) == [Ready("", FIRST - 1)]
    assert world.hub.publish("chat", "new", {"text": "a"}) == 1
    assert world.hub.publish("chat", "typing", {"user": "bob"}) == 1
    assert world.hub.publish("nobody", "new", {}) == 0
    world.run()
    assert numbered(ann.take(Dispatch)) == [
        ("new", FIRST, {"text": "a"}),
        ("typing", 0, {"user": "bob"}),
    ]
    assert ann.client.position == FIRST
    assert ann.server.position == FIRST
    assert ann.server.session_id == attached.session.id
    assert ann.client.session_id is None
    assert (ann.client.state, ann.server.state) == ("LIVE", "SUBSCRIBED")
    assert "LIVE" in ann.client.describe()
    assert ann.client.protocol == ann.server.protocol == world.hub.protocol == "messaging"


def test_devices_share_a_stream_and_each_catches_up_with_what_it_missed() -> None:
    world = peers()
    phone, laptop, bob = world.join(), world.join(), world.join("bob")
    (stream,) = world.hub.sessions("ann")
    assert world.hub.links_of(stream) == [laptop.link, phone.link]
    assert world.hub.link_of(stream) is laptop.link
    world.hub.publish("chat", "new", 1)
    world.run()
    phone.cut()
    world.hub.publish("chat", "new", 2)
    world.hub.publish("chat", "typing", "lost on the phone")
    world.hub.send(stream, "edit", 3)
    world.run()
    assert numbered(laptop.take(Dispatch)) == [
        ("new", FIRST, 1),
        ("new", FIRST + 1, 2),
        ("typing", 0, "lost on the phone"),
        ("edit", FIRST + 2, 3),
    ]
    assert [event.data for event in bob.take(Dispatch)] == [1, 2, "lost on the phone"]
    action = phone.take(Closed)[0].action
    assert isinstance(action, Retry)
    assert action.resume
    assert action.after == pytest.approx(phone.client.deadline - world.clock.now)
    phone.come_back()
    told = phone.told[1:]
    assert numbered([event for event in told if isinstance(event, Dispatch)]) == [
        ("new", FIRST + 1, 2),
        ("edit", FIRST + 2, 3),
    ]
    assert told[-1] == Resumed(FIRST + 2, 2)


def test_what_a_process_saved_the_next_one_goes_on_with() -> None:
    world = peers()
    ann = world.join()
    world.hub.publish("chat", "new", 1)
    world.run()
    saved = ann.client.save()
    assert b"token" not in saved
    ann.cut()
    world.hub.publish("chat", "new", 2)
    again = world.client()
    again.client.stop()
    heir = world.module.Client(token="token-of-ann", clock=world.clock, wall=WALL)
    heir.load(saved)
    again.client = heir
    again.told = heir.start()
    assert again.told == [Connect(1, resume=True)]
    again.connect()
    assert numbered(again.take(Dispatch)) == [("new", FIRST + 1, 2)]


def test_a_history_that_is_too_short_is_told() -> None:
    world = peers(topic_history=(2, 1 << 20, 600.0))
    ann = world.join()
    world.hub.publish("chat", "new", 0)
    world.run()
    ann.cut()
    for n in range(1, 5):
        world.hub.publish("chat", "new", n)
    ann.told.clear()
    ann.come_back()
    syncs = ann.take(Sync)
    assert [event.why for event in syncs] == ["HISTORY_LOST"]
    world.hub.publish("chat", "new", 5)
    world.run()
    assert numbered(ann.take(Dispatch)) == [("new", FIRST + 5, 5)]


def test_a_reader_that_is_outrun_is_closed_and_begins_anew() -> None:
    world = peers(topic_history=(2, 1 << 20, 600.0))
    ann = world.join()
    ann.slow = True
    for n in range(5):
        world.hub.publish("chat", "new", n)
    ann.slow = False
    world.run()
    (closed,) = ann.take(Closed)
    assert closed.code == 1013
    assert closed.action is not None
    assert world.hub.counts["history_lost"] == 1


def test_requests_are_answered_in_any_order() -> None:
    world = peers()
    ann = world.join()
    ann.told.clear()
    first = ann.client.request("chats")
    second = ann.client.request("chat", {"chatId": 7})
    third = ann.client.request("weather", [1], timeout=2.5)
    world.run()
    asked = [event for event in ann.asked if isinstance(event, Request)]
    assert [(event.name, event.known, event.data) for event in asked] == [
        ("chats", True, {}),
        ("chat", True, {"chatId": 7}),
        ("weather", False, [1]),
    ]
    assert ann.server.reply(asked[1], {"title": "seven"}) == []
    assert ann.server.reply_error(asked[2], "unknown_type", "no weather here", {"at": 1}) == []
    assert ann.server.reply_failed(asked[0]) == []
    world.run()
    by_number = {event.number: event for event in ann.take(Outcome)}
    assert by_number[second].outcome is OutcomeKind.ANSWERED
    assert by_number[second].data == {"title": "seven"}
    assert by_number[third].outcome is OutcomeKind.REFUSED
    assert (by_number[third].code, by_number[third].message) == (
        "unknown_type",
        "no weather here",
    )
    assert by_number[first].code == "internal_error"
    with pytest.raises(_core.StaleTicketError):
        ann.server.reply(asked[1])


def test_a_request_ends_once_whatever_happens() -> None:
    world = peers()
    ann = world.join()
    ann.told.clear()
    late = ann.client.request("chats", timeout=3.0)
    given_up = ann.client.request("chats")
    lost = ann.client.request("chats", timeout=60)
    ann.told += ann.client.cancel(given_up)
    assert ann.outcome().outcome is OutcomeKind.CANCELLED
    with pytest.raises(_core.UnknownError):
        ann.client.cancel(given_up)
    world.pass_time(3)
    outcome = ann.outcome()
    assert (outcome.number, outcome.outcome) == (late, OutcomeKind.TIMED_OUT)
    ann.cut()
    outcome = ann.outcome()
    assert (outcome.number, outcome.outcome) == (lost, OutcomeKind.INVALIDATED)


def test_clients_say_events_and_acknowledge() -> None:
    world = peers()
    ann = world.join(acks="latest")
    world.hub.publish("chat", "new", 1)
    world.run()
    world.run()
    assert [event for event in ann.asked if isinstance(event, Acknowledged)] == [
        Acknowledged(FIRST)
    ]
    ann.client.notify("typing", {"chatId": 7})
    world.run()
    assert ann.asked[-1] == Message("typing", True, b'{"chatId":7}')


def test_timestamps_are_of_the_wall_clock_in_the_unit_that_is_set() -> None:
    for unit, expected in (("seconds", WALL + 2), ("milliseconds", (WALL + 2) * 1000)):
        world = peers(unit=unit)
        ann = world.join(unit=unit)
        world.clock.pass_time(2)
        made = world.hub.publication("new", {"a": 1})
        assert (made.timestamp, made.protocol, made.passing) == (expected, "messaging", False)
        assert world.hub.publication("typing").passing
        assert world.hub.publication("other", passing=True).passing
        world.hub.publish("chat", made)
        world.run()
        (event,) = ann.take(Dispatch)
        assert json.loads(bytes(event.raw or b""))["timestamp"] == expected
        ann.client.request("chats")
        world.run()
        assert json.loads(bytes(ann.question().raw or b""))["timestamp"] == expected
        world.hub.tell_time(5.0)
        ann.client.tell_time(6, now_ns=int(world.clock.now * 1e9))
        assert world.hub.publication("new").timestamp in (5, 5000)
        ann.client.request("chats")
        world.run()
        assert json.loads(bytes(ann.question().raw or b""))["timestamp"] in (6, 6000)


def test_who_is_left_out_gets_no_number_for_it() -> None:
    world = peers()
    ann, bob = world.join("ann"), world.join("bob")
    sessions = [ann.server.session, "nobody"]
    assert world.hub.publish("chat", "new", 1, except_for=sessions) == 1
    assert world.hub.publish("chat", "new", 2) == 2
    assert world.hub.publish("chat", "typing", 3, except_for=iter([bob.server.session])) == 1
    world.run()
    assert numbered(ann.take(Dispatch)) == [("new", FIRST, 2), ("typing", 0, 3)]
    assert numbered(bob.take(Dispatch)) == [("new", FIRST, 1), ("new", FIRST + 1, 2)]
    for wrong in ("text", 5, [5]):
        with pytest.raises(TypeError):
            world.hub.publish("chat", "new", 1, except_for=wrong)


def test_topics_are_followed_and_left() -> None:
    world = peers()
    ann = world.join()
    session = ann.server.session
    world.hub.follow(session, "extra")
    world.hub.follow(session, "extra", passing=True)
    assert world.hub.publish("extra", "new", 1) == 1
    assert world.hub.publish("extra", "online", 1) == 1
    world.hub.unfollow(session, "extra", passing=True)
    assert world.hub.publish("extra", "online", 2) == 0
    world.hub.unfollow(session, "extra")
    assert world.hub.publish("extra", "new", 2) == 0
    with pytest.raises(_core.UnknownError):
        world.hub.unfollow(session, "extra")
    world.run()
    assert [event.data for event in ann.take(Dispatch)] == [1]


def test_a_silent_client_is_closed() -> None:
    world = peers(silence=2.0, grace=1.0)
    ann = world.join(keep_alive=100.0)
    world.pass_time(3.0)
    assert ann.take(Closed)[0].code == 1001
    (closed,) = [event for event in ann.asked if isinstance(event, Closed)]
    assert closed.cause == "TIMED_OUT"


def test_who_is_not_let_in_waits_for_other_credentials() -> None:
    world = peers()
    ann = world.join(token="wrong")
    (closed,) = ann.take(Closed)
    assert (closed.http_status, closed.action) == (403, WantCredentials())
    ann.told += ann.client.set_credentials("token-of-ann")
    ann.connect()
    assert isinstance(ann.take(Ready)[0], Ready)


def test_a_broken_message_is_told_and_refused() -> None:
    world = peers(undecodable_in_a_row=2)
    ann = world.join()
    ann.asked += ann.server.receive("{")
    world.run()
    assert [type(event) for event in ann.take(ErrorReport)] == [ErrorReport]
    ann.asked += ann.server.receive(b"binary")
    world.run()
    assert ann.take(Closed)[0].code == 1008


def test_holes_are_told_where_there_are_none_to_be() -> None:
    world = peers()
    ann = world.join(dense=True)
    world.hub.publish("chat", "new", 1)
    world.run()
    ann.told.clear()
    ann.told += ann.client.receive(
        json.dumps({"type": "event", "timestamp": 1, "id": FIRST + 3, "eventType": "new"})
    )
    assert ann.told == [Gap(FIRST + 1, FIRST + 2), Dispatch("new", FIRST + 3)]


def test_a_stream_goes_on_in_the_next_process() -> None:
    world = peers()
    ann = world.join()
    world.hub.publish("chat", "new", 1)
    world.run()
    world.hub.stop()
    world.run()
    assert ann.take(Closed)[0].code == 1001
    ann.link = None
    world.hub.publish("chat", "new", 2)
    world.hub.seal()
    with pytest.raises(_core.StateError):
        world.hub.publish("chat", "new", 3)
    whole = world.hub.snapshot(wall=WALL)
    for size in (0, 1, 100, 1 << 20):
        pieces = world.hub.snapshot_pieces(size, wall=WALL)
        assert iter(pieces) is pieces
        assert b"".join(pieces) == whole
        assert list(pieces) == []
    restored = world.module.Hub(clock=world.clock, wall=WALL)
    restored.restore(whole, wall=WALL)
    world.hub = restored
    ann.come_back()
    assert numbered(ann.take(Dispatch)) == [("new", FIRST + 1, 2)]


def test_pieces_of_a_snapshot_end_when_something_else_is_done() -> None:
    world = peers()
    world.join()
    pieces = world.hub.snapshot_pieces(16)
    assert next(pieces)
    world.hub.publish("chat", "new", 1)
    with pytest.raises(_core.StateError):
        next(pieces)
    assert list(pieces) == []


def test_all_devices_of_a_user_are_thrown_out() -> None:
    world = peers()
    phone, laptop = world.join(), world.join()
    (stream,) = world.hub.sessions("ann")
    assert world.hub.close(stream) is True
    world.run()
    for device in (phone, laptop):
        (closed,) = device.take(Closed)
        assert (closed.code, closed.action is not None) == (1001, True)
        device.link = None
    assert world.hub.close(stream, 4321, "again") is False
    with pytest.raises(_core.UnknownError):
        world.hub.close("nobody")
    world.hub.end(stream)
    assert [event.why for event in world.hub.events()] == ["ended"]


def test_a_stream_that_was_kept_begins_at_one() -> None:
    world = peers()
    world.answer["stream_kept"] = True
    ann = world.join()
    world.hub.publish("chat", "new", "a")
    world.run()
    assert numbered(ann.take(Dispatch)) == [("new", 1, "a")]
