"""The hub: sessions, topics, waking, sealing, snapshots, subclassing, and being called wrongly."""

from __future__ import annotations

import gc
import math
import sys
import time
import weakref
from typing import Any

import pytest
from core_world import ENTROPY, Clock, World
from kedge import _core
from kedge._core import (
    Close,
    Closed,
    Connect,
    Dispatch,
    GatewayClient,
    GatewayHub,
    HubLink,
    Identify,
    Publication,
    Session,
    SessionEnded,
)

# ---- sessions and topics ----


def test_sessions_are_found_by_id_and_user() -> None:
    world = World()
    ann, bob, other = world.join("ann"), world.join("bob"), world.join("ann")
    session = ann.link.session
    assert session is not None
    assert world.hub.session(session.id) == session
    assert world.hub.session("nobody") is None
    assert set(world.hub.sessions("ann")) == {session, other.link.session}
    assert len(world.hub.sessions()) == 3
    assert world.hub.sessions("nobody") == []
    assert world.hub.sessions("") == []
    assert world.hub.link_of(session) is ann.link
    assert world.hub.link_of(session.id) is ann.link
    assert world.hub.link_of("nobody") is None
    assert session.attached
    assert session.last == 1
    bob.cut()
    (detached,) = world.hub.sessions("bob")
    assert detached.alive
    assert not detached.attached
    assert world.hub.link_of(detached) is None


def test_a_user_may_be_a_number() -> None:
    world = World()
    world.decide = lambda link, question: link.accept(question, user=7)
    world.join()
    (session,) = world.hub.sessions(7)
    assert session.user == "7"


def test_sending_to_one_session_and_following() -> None:
    world = World()
    ann, bob = world.join("ann"), world.join("bob")
    session = ann.link.session
    assert session is not None
    world.client_events.clear()
    world.hub.send(session, "direct", [1])
    world.hub.send(session.id, Publication("direct", [2]))
    world.hub.follow(session, "extra")
    assert world.hub.publish("extra", Publication("topical")) == 1
    assert world.hub.publish("extra", "topical", now=world.clock.now) == 1
    world.hub.unfollow(session.id, "extra")
    assert world.hub.publish("extra", "topical") == 0
    world.run()
    assert world.client_events == [
        Dispatch("direct", 2, b"[1]"),
        Dispatch("direct", 3, b"[2]"),
        Dispatch("topical", 4),
        Dispatch("topical", 5),
    ]
    assert bob.link.session is not None
    assert bob.link.session.last == 1


def test_topics_exact_leaves_the_others() -> None:
    world = World()
    wire = world.join()
    session = wire.link.session
    wire.cut()
    world.decide = lambda link, question: link.accept(
        question, user="ann", topics=iter(["b"]), topics_exact=True
    )
    world.clock.now = wire.client.deadline or 0.0
    wire.client.tick()
    world.connect(wire.client)
    assert world.hub.publish("news", "a") == 0
    assert world.hub.publish("b", "a") == 1
    assert session is not None
    assert session.last == 2


def test_members_may_be_any_mapping_or_json() -> None:
    from types import MappingProxyType

    for members in ({"a": 1}, MappingProxyType({"a": 1}), b'{"a":1}', bytearray(b'{"a": 1}')):
        world = World()
        world.members = members
        world.join()
        assert world.client_events[-1].data["a"] == 1


def test_a_topic_has_limits_of_its_own() -> None:
    world = World()
    wire = world.join()
    wire.cut()
    world.hub.limit_topic("news", (1, 1 << 20, math.inf))
    for n in range(3):
        world.hub.publish("news", "a", n)
    assert world.hub.counts["history_entries"] == 2
    with pytest.raises(_core.UnknownError):
        world.hub.limit_topic("nobody", (1, 1, 1.0))


