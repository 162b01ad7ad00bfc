"""What holds of the clients, hubs and links of every protocol: settings, time, memory, refusals."""

from __future__ import annotations

import ast
import gc
import inspect
import math
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from core_peers import MODULES, WALL, Peers
from core_world import ENTROPY, Clock
from kedge import _core
from kedge._core import (
    Closed,
    Connect,
    Connection,
    Coordinates,
    Publication,
    Request,
    Retry,
    Snapshot,
)
from test_core_memory import KEPT, growth

PROTOCOLS = sorted(MODULES)
KINDS = [getattr(MODULES[name], kind) for name in PROTOCOLS for kind in ("Client", "Hub")]
LATER = {"decoder", "clock", "entropy", "wall", "now", "now_ns"}


def make(kind: Any, **options: Any) -> Any:
    if issubclass(kind, _core._Client):
        options.setdefault("token", "x")
    return kind(**options)


def settings() -> Iterator[Any]:
    """Every setting of every kind, with its default."""
    for kind in KINDS:
        for parameter in inspect.signature(kind).parameters.values():
            if parameter.name not in LATER and parameter.default is not parameter.empty:
                name = f"{kind.__module__}.{kind.__name__}.{parameter.name}"
                yield pytest.param(kind, parameter.name, parameter.default, id=name)


def refused(kind: Any, **options: Any) -> _core.ArgumentError | None:
    try:
        make(kind, **options)
    except _core.ArgumentError as error:
        return error
    return None


# ---- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name", "default"), list(settings()))
def test_a_setting_is_read_and_refused_by_its_name(kind: Any, name: str, default: Any) -> None:
    make(kind, **{name: default})
    wrong: list[Any] = []
    if isinstance(default, bool):
        assert make(kind, **{name: 1}) is not None
    elif isinstance(default, int):
        wrong = [-1, 1 << 64, "x", 1.5]
    elif isinstance(default, float):
        wrong = [-1, math.nan, "x", 1 << 64]
    elif isinstance(default, str):
        wrong = [5, None, "\ud800"]
    elif isinstance(default, tuple) and default and isinstance(default[0], int | float):
        wrong = [5, (1,), (-1,) * len(default), ("x",) * len(default)]
    elif isinstance(default, tuple):
        wrong = ["text", 5, [5], ["a\0b"], ["\ud800"]]
    elif name == "words":
        wrong = [5, {"other": ["a"]}, {"mls_type": "a"}, {"mls_type": [5]}]
    else:
        wrong = [5]
    for value in wrong:
        with pytest.raises((TypeError, ValueError)) as raised:
            make(kind, **{name: value})
        if isinstance(raised.value, _core.ArgumentError):
            told = "mls_type" if "mls_type" in str(raised.value) else name
            assert told in str(raised.value)


@pytest.mark.parametrize(("kind", "name", "default"), list(settings()))
def test_what_the_core_refuses_is_named(kind: Any, name: str, default: Any) -> None:
    """A zero is taken, or refused by the name of the setting, also among others."""
    zero: Any = 0
    if isinstance(default, tuple) and default and isinstance(default[0], int | float):
        zero = (0,) * len(default)
    elif isinstance(default, bool | str | tuple) or default is None:
        zero = "" if isinstance(default, str) else default
    others = {} if name == "depth_limit" else {"depth_limit": 7}
    refusal = refused(kind, **others, **{name: zero})
    if refusal is not None:
        assert str(refusal).startswith((f"{name} is zero, empty", f"{name} must be '"))
        assert refusal.status == "INVALID_ARGUMENT"


def test_two_settings_that_do_not_go_together_name_the_second() -> None:
    with pytest.raises(_core.ArgumentError, match=r"^backoff "):
        MODULES["messaging"].Client(token="x", keep_alive=3, backoff=(5.0, 1.0))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_known_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        make(kind, colour=1)
    with pytest.raises(TypeError, match="positional"):
        kind("x")
    for name in ("decoder", "clock"):
        with pytest.raises(TypeError, match=name):
            make(kind, **{name: 5})
    for name, value in (("entropy", b""), ("wall", -1), ("now", -1), ("now_ns", -1)):
        with pytest.raises(_core.ArgumentError, match=name):
            make(kind, **{name: value})
    with pytest.raises(_core.ArgumentError, match="now and now_ns"):
        make(kind, now=1, now_ns=1)


