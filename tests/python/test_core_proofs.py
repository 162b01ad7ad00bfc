"""What must hold of every type of the extension: making and dropping it leaves nothing behind,
cycles are collected, threads and interpreters do not tread on each other.

KEDGE_TIMES=1000000 makes that many of each; so does nobody but a patient person.
"""

from __future__ import annotations

import copy
import gc
import importlib
import json
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kedge
import kedge.gateway
import pytest
from core_world import ENTROPY, Clock, World
from kedge import _core
from kedge._core import Connection, Log, Publication, Session, StateError, Watch
from test_core_values import VALUES

TIMES = int(os.environ.get("KEDGE_TIMES", "1500"))

CLOCK = Clock()


def named(ending: str) -> list[Any]:
    """The public types whose names end so."""
    return [
        type_
        for name, type_ in sorted(vars(_core).items())
        if isinstance(type_, type) and name.endswith(ending) and not name.startswith("_")
    ]


CLIENTS = named("Client")
HUBS = named("Hub")


def client_of(type_: Any) -> Any:
    return type_(token="x", clock=CLOCK, entropy=ENTROPY)


def hub_of(type_: Any) -> Any:
    return type_(clock=CLOCK, entropy=ENTROPY)


HELLO = b'{"type":"hello","d":{"heartbeat_interval":45000}}'


def log_with_entries() -> Log:
    log = Log()
    log.append(Publication("a", [1]), now=1.0)
    return log


def watch_with_messages() -> Watch:
    watch = Watch("gateway")
    watch.message("server", HELLO.decode(), now=1.0)
    watch.close("server", 1000, "x", now=2.0)
    return watch


def broken(call: Callable[[Any], object], argument: object) -> None:
    try:
        call(argument)
    except (TypeError, ValueError):
        return
    pytest.fail("it did not raise")


def makers() -> Iterator[Any]:
    """One way to make each type there is."""
    for value in VALUES:
        call, arguments = value.__reduce__()
        yield pytest.param(lambda c=call, a=arguments: c(*a), id=type(value).__name__)
    for type_ in CLIENTS:
        yield pytest.param(lambda t=type_: client_of(t), id=type_.__name__)
    for type_ in HUBS:
        yield pytest.param(lambda t=type_: hub_of(t), id=type_.__name__)
        hub = hub_of(type_)
        # It keeps them until they are finished.
        yield pytest.param(lambda h=hub: h.link().lost(), id=f"{type_.__name__}.link")
    yield pytest.param(lambda: Publication("a", {"b": [1, 2]}), id="Publication")
    yield pytest.param(lambda: list(log_with_entries()), id="Log")
    yield pytest.param(watch_with_messages, id="Watch")
    yield pytest.param(lambda: kedge.gateway.decode(HELLO).data, id="Envelope")
    yield pytest.param(lambda: kedge.gateway.encode("hello", {"a": 1}), id="encode")
    yield pytest.param(lambda: broken(kedge.gateway.decode, b'{"type":'), id="DecodeError")
    yield pytest.param(lambda: broken(hub_of, 5), id="TypeError")
    yield pytest.param(lambda: Session("id", "user"), id="Session")
    yield pytest.param(lambda: Connection.accept(clock=CLOCK), id="Connection.accept")
    yield pytest.param(
        lambda: Connection.open("a", "/", clock=CLOCK, entropy=ENTROPY), id="Connection.open"
    )


@pytest.mark.parametrize("make", list(makers()))
@pytest.mark.timeout(3600 if TIMES > 100_000 else 120)
def test_making_and_dropping_leaves_nothing(make: Callable[[], Any]) -> None:
    for _ in range(100):
        make()
    gc.collect()
    gc.freeze()  # what the other tests have left need not be looked at again
    tracemalloc.start()
    try:
        for _ in range(200):
            make()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(TIMES):
            make()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    # The smallest object that could be left each time is larger.
    assert grown < 16 * TIMES
    assert grown < 100_000


@pytest.mark.parametrize("type_", CLIENTS)
def test_a_client_in_a_cycle_with_its_context_is_collected(type_: Any) -> None:
    class Host:
        """Keeps the client that keeps it."""

    host: Any = Host()
    host.client = client_of(type_)
    host.client.context = host
    host.events = host.client.start()
    watches = [weakref.ref(host), weakref.ref(host.client)]
    del host
    gc.collect()
    assert [watch() for watch in watches] == [None, None]


@pytest.mark.parametrize("type_", HUBS)
def test_a_hub_in_a_cycle_with_its_wake_is_collected(type_: Any) -> None:
    def make() -> list[weakref.ref[Any]]:
        hub = hub_of(type_)
        link = hub.link(context=hub)
        hub.wake = lambda: (hub, link)
        return [weakref.ref(hub), weakref.ref(link)]

    watches = make()
    gc.collect()
    assert [watch() for watch in watches] == [None, None]