def test_sessions_end_and_are_told() -> None:
    world = World(session_ttl=60.0)
    ann, bob = world.join("ann"), world.join("bob")
    session = ann.link.session
    assert session is not None
    world.hub.end(session)
    assert not session.alive
    assert session.last == 0
    world.run()
    assert [e.code for e in world.client_events if isinstance(e, Closed)] == [4009]
    bob.cut()
    assert world.hub.deadline == pytest.approx(world.clock.now + 60)
    world.clock.pass_time(60)
    world.hub.tick()
    first, second = world.hub.events()
    assert first == SessionEnded("ended", session.id, "ann", 1)
    assert second.why == "expired"
    assert second.user == "bob"
    assert world.hub.events() == []
    assert world.hub.sessions() == []
    with pytest.raises(_core.UnknownError):
        world.hub.end(session)


@pytest.mark.parametrize(("code", "kept"), [(4000, True), (1000, False), (4009, False)])
def test_a_hub_closes_the_connection_of_a_session(code: int, kept: bool) -> None:
    world = World()
    ann = world.join("ann")
    session = ann.link.session
    assert session is not None
    world.hub.ready()
    assert world.hub.close(session, code, "out")
    assert world.hub.ready() == [ann.link]
    (told,) = ann.link.events()
    assert isinstance(told, Closed)
    assert (told.code, told.reason, told.resumable) == (code, "out", kept)
    world.run()
    assert [e.code for e in world.client_events if isinstance(e, Closed)] == [code]
    ann.cut()
    assert session.alive == kept
    if kept:
        assert not world.hub.close(session)
    else:
        with pytest.raises(_core.UnknownError):
            world.hub.close(session)


def test_a_close_by_the_hub_is_checked() -> None:
    world = World()
    session = world.join("ann").link.session
    assert session is not None
    for wrong in ((session, 1006), (session, 4000, "x" * 124), (session, 70_000)):
        with pytest.raises(_core.ArgumentError):
            world.hub.close(*wrong)
    with pytest.raises(TypeError):
        world.hub.close(session, "4000")  # type: ignore[arg-type]
    assert session.attached


def test_a_cap_of_sessions_may_refuse_instead() -> None:
    world = World(sessions_per_user_max=1, evict_detached=False)
    world.join().cut()
    client = world.client()
    client.start()
    world.connect(client)
    closed = [e for e in world.client_events if isinstance(e, Closed)]
    assert [e.code for e in closed][-1] == 4006
    assert world.hub.counts["capped"] == 1
    assert world.hub.counts["evicted"] == 0


def test_the_oldest_detached_session_can_be_evicted() -> None:
    world = World(sessions_per_user_max=1)
    wire = world.join()
    old = wire.link.session
    wire.cut()
    world.join()
    (ended,) = world.hub.events()
    assert old is not None
    assert ended == SessionEnded("evicted", old.id, "ann", 1)


def test_a_user_has_only_so_many_sessions() -> None:
    world = World(sessions_per_user_max=1)
    world.join()
    client = world.client()
    client.start()
    world.connect(client)
    closed = world.client_events[-1]
    assert isinstance(closed, Closed)
    assert closed.code == 4006


def test_counts_tell_what_there_is() -> None:
    world = World()
    wire = world.join()
    world.hub.publish("news", "a")
    counts = world.hub.counts
    assert (counts["links"], counts["sessions"], counts["attached"], counts["topics"]) == ((1,) * 4)
    assert counts["published"] == 1
    assert wire.link.counts["received"] == 1


# ---- links ----


def test_a_hub_keeps_its_links_while_they_live() -> None:
    world = World()
    link = world.hub.link(context="mine")
    watch = weakref.ref(link)
    assert link.context == "mine"
    assert link.hub is world.hub
    link.requested("/gateway")
    del link
    gc.collect()
    (link,) = world.hub.links()
    assert watch() is link
    assert world.hub.ready() == [link]
    link.lost()
    assert link.finished
    assert world.hub.links() == []
    del link
    assert watch() is None
    assert world.hub.counts["links"] == 0