def test_stubs_and_docstrings_tell_the_same_of_settings() -> None:
    stub = Path(_core.__file__).with_name("_core.pyi").read_text(encoding="utf-8")
    told = {
        node.name: ast.get_docstring(node)
        for node in ast.parse(stub).body
        if isinstance(node, ast.ClassDef)
    }
    for name, kind in vars(_core).items():
        if isinstance(kind, type) and name.endswith(("Client", "Hub")) and name[0] != "_":
            assert told[name] == inspect.cleandoc(str(kind.__doc__)), name


# ---- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_time_is_told_in_seconds_or_exactly(protocol: str) -> None:
    world = Peers(protocol)
    ann = world.join()
    for thing in (world.hub, ann.client, ann.server):
        assert thing.clock is world.clock
        assert thing.deadline_ns is None or thing.deadline_ns <= thing.deadline * 1e9 + 1
        assert (thing.deadline is None) == (thing.deadline_ns is None)
        exact = int(world.clock.now) * 10**9
        thing.tick(now_ns=exact + 1)
        thing.tick(now=None, now_ns=None)
        for wrong in (-1, 1 << 64, 1.5, "x"):
            with pytest.raises((TypeError, _core.ArgumentError)):
                thing.tick(now_ns=wrong)
        with pytest.raises(_core.ArgumentError, match="now and now_ns"):
            thing.tick(now=1, now_ns=1)


def test_objects_without_a_clock_ask_the_modules() -> None:
    hub = MODULES["gateway"].Hub()
    client = MODULES["blobhub"].Client(token="x")
    link = hub.link()
    connection = Connection.accept(link)
    assert hub.clock is client.clock is link.clock is connection.clock is time.monotonic
    clock = Clock()
    assert _core.default_clock(clock) is time.monotonic
    try:
        assert hub.clock is client.clock is link.clock is connection.clock is clock
        link.requested("/gateway")
        connection.tick()
        assert client.start() == [Connect(1)]
    finally:
        assert _core.default_clock(None) is clock
    assert hub.clock is time.monotonic
    with pytest.raises(TypeError):
        _core.default_clock(5)  # type: ignore[arg-type]