@pytest.mark.parametrize("type_", HUBS)
def test_an_instance_of_a_subclass_in_a_cycle_is_collected(type_: Any) -> None:
    mine = type("Mine", (type_,), {"wake": lambda self: None})
    hub = mine(clock=CLOCK)
    hub.me = [hub, hub.link(), Connection.accept(hub.link())]
    watches = [weakref.ref(hub), weakref.ref(mine)]
    del hub, mine
    gc.collect()
    assert [watch() for watch in watches] == [None, None]


def live_objects() -> list[Any]:
    hub = hub_of(HUBS[0])
    return [
        *[client_of(type_) for type_ in CLIENTS],
        *[hub_of(type_) for type_ in HUBS],
        hub.link(),
        Connection.accept(hub.link()),
    ]


@pytest.mark.parametrize("thing", live_objects(), ids=lambda thing: type(thing).__name__)
def test_what_is_alive_cannot_be_copied_and_says_so(thing: Any) -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="pickle"):
            attempt(thing)
    assert {thing: 1}[thing] == 1
    assert thing == thing
    assert weakref.ref(thing)() is thing


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_copied_by_its_fields(value: Any) -> None:
    for again in (copy.copy(value), copy.deepcopy(value)):
        assert again == value
        assert type(again) is type(value)


# ---- threads -------------------------------------------------------------------------------------


class Hammer:
    """Threads that do things to the same objects, as fast as the interpreter switches."""

    def __init__(self, *jobs: Callable[[int], object]) -> None:
        self.refused = 0
        self.broken: list[BaseException] = []
        self.barrier = threading.Barrier(len(jobs))
        self.threads = [threading.Thread(target=self.work, args=(job,)) for job in jobs]

    def work(self, job: Callable[[int], object]) -> None:
        self.barrier.wait()
        for turn in range(300):
            try:
                job(turn)
            except StateError as error:
                self.refused += "midst" in str(error)
            except BaseException as error:
                self.broken.append(error)

    def run(self) -> None:
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for thread in self.threads:
                thread.start()
            for thread in self.threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)


def test_threads_that_hammer_one_hub_break_nothing() -> None:
    world = World(topic_history=(10_000, 1 << 24, 600.0))
    wires = [world.join(f"user{n}") for n in range(3)]
    told: list[int] = []

    def publish(turn: int) -> None:
        told.append(world.hub.publish("news", "a", {"turn": turn}))

    def look(turn: int) -> None:
        assert world.hub.counts["links"] == 3
        assert len(world.hub.sessions()) == 3
        assert all(session.alive for session in world.hub.sessions(f"user{turn % 3}"))
        assert repr(world.hub)

    def come_and_go(turn: int) -> None:
        link = world.hub.link(context=turn)
        link.requested("/gateway")
        link.lost()

    def tick(turn: int) -> None:
        world.hub.tick()
        world.hub.ready()
        wires[turn % 3].link.tick()

    def follow(turn: int) -> None:
        session = wires[2].link.session
        assert session is not None
        world.hub.follow(session, f"other{turn % 7}")
        world.hub.unfollow(session, f"other{turn % 7}")

    # come_and_go's links count while they are there, so that look() comes without it.
    Hammer(publish, publish, look, tick, follow).run()
    hammer = Hammer(publish, come_and_go, tick, follow)
    hammer.run()
    assert hammer.broken == []
    assert told == [3] * 900
    world.run()
    seen: dict[int, list[int]] = {}
    for event in world.client_events:
        if isinstance(event, _core.Dispatch):
            seen.setdefault(event.seq, []).append(event.data["turn"])
    assert sorted(seen) == list(range(2, 902))
    assert all(len(turns) == 3 and len(set(turns)) == 1 for turns in seen.values())


def test_threads_that_hammer_one_client_break_nothing() -> None:
    world = World()
    wire = world.join()
    client = wire.client

    def receive(turn: int) -> None:
        client.receive('{"type":"a","seq":1,"d":{}}')

    def notify(turn: int) -> None:
        client.notify("typing", {"feed_id": turn})

    def look(turn: int) -> None:
        assert client.connection == 1
        assert client.save()
        assert client.deadline is not None
        assert repr(client)

    hammer = Hammer(receive, receive, notify, look, lambda turn: client.tick())
    hammer.run()
    assert hammer.broken == []
    assert client.counts["duplicates"] == 600
    sent = [json.loads(output.text)["d"]["feed_id"] for output in client.outputs()]
    assert sent == list(range(len(sent)))
    assert 100 < len(sent) <= 120  # as its rate allows


