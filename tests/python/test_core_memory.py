"""Nothing is leaked, cycles are collected, and calling in again is refused, not a crash."""

from __future__ import annotations

import gc
import inspect
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from core_world import ENTROPY, Clock, World
from kedge import _core
from kedge._core import Closed, Connection, Dispatch, GatewayClient, GatewayHub, Publication


def growth(work: Callable[[], object], times: int) -> int:
    """How many bytes more there are after doing the work so often, once it is warm."""
    tracemalloc.start()
    try:
        for _ in range(20):
            work()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(times):
            work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def whole_conversation() -> None:
    world = World(capabilities=["a"], words={"mls_type": ["b"]})
    wire = world.join(compress=True, capabilities=["a"])
    world.hub.publish("news", "a", {"x": 1})
    world.run()
    assert world.client_events[-1].data == {"x": 1}
    wire.cut()
    world.clock.now = wire.client.deadline or 0.0
    wire.client.tick()
    world.connect(wire.client)
    world.hub.seal()
    GatewayHub(clock=world.clock).restore(world.hub.snapshot())
    world.hub.stop()
    world.run()


def cyclic_hub() -> None:
    hub = GatewayHub(clock=Clock())
    hub.wake = lambda: hub
    link = hub.link()
    link.context = {"link": link, "hub": hub, "events": link.requested("/gateway")}


def cyclic_client() -> None:
    kept: list[GatewayClient] = []
    client = GatewayClient(token="x", decoder=lambda payload: kept, clock=lambda: len(kept))
    kept.append(client)
    client.context = [client, client.start()]


def cyclic_connection() -> None:
    hub = GatewayHub(clock=Clock())
    link = hub.link()
    link.context = Connection.accept(link)


def refused_calls() -> None:
    for call in (
        lambda: GatewayHub(capabilities=["a"], clock=5),
        lambda: GatewayClient(token="x", capabilities=["a", 5]),
        lambda: Publication("a", b"["),
        lambda: Dispatch("a", 1, b"[]", 5),
        lambda: Connection.open("a", "/", headers=[("a", "b"), (1, 2)]),
        lambda: Connection.open("a\n", "/", subprotocols=["a"]),
        lambda: GatewayHub().restore(b"x"),
    ):
        with pytest.raises((TypeError, ValueError)):
            call()


# What an interpreter's own free lists may keep; the smallest object leaked each time is more.
KEPT = 80_000


@pytest.mark.parametrize(
    "work", [whole_conversation, cyclic_hub, cyclic_client, cyclic_connection, refused_calls]
)
def test_nothing_is_leaked(work: Callable[[], None]) -> None:
    assert growth(work, 2500) < KEPT


def test_ten_thousands_of_events_and_links_leave_nothing() -> None:
    hub = GatewayHub(clock=Clock())

    def work() -> None:
        for n in range(1000):
            event = Dispatch("a", n, b"{}")
            event.data["event"] = event
            link = hub.link()
            link.context = link
            link.requested("/gateway")
            link.lost()
        del link
        gc.collect()

    assert growth(work, 20) < KEPT
    assert hub.links() == []
    assert hub.counts["links"] == 0


def test_a_hub_in_a_cycle_with_its_links_is_collected() -> None:
    def make() -> list[weakref.ref[Any]]:
        hub = GatewayHub(clock=Clock())
        links = [hub.link() for _ in range(10)]
        for link in links:
            link.requested("/gateway")
            link.context = links
        hub.wake = lambda: links
        return [weakref.ref(hub), *[weakref.ref(link) for link in links]]

    watched = make()
    gc.collect()
    assert [watch() for watch in watched if watch() is not None] == []


def test_a_subclass_in_a_cycle_is_collected() -> None:
    class Mine(GatewayHub):
        def wake(self) -> None:
            self.woken = True

    hub = Mine(clock=Clock())
    hub.me = hub
    hub.kept = hub.link()
    watch = weakref.ref(hub)
    del hub
    gc.collect()
    assert watch() is None


def test_a_link_outlives_the_name_of_its_hub() -> None:
    link = GatewayHub(clock=Clock()).link()
    gc.collect()
    link.requested("/gateway")
    assert link.hub.links() == [link]


def test_sessions_and_events_outlive_the_names_of_their_hub() -> None:
    world = World()
    wire = world.join()
    session = wire.link.session
    assert session is not None
    del world, wire
    gc.collect()
    assert session.alive


def test_a_finalizer_may_call_the_hub_that_is_going_away() -> None:
    seen: list[object] = []

    class Nosy:
        def __init__(self, hub: GatewayHub, link: _core.HubLink) -> None:
            self.hub = hub
            self.link = link

        def __del__(self) -> None:
            seen.append(self.link.lost())
            seen.append(self.hub.links())

    def make() -> None:
        hub = GatewayHub(clock=Clock())
        link = hub.link()
        link.context = Nosy(hub, link)
        hub.wake = lambda: link

    make()
    gc.collect()
    assert len(seen) == 2
    assert isinstance(seen[0], list)