def test_the_wall_clock_may_be_another() -> None:
    former = _core.default_wall_clock(lambda: WALL)
    try:
        assert former is time.time_ns
        assert MODULES["messaging"].Hub().publication("new").timestamp == WALL
        _core.default_wall_clock(lambda: "x")  # type: ignore[arg-type,return-value]
        with pytest.raises(TypeError):
            MODULES["messaging"].Hub()
        _core.default_wall_clock(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            MODULES["messaging"].Client(token="x")
    finally:
        _core.default_wall_clock(None)
    assert abs(MODULES["messaging"].Hub().publication("new").timestamp - time.time()) < 5


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_says_whether_it_will_go_on_where_it_was(protocol: str) -> None:
    world = Peers(protocol)
    ann = world.client()
    ann.told += [*(ann.client.handshake() and ()), *ann.client.connect_failed(503)]
    for goes_on in (False, protocol != "blobhub", protocol != "blobhub"):
        (closed,) = ann.take(Closed)
        assert isinstance(closed.action, Retry)
        assert closed.action.resume is goes_on
        ann.come_back()
        assert isinstance(ann.told[0], Connect)
        assert ann.told[0].resume is goes_on
        if protocol == "flowlayer":
            world.hub.publish("log", {"a": 1})
            world.run()
        ann.cut()


# ---- what there is -------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_figures_are_told_by_two_names(protocol: str) -> None:
    world = Peers(protocol)
    world.join()
    counts, metrics = world.hub.counts, world.hub.metrics()
    assert list(counts.values()) == list(metrics.values())
    assert (counts["links"], metrics["kedge_links"]) == (1, 1)
    assert metrics["kedge_logins_accepted_total"] == 1
    assert all(name.startswith("kedge_") for name in metrics)
    assert world.hub.describe().startswith(f"{protocol} hub: 1 link, 1 session")
    assert world.hub.message_limit == world.peers[0].client.message_limit
    assert world.peers[0].server.message_limit == world.hub.message_limit


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_publications_suit_their_protocol(protocol: str) -> None:
    world = Peers(protocol)
    made = world.hub.publication("log", {"a": 1})
    assert made.protocol == protocol
    assert made.passing == (protocol == "blobhub")
    assert f"protocol='{protocol}'" in repr(made)
    again = Publication(*made.__reduce__()[1])
    assert (again.name, again.payload, again.protocol, again.passing, again.timestamp) == (
        made.name,
        made.payload,
        made.protocol,
        made.passing,
        made.timestamp,
    )
    other = Publication("log", {"a": 1}, "messaging" if protocol != "messaging" else "gateway")
    with pytest.raises(_core.ArgumentError):
        world.hub.publish(*(() if protocol == "flowlayer" else ("topic",)), other)
    with pytest.raises(_core.ArgumentError, match="payload"):
        world.hub.publish(*(() if protocol == "flowlayer" else ("topic",)), made, {})


# ---- what a protocol has not ---------------------------------------------------------------------

HERE = Coordinates("a")
QUESTION = Request("a", ticket=1)
ABSENT = [
    ("gateway", "client", lambda link: link.request("a")),
    ("gateway", "server", lambda link: link.request("a")),
    ("gateway", "client", lambda link: link.cancel(1)),
    ("gateway", "server", lambda link: link.reply(QUESTION)),
    ("gateway", "server", lambda link: link.reply_error(QUESTION, "a")),
    ("gateway", "server", lambda link: link.reply_failed(QUESTION)),
    ("gateway", "server", lambda link: link.accept_request(QUESTION)),
    ("gateway", "server", lambda link: link.notify("a")),
    ("flowlayer", "server", lambda link: link.request("a")),
    ("flowlayer", "client", lambda link: link.reply(QUESTION)),
    ("flowlayer", "client", lambda link: link.notify("a")),
    ("messaging", "server", lambda link: link.request("a")),
    ("messaging", "server", lambda link: link.accept_request(QUESTION)),
    ("messaging", "client", lambda link: link.reply(QUESTION)),
    ("blobhub", "server", lambda link: link.accept_request(QUESTION)),
]


@pytest.mark.parametrize(("protocol", "side", "call"), ABSENT)
def test_what_a_protocol_has_not_is_refused_by_its_name(
    protocol: str, side: str, call: Any
) -> None:
    ann = Peers(protocol).join()
    with pytest.raises(_core.StateError, match=f"^{protocol} has no such call on this side"):
        call(ann.client if side == "client" else ann.server)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_only_blobhub_has_subscriptions(protocol: str) -> None:
    ann = Peers(protocol).join()
    assert not ann.client.subscribed(HERE, "a")
    assert not ann.server.subscribed(HERE, "a")
    assert hasattr(ann.client, "subscribe") == (protocol == "blobhub")
    assert hasattr(ann.client, "services") == (protocol == "flowlayer")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_bases_are_not_made_by_themselves(protocol: str) -> None:
    for base in (_core._Link, _core._Client, _core._Hub, _core._TopicHub, _core.HubLink):
        with pytest.raises(TypeError, match="cannot create"):
            base()
        with pytest.raises(TypeError, match="immutable"):
            base.colour = 1  # type: ignore[attr-defined]
    assert issubclass(MODULES[protocol].Client, _core._Client)
    assert issubclass(MODULES[protocol].Hub, _core._Hub)


def test_a_question_is_answered_as_what_it_is() -> None:
    ann = Peers("flowlayer").join()
    with pytest.raises(TypeError, match="Identify, Resume or Credentials, not"):
        ann.server.accept(QUESTION, user="x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Credentials or Snapshot, not"):
        ann.server.refuse(QUESTION)  # type: ignore[arg-type]
    with pytest.raises(_core.StaleTicketError):
        ann.server.refuse(Snapshot(ticket=7))
    with pytest.raises(TypeError, match="question"):
        ann.server.accept(user="x")  # type: ignore[call-arg]


# ---- bytes ---------------------------------------------------------------------------------------


def exchange(near: Connection, server: Connection, world: Peers) -> list[object]:
    told: list[object] = []
    going = True
    while going:
        out, back = near.output(), server.output()
        going = bool(out or back)
        link = server.link
        assert isinstance(link, _core.HubLink)
        for event in [*(server.receive(out) if out else ()), *server.events()]:
            if isinstance(event, _core.Credentials | _core.Identify):
                world.accept(link, event)
            elif isinstance(event, Snapshot):
                link.reply(event, world.snapshot)
        told += near.receive(back) if back else []
    return told


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_connection_carries_any_protocol(protocol: str) -> None:
    world = Peers(protocol)
    client = MODULES[protocol].Client(token="token-of-ann", clock=world.clock, entropy=ENTROPY)
    assert client.start() == [Connect(1)]
    server = Connection.accept(world.hub.link())
    near = Connection.open("example.org", link=client, entropy=ENTROPY)
    told = exchange(near, server, world)
    assert any(isinstance(event, _core.Ready) for event in told)
    assert near.link is client
    assert [type(event) for event in client.stop()] == [Closed]
    exchange(near, server, world)
    for connection in (near, server):
        connection.lost()
        assert connection.finished
    with pytest.raises(TypeError, match="link must be"):
        Connection.open("a", link=world.hub.link())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="link must be"):
        Connection.accept(client)  # type: ignore[arg-type]