def test_threads_that_hammer_one_connection_break_nothing() -> None:
    connection = Connection.accept(clock=CLOCK)
    connection.receive(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    connection.upgrade()
    connection.output()
    assert connection.events() == [_core.Opened()]
    received: list[Any] = []
    frame = b"\x81\x81\x00\x00\x00\x00a"

    def receive(turn: int) -> None:
        received.extend(connection.receive(frame))

    def send(turn: int) -> None:
        connection.send("b")

    written: list[bytes] = []
    hammer = Hammer(receive, receive, send, lambda turn: written.append(connection.output(64)))
    hammer.run()
    assert hammer.broken == []
    assert received == [_core.Received("a")] * 600
    while connection.output_waiting:
        written.append(connection.output(64))
    assert b"".join(written) == b"\x81\x01b" * 300


def test_a_call_from_within_a_call_is_refused() -> None:
    """Objects that are made in a call may set off the collector, up to Python 3.11."""
    world = World()
    wire = world.join()
    said: list[object] = []

    class Nosy:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            for attempt in (wire.link.tick, world.hub.ready, lambda: world.hub.counts):
                try:
                    said.append(attempt())
                except StateError as error:
                    said.append(str(error))

    thresholds = gc.get_threshold()
    gc.collect()
    gc.set_threshold(1, 1, 1)
    try:
        for n in range(40):
            Nosy()
            wire.link.receive(f'{{"type":"typing","d":{{"feed_id":{n}}}}}')
    finally:
        gc.set_threshold(*thresholds)
        gc.collect()
    assert len(said) == 120
    assert all("midst" in refusal for refusal in said if isinstance(refusal, str))
    assert world.hub.counts["links"] == 1


# ---- interpreters and reloads --------------------------------------------------------------------

HERE = Path(__file__).parent

# Runs a source in several interpreters at once, a thread each; what they raise ends the process.
INTERPRETERS = """
import sys, threading
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

failed = []

def work():
    try:
        number = interpreters.create()
        error = interpreters.run_string(number, SOURCE)
        if error is not None:
            failed.append(error)
        interpreters.destroy(number)
    except BaseException as error:
        failed.append(error)

for turn in range(3):
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
sys.exit(str(failed) if failed else 0)
"""

CONVERSATION = f"""
import sys
sys.path[:] = {[str(HERE), *sys.path]!r}
import pickle
from core_world import World
from kedge import Status
world = World()
wires = [world.join(name) for name in ("ann", "bob")]
for n in range(50):
    world.hub.publish("news", "a", {{"n": n}})
world.run()
assert len(world.dispatches()) == 100
wires[0].cut()
event = world.client_events[-1]
assert event.cause is Status.LOST, event
assert pickle.loads(pickle.dumps(event)) == event
"""


def run_python(source: str) -> subprocess.CompletedProcess[str]:
    """Unmeasured: a tracer would be in each of its interpreters, and hold its objects."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, "-c", source],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_interpreters_beside_each_other_have_nothing_in_common() -> None:
    done = run_python(f"SOURCE = {CONVERSATION!r}\n{INTERPRETERS}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reload_leaves_the_module_as_it_is() -> None:
    before = {name: thing for name, thing in vars(_core).items() if not name.startswith("__")}
    assert importlib.reload(_core) is _core
    assert [name for name, thing in before.items() if vars(_core)[name] is not thing] == []


def test_a_second_import_leaves_the_objects_of_the_first_alone() -> None:
    program = """
    import gc, pickle, sys
    import kedge, kedge.gateway

    first, event = kedge, kedge.Dispatch("a", 1, b"[1]")
    hub = kedge.gateway.Hub()
    link = hub.link()
    for name in [name for name in sys.modules if name.partition(".")[0] == "kedge"]:
        del sys.modules[name]
    import kedge.gateway

    assert kedge is not first and kedge.Dispatch is not first.Dispatch
    assert kedge.Dispatch("a", 1, b"[1]") != event
    del first
    gc.collect()
    assert event.data == [1] and repr(event) and link.requested("/gateway") == []
    assert [type(output).__name__ for output in link.outputs()] == ["Upgrade"]
    try:
        hub.publish("a", kedge.Publication("b"))
    except TypeError as error:
        print(error)
    """
    done = run_python(textwrap.dedent(program))
    assert done.returncode == 0, done.stderr
    assert "name must be str" in done.stdout


def test_the_last_objects_may_outlive_the_module() -> None:
    """As at the end of a process, where modules go first."""
    program = """
    import kedge, kedge.gateway

    class Late:
        def __init__(self):
            self.hub = kedge.gateway.Hub()
            self.link = self.hub.link(context=self)
            self.event = kedge.Closed(cause="LOST")

        def __del__(self):
            print(self.link.lost(), self.event, self.hub.links())

    late = Late()
    late.me = late
    """
    done = run_python(textwrap.dedent(program))
    assert done.returncode == 0, done.stderr
    assert "Status.LOST" in done.stdout


def test_everything_public_is_reachable_from_the_package() -> None:
    assert kedge.Dispatch is _core.Dispatch
    assert all(getattr(kedge, name) is not None for name in kedge.__all__)