def test_a_link_that_goes_away_is_given_to_nobody() -> None:
    hub = GatewayHub(clock=Clock())
    seen: list[object] = []
    connection = Connection.accept(hub.link())
    watch = weakref.ref(hub.links()[0], lambda _: seen.append((hub.ready(), hub.links())))
    del connection
    assert watch() is None
    assert seen == [([], [])]


def test_a_clients_finalizer_is_harmless() -> None:
    seen: list[object] = []

    class Nosy:
        def __init__(self, client: GatewayClient) -> None:
            self.client = client

        def __del__(self) -> None:
            seen.append(self.client.stop())

    client = GatewayClient(token="x", clock=Clock())
    client.start()
    client.context = Nosy(client)
    del client
    gc.collect()
    assert len(seen) == 1


def test_collecting_at_every_allocation_changes_nothing() -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        whole_conversation()
        cyclic_hub()
        cyclic_connection()
    finally:
        gc.set_threshold(*threshold)


def test_a_collection_within_a_call_cannot_call_in_again() -> None:
    """Up to Python 3.11 allocating an event may run finalizers in the midst of receive()."""
    world = World()
    wire = world.join()
    errors: list[BaseException] = []

    class Nosy:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            try:
                wire.client.receive('{"type":"x","seq":1}')
            except _core.StateError as error:
                errors.append(error)

    threshold = gc.get_threshold()
    gc.collect()
    gc.set_threshold(1, 1, 1)
    try:
        for n in range(2, 60):
            Nosy()
            (event,) = wire.client.receive(f'{{"type":"a","seq":{n},"d":"x{n}"}}')
            assert event.data == f"x{n}"
    finally:
        gc.set_threshold(*threshold)
        gc.collect()
    assert all("midst" in str(error) for error in errors)


def test_an_unfinished_connection_can_go_at_any_point() -> None:
    for steps in range(12):
        clock = Clock()
        hub = GatewayHub(clock=clock, entropy=ENTROPY)
        client = GatewayClient(token="x", clock=clock, entropy=ENTROPY)
        client.start()
        server = Connection.accept(hub.link())
        near = Connection.open("a", link=client, entropy=ENTROPY)
        for _ in range(steps):
            for event in server.receive(near.output(20)):
                if isinstance(event, _core.Identify):
                    assert isinstance(server.link, _core.HubLink)
                    server.link.accept(event, user="a")
            near.receive(server.output(20))
        del server, near
        assert hub.links() == []
        assert isinstance(client.events()[0], Closed)


def test_two_threads_may_take_turns() -> None:
    world = World()
    wire = world.join()
    failed: list[BaseException] = []

    def publish() -> None:
        try:
            for n in range(200):
                world.hub.publish("news", "a", n)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    world.run()
    assert [seq for seq, _ in world.dispatches()] == list(range(2, 802))
    assert wire.link.session is not None


def test_every_public_name_is_documented() -> None:
    missing = []
    for name, thing in vars(_core).items():
        if name.startswith("__") or not isinstance(thing, type):
            continue
        if not thing.__doc__:
            missing.append(name)
        for attribute, value in vars(thing).items():
            public = not attribute.startswith("_")
            if public and not isinstance(value, MEMBERS) and not inspect.getdoc(value):
                missing.append(f"{name}.{attribute}")
    assert missing == []
    assert _core.__doc__


# Fields of values are told in the text of their class, and statuses are plain attributes.
MEMBERS = (type(Dispatch.seq), str, type(None))


def test_every_method_has_a_signature() -> None:
    for name, thing in vars(_core).items():
        if not isinstance(thing, type) or issubclass(thing, BaseException):
            continue
        for attribute, value in vars(thing).items():
            if callable(value) and not attribute.startswith("__"):
                assert inspect.signature(value), f"{name}.{attribute}"


def test_what_the_defaults_say_is_what_they_are() -> None:
    clock = Clock()
    for make, given in (
        (GatewayHub, {"clock": clock, "entropy": ENTROPY}),
        (GatewayClient, {"clock": clock, "entropy": ENTROPY, "token": "x"}),
    ):
        told = {
            name: parameter.default
            for name, parameter in inspect.signature(make).parameters.items()
            if parameter.default is not parameter.empty and name not in ("clock", "entropy")
        }
        made: Any = make(**{**told, **given})
        assert state_of(made) == state_of(make(**given))


def state_of(made: GatewayHub | GatewayClient) -> object:
    """What can be seen of the settings from outside."""
    if isinstance(made, GatewayClient):
        made.start()
        handshake = made.handshake()
        made.opened()
        return handshake, made.deadline, made.save()
    link = made.link()
    link.requested("/gateway")
    upgrade = link.outputs()
    link.opened()
    return upgrade, link.deadline, link.outputs(), made.deadline, made.counts