def test_a_link_that_closed_is_let_go_when_it_is_lost() -> None:
    world = World()
    wire = world.join()
    wire.link.close(4000, "handler failed")
    assert world.hub.links() == [wire.link]
    wire.link.lost()
    assert world.hub.links() == []


def test_a_closed_link_says_its_code_and_keeps_a_resumable_session() -> None:
    world = World()
    wire = world.join()
    (closed,) = wire.link.close(4000, "why")
    assert isinstance(closed, Closed)
    assert (closed.code, closed.reason, closed.resumable) == (4000, "why", True)
    assert wire.link.outputs() == [Close(4000, "why")]
    assert wire.link.finished


def test_context_can_be_set_and_deleted() -> None:
    link = World().hub.link()
    assert link.context is None
    link.context = 5
    assert link.context == 5
    del link.context
    assert link.context is None


def test_links_are_made_by_hubs_only() -> None:
    with pytest.raises(TypeError, match="cannot create"):
        HubLink()
    with pytest.raises(TypeError, match="cannot create"):
        _core._Link()
    with pytest.raises(TypeError):
        type("Mine", (HubLink,), {})


# ---- waking ----


class Bell:
    def __init__(self) -> None:
        self.rung = 0

    def __call__(self) -> None:
        self.rung += 1

    def heard(self) -> int:
        rung, self.rung = self.rung, 0
        return rung


def test_wake_is_called_once_until_ready_is() -> None:
    world = World()
    wire = world.join()
    assert world.hub.deadline is not None
    world.hub.ready()
    bell = world.hub.wake = Bell()
    assert world.hub.wake is bell
    world.hub.publish("news", "a")
    assert bell.heard() == 1
    world.hub.publish("news", "a")
    world.hub.publish("news", "a")
    assert bell.heard() == 0
    assert world.hub.ready() == [wire.link]
    assert bell.heard() == 0
    assert len(wire.link.outputs()) == 3
    assert bell.heard() == 0
    world.hub.publish("news", "a")
    assert bell.heard() == 1
    world.hub.wake = None
    world.hub.ready()
    world.hub.publish("news", "a")
    assert bell.heard() == 0


def test_wake_is_called_when_the_deadline_is_sooner_than_was_told() -> None:
    world = World(session_ttl=5.0)
    wire = world.join()
    world.hub.ready()
    told = world.hub.deadline
    assert told is not None
    bell = world.hub.wake = Bell()
    wire.link.receive('{"type":"heartbeat"}')
    assert bell.heard() == 1  # there is an answer to send
    wire.link.outputs()
    world.hub.ready()
    assert world.hub.deadline == told
    wire.link.lost()
    assert bell.heard() == 1
    world.hub.ready()
    assert world.hub.deadline == pytest.approx(world.clock.now + 5)


def test_wake_is_called_when_a_link_goes_away_unasked() -> None:
    world = World(session_ttl=5.0)
    wire = world.join()
    world.hub.ready()
    assert world.hub.deadline is not None
    bell = world.hub.wake = Bell()
    connection_like = wire.link
    session = connection_like.session
    world.wires.clear()
    world.server_events.clear()
    hub = world.hub
    del wire, connection_like
    gc.collect()
    assert bell.heard() == 0  # the hub keeps it
    (link,) = hub.links()
    link.lost()
    del link
    assert bell.heard() == 1
    assert session is not None
    assert session.alive
    assert not session.attached


def test_wake_may_be_a_method() -> None:
    class Mine(GatewayHub):
        def __init__(self, name: str) -> None:
            super().__init__(clock=Clock(), heartbeat_interval=10.0)
            self.name = name
            self.woken = 0

        def wake(self) -> None:
            self.woken += 1

    hub = Mine("mine")
    link = hub.link()
    assert hub.woken == 0
    link.requested("/gateway")
    assert hub.woken == 1
    assert hub.ready() == [link]
    link.outputs()
    link.opened()
    assert hub.woken == 2
    assert link.hub is hub
    assert hub.name == "mine"