# ---- memory --------------------------------------------------------------------------------------


def conversation(protocol: str) -> None:
    """All that a protocol has, once."""
    world = Peers(protocol)
    ann = world.join()
    topic = () if protocol == "flowlayer" else ("topic",)
    world.hub.publish(*topic, "log", {"a": 1})
    if protocol == "blobhub":
        ann.client.subscribe(HERE, "a")
        world.run()
        world.hub.broadcast(HERE, "a", [1])
        ann.server.request("c")
    if protocol != "gateway":
        ann.client.request("start_all")
        world.run()
        question = ann.question()
        ann.server.reply_error(question, "5", "no")
    world.run()
    ann.client.describe()
    list(world.hub.snapshot_pieces(10))
    for call in (
        lambda: ann.server.reply(QUESTION),
        lambda: ann.client.request("\ud800"),
        lambda: MODULES[protocol].Hub(depth_limit=0),
        lambda: world.hub.publish(*topic, "log", b"{"),
    ):
        with pytest.raises((_core.Error, TypeError)):
            call()
    ann.cut()
    ann.come_back()
    world.hub.stop()
    world.run()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_leaked(protocol: str) -> None:
    # What caches keep levels off, at twice as much where malloc serves all (make sanitize-python).
    assert growth(lambda: conversation(protocol), 300) < 2 * KEPT


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_collecting_at_every_allocation_changes_nothing(protocol: str) -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        conversation(protocol)
    finally:
        gc.set_threshold(*threshold)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_cycles_are_collected(protocol: str) -> None:
    def tie() -> list[weakref.ref[Any]]:
        world = Peers(protocol)
        ann = world.join()
        ann.client.context = [ann, world]
        ann.server.context = ann
        ann.told.append(_core.Attached(ann.server.session))
        pieces = world.hub.snapshot_pieces(1)
        world.hub.kept = pieces
        return [weakref.ref(world.hub), weakref.ref(ann.client), weakref.ref(ann.server)]

    watched = tie()
    gc.collect()
    assert [watch() for watch in watched] == [None] * 3