def test_what_wake_raises_goes_to_the_unraisable_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    wire = world.join()
    world.hub.ready()
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda info: told.append(info.exc_type))

    def wake() -> None:
        raise RuntimeError("no")

    world.hub.wake = wake
    assert world.hub.publish("news", "a") == 1
    assert told == [RuntimeError]
    assert world.hub.ready() == [wire.link]


def test_wake_may_call_the_hub() -> None:
    world = World()
    wire = world.join()
    world.hub.ready()
    ready: list[HubLink] = []
    world.hub.wake = lambda: ready.extend(world.hub.ready())
    world.hub.publish("news", "a")
    assert ready == [wire.link]


def test_wake_must_be_callable() -> None:
    hub = GatewayHub()
    assert hub.wake is None
    with pytest.raises(TypeError, match="wake must be callable"):
        hub.wake = 5
    hub.wake = print
    del hub.wake
    assert hub.wake is None


def test_a_clock_that_calls_back_is_refused_nothing() -> None:
    hub: GatewayHub | None = None

    def clock() -> float:
        if hub is not None:
            hub.publish("news", "a", now=1)
        return 1.0

    hub = GatewayHub(clock=clock)
    hub.link()
    assert hub.counts["unheard"] == 1


# ---- stop, seal, snapshot ----


def restart(world: World) -> GatewayHub:
    """The hub of the next process, which begins 30 s later on another clock."""
    world.hub.seal()
    world.hub.stop()
    world.run()
    snapshot = world.hub.snapshot(wall=5000.0)
    world.clock = Clock(7.0)
    world.hub = GatewayHub(clock=world.clock, entropy=ENTROPY[::-1])
    world.hub.restore(snapshot, wall=5030.0)
    world.wires.clear()
    return world.hub


def test_a_sealed_snapshot_is_resumed_into() -> None:
    world = World()
    wire = world.join()
    for n in range(3):
        world.hub.publish("news", "a", n)
    session = wire.link.session
    assert session is not None
    client = wire.client
    hub = restart(world)
    closed = world.client_events[-1]
    assert isinstance(closed, Closed)
    assert closed.code == 4008
    again = hub.session(session.id)
    assert again == session
    assert again is not None
    assert again.last == 4
    assert hub.deadline == pytest.approx(7.0 + 300.0 - 30.0)
    hub.publish("news", "a", 3)
    client.tick(now=client.deadline)
    other = GatewayClient(token="token-of-ann", clock=world.clock, entropy=ENTROPY)
    other.load(client.save())
    assert other.start() == [Connect(1, True)]
    world.connect(other)
    hub.publish("news", "a", 4)
    world.run()
    assert world.dispatches() == [(n + 2, n) for n in range(5)]


def test_an_unsealed_snapshot_is_for_reading_only() -> None:
    world = World()
    world.join()
    snapshot = world.hub.snapshot()
    assert isinstance(snapshot, bytes)
    with pytest.raises(_core.SnapshotError) as caught:
        GatewayHub().restore(snapshot)
    assert caught.value.status == "SNAPSHOT_UNSEALED"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_snapshot_may_be_any_kind_of_bytes(kind: Any) -> None:
    hub = GatewayHub()
    hub.seal()
    GatewayHub().restore(kind(hub.snapshot()))


def test_a_broken_snapshot_is_refused() -> None:
    hub = GatewayHub()
    hub.seal()
    snapshot = hub.snapshot()
    for broken in (b"", snapshot[:-1], snapshot[:-1] + bytes([snapshot[-1] ^ 1])):
        with pytest.raises(_core.SnapshotError):
            GatewayHub().restore(broken)


def test_only_a_new_hub_is_filled() -> None:
    hub = GatewayHub()
    hub.seal()
    world = World()
    world.join()
    with pytest.raises(_core.StateError):
        world.hub.restore(hub.snapshot())


def test_a_sealed_hub_numbers_nothing() -> None:
    world = World()
    wire = world.join()
    world.hub.seal()
    for call in (
        lambda: world.hub.publish("news", "a"),
        lambda: world.hub.send(wire.link.session or "", "a"),
        lambda: world.hub.link(),
    ):
        with pytest.raises(_core.StateError) as caught:
            call()
        assert caught.value.status == "SEALED"


def test_stopping_closes_every_link_and_keeps_the_sessions() -> None:
    world = World()
    wires = [world.join(user) for user in ("ann", "bob")]
    world.hub.stop()
    assert set(world.hub.ready()) == {wire.link for wire in wires}
    for wire in wires:
        (closed,) = wire.link.events()
        assert isinstance(closed, Closed)
        assert (closed.code, closed.resumable) == (4008, True)
        (output,) = wire.link.outputs()
        assert isinstance(output, Close)
    assert world.hub.links() == []
    assert len(world.hub.sessions()) == 2


# ---- mistakes ----


def question_of(world: World) -> tuple[HubLink, Identify]:
    asked: list[Any] = []
    world.decide = lambda link, question: asked.append((link, question)) or []
    client = world.client()
    client.start()
    world.connect(client)
    return asked[0]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda w, li, q: li.accept(q, user=""), _core.ArgumentError, "wants a `user`"),
        (lambda w, li, q: li.accept(q, user=None), TypeError, "user must be"),
        (lambda w, li, q: li.accept(q, user=True), TypeError, "user must be"),
        (lambda w, li, q: li.accept(q), TypeError, "missing required argument 'user'"),
        (lambda w, li, q: li.accept("q", user="a"), TypeError, "Identify, Resume or Credentials"),
        (lambda w, li, q: li.accept(q, user="a", topics="news"), TypeError, "several texts"),
        (lambda w, li, q: li.accept(q, user="a", topics=[5]), TypeError, "must be str"),
        (lambda w, li, q: li.accept(q, user="a", topics=[""]), _core.ArgumentError, "empty"),
        (lambda w, li, q: li.accept(q, user="a", members=5), TypeError, "mapping"),
        (lambda w, li, q: li.accept(q, user="a", members=b"[]"), _core.Error, "[a-z]"),
        (lambda w, li, q: li.accept(q, user="a\ud800"), _core.ArgumentError, "lone surrogate"),
        (lambda w, li, q: li.refuse(q, 1234), _core.ArgumentError, "a `code`"),
        (lambda w, li, q: li.refuse(q, 99999), _core.ArgumentError, "code is too large"),
        (lambda w, li, q: li.refuse(q, -1), _core.ArgumentError, "code is negative"),
        (lambda w, li, q: li.receive(5), TypeError, "a message is str or bytes"),
        (lambda w, li, q: li.receive_text("{}"), TypeError, "takes bytes"),
        (lambda w, li, q: li.receive(), TypeError, "missing required argument"),
        (lambda w, li, q: li.receive("{}", 5), TypeError, "positional"),
        (lambda w, li, q: li.receive(message="{}"), TypeError, "argument"),
        (lambda w, li, q: li.tick(now=-1), _core.ArgumentError, "now is negative"),
        (lambda w, li, q: li.tick(now=-0.5), _core.ArgumentError, "now is negative"),
        (lambda w, li, q: li.tick(now=math.nan), _core.ArgumentError, "not a number"),
        (lambda w, li, q: li.tick(now=math.inf), _core.ArgumentError, "too large"),
        (lambda w, li, q: li.tick(now=1e30), _core.ArgumentError, "too large"),
        (lambda w, li, q: li.tick(now=10**30), _core.ArgumentError, "too large"),
        (lambda w, li, q: li.tick(now="soon"), TypeError, "real number"),
        (lambda w, li, q: li.tick(1.0), TypeError, "positional"),
        (lambda w, li, q: li.close(5), _core.ArgumentError, "[a-z]"),
        (lambda w, li, q: li.close(1000, "x" * 124), _core.ArgumentError, "[a-z]"),
        (lambda w, li, q: li.outputs(-1), _core.ArgumentError, "limit is negative"),
        (lambda w, li, q: li.requested("/"), _core.StateError, "state"),
        (lambda w, li, q: li.peer_closed(1000, 5), TypeError, "reason must be"),
        (lambda w, li, q: w.hub.publish("news"), TypeError, "missing required"),
        (lambda w, li, q: w.hub.publish(5, "a"), TypeError, "topic must be str"),
        (lambda w, li, q: w.hub.publish("n\ud800", "a"), _core.ArgumentError, "topic has a lone"),
        (lambda w, li, q: w.hub.publish("n", "a\ud800"), _core.ArgumentError, "name has a lone"),
        (lambda w, li, q: w.hub.publish("n", "a", "\ud800"), _core.ArgumentError, "payload has a"),
        (lambda w, li, q: w.hub.publish("n", "a", b"[1,]"), _core.DecodeError, "at byte 3"),
        (lambda w, li, q: w.hub.publish("n", "a", b""), _core.DecodeError, "ends too early"),
        (lambda w, li, q: w.hub.publish("n", "a", math.nan), ValueError, "JSON"),
        (lambda w, li, q: w.hub.publish("n", "a", object()), TypeError, "JSON serializable"),
        (lambda w, li, q: w.hub.publish("", "a"), _core.ArgumentError, "empty"),
        (lambda w, li, q: w.hub.publish("n", ""), _core.ArgumentError, "empty"),
        (lambda w, li, q: w.hub.publish("n", Publication("a"), 5), _core.ArgumentError, "already"),
        (lambda w, li, q: w.hub.send("nobody", "a"), _core.UnknownError, "no such thing"),
        (lambda w, li, q: w.hub.send(5, "a"), TypeError, "session must be str"),
        (lambda w, li, q: w.hub.send(Session("a", "b"), "a"), _core.UnknownError, "no such"),
        (lambda w, li, q: w.hub.follow("nobody", "t"), LookupError, "no such"),
        (lambda w, li, q: w.hub.limit_topic("t", (1, 2)), _core.ArgumentError, "3 items"),
        (lambda w, li, q: w.hub.session(5), TypeError, "id must be str"),
        (lambda w, li, q: w.hub.sessions(b"x"), TypeError, "user must be"),
        (lambda w, li, q: w.hub.__init__(), _core.StateError, "made already"),
        (lambda w, li, q: w.hub.publish("n", "a", b"[" * 200 + b"]" * 200), ValueError, "deep"),
    ],
)
def test_mistakes_raise_and_change_nothing(call: Any, error: Any, match: str) -> None:
    world = World()
    link, question = question_of(world)
    before = world.hub.counts
    with pytest.raises(error, match=match) as caught:
        call(world, link, question)
    if isinstance(caught.value, _core.Error):
        assert caught.value.status in {name for _, name, _, _ in _core.statuses}
    assert world.hub.counts == before
    assert isinstance(link.accept(question, user="ann")[0], _core.Attached)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"links_max": 0}, _core.ArgumentError),
        ({"links_max": -1}, _core.ArgumentError),
        ({"links_max": 2**70}, _core.ArgumentError),
        ({"links_max": "5"}, TypeError),
        ({"links_max": 1.5}, TypeError),
        ({"heartbeat_interval": 0}, _core.ArgumentError),
        ({"heartbeat_interval": -1.0}, _core.ArgumentError),
        ({"session_ttl": math.nan}, _core.ArgumentError),
        ({"rate": (1, 2, 3)}, _core.ArgumentError),
        ({"rate": 5}, TypeError),
        ({"topic_history": (0, 1, 1.0)}, _core.ArgumentError),
        ({"unknown": "perhaps"}, _core.ArgumentError),
        ({"unknown": 5}, _core.ArgumentError),
        ({"capabilities": "voice"}, TypeError),
        ({"capabilities": ["a\0b"]}, _core.ArgumentError),
        ({"words": {"other": []}}, _core.ArgumentError),
        ({"words": 5}, TypeError),
        ({"clock": 5}, TypeError),
        ({"decoder": 5}, TypeError),
        ({"entropy": b"short"}, _core.ArgumentError),
        ({"entropy": "x" * 32}, _core.ArgumentError),
        ({"other": 5}, TypeError),
    ],
)
def test_settings_are_checked(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        GatewayHub(**options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, TypeError),
        ({"token": 5}, TypeError),
        ({"token": "\ud800"}, _core.ArgumentError),
        ({"token": "x", "path": ""}, _core.ArgumentError),
        ({"token": "x", "backoff": (1,)}, _core.ArgumentError),
        ({"token": "x", "backoff": 5}, TypeError),
        ({"token": "x", "hold_count": -1}, _core.ArgumentError),
        ({"token": "x", "clock": lambda: "now"}, TypeError),
        ({"token": "x", "now": -1}, _core.ArgumentError),
    ],
)
def test_a_clients_settings_are_checked(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        GatewayClient(**options)


def test_an_error_of_the_clock_is_the_callers() -> None:
    def clock() -> float:
        raise RuntimeError("broken clock")

    with pytest.raises(RuntimeError, match="broken clock"):
        GatewayHub(clock=clock)


def test_too_many_links_are_refused() -> None:
    hub = GatewayHub(links_max=1)
    link = hub.link()
    with pytest.raises(_core.LimitError) as caught:
        hub.link()
    assert caught.value.status == "LIMIT"
    link.lost()
    del link
    hub.link()


def test_a_hub_whose_init_was_not_called_says_so() -> None:
    class Forgetful(GatewayHub):
        def __init__(self) -> None:
            pass

    hub = Forgetful()
    for call in (
        hub.link,
        hub.ready,
        hub.tick,
        hub.events,
        lambda: hub.deadline,
        lambda: hub.counts,
        lambda: hub.publish("a", "b"),
        hub.snapshot,
    ):
        with pytest.raises(_core.StateError, match="__init__"):
            call()
    assert hub.links() == []
    assert hub.clock is time.monotonic


def test_a_failed_init_can_be_tried_again() -> None:
    class Twice(GatewayHub):
        def __init__(self) -> None:
            with pytest.raises(_core.ArgumentError):
                super().__init__(links_max=0, capabilities=["a"], words={"mls_type": ["x"]})
            super().__init__(capabilities=["b"])

    assert Twice().links() == []


def test_clients_refuse_what_does_not_fit_their_state() -> None:
    client = GatewayClient(token="x")
    for call in (
        lambda: client.handshake(),
        lambda: client.notify("typing", {"feed_id": 1}),
        lambda: client.connect_failed(),
    ):
        with pytest.raises(_core.StateError) as caught:
            call()
        assert caught.value.status == "WRONG_STATE"
    client.start()
    with pytest.raises(_core.StateError):
        client.start()
    with pytest.raises(_core.Error):
        client.load(b"{}")
    assert client.path == "/gateway"
    assert client.connection == 0


def test_errors_are_told_apart_by_class() -> None:
    assert issubclass(_core.StaleTicketError, _core.StateError)
    assert issubclass(_core.ArgumentError, ValueError)
    assert issubclass(_core.DecodeError, ValueError)
    assert issubclass(_core.SnapshotError, ValueError)
    assert issubclass(_core.UnknownError, LookupError)
    assert _core.DecodeError("x").offset is None


def test_errors_are_pickled_with_their_status() -> None:
    import pickle

    with pytest.raises(_core.DecodeError) as caught:
        Publication("a", b"[")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.status, again.offset, str(again)) == (
        "JSON_TRUNCATED",
        1,
        "the JSON text ends too early, at byte 1",
    )
