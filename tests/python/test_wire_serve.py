"""Wire.serve: one event for many links is written past their connections, as frames."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import kedge
import pytest
from kedge import Attached, Identify
from kedge._core import HubLink, Text, Wire
from kedge.gateway import Hub
from kedge.websocket import Connection, Requested

LINKS = 40  # telling fewer is not put off, and they are looked at one by one
BUFFER = memoryview(bytearray(1 << 12))
REQUEST = (
    b"GET /gateway HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(message: dict[str, Any]) -> bytes:
    """A client's; its mask changes nothing."""
    text = json.dumps(message).encode()
    assert len(text) < 126
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


class Transport:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.dropped = False
        self.on_write: Callable[[], object] = lambda: None

    def write(self, data: bytes) -> None:
        on_write, self.on_write = self.on_write, lambda: None
        on_write()
        self.written.append(data)

    def abort(self) -> None:
        self.dropped = True

    def call_soon(self, callback: Callable[[], object]) -> object:
        """It is its own loop, on which a turn ends at once."""
        callback()
        return self

    def take(self) -> list[Any]:
        """The events that came since the last time."""
        data, found = b"".join(self.written), []
        self.written.clear()
        while data:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            assert data[0] == 0x81
            found.append(json.loads(data[start : start + size]))
            data = data[start + size :]
        return found


class Plain(Wire):
    """A wire of one link of a hub."""

    def __init__(self, hub: Hub, name: str) -> None:
        super().__init__(BUFFER)
        self.tells_written = False
        self.told_written = 0
        self.hub = hub
        self.name = name
        self.link: HubLink = hub.link()
        self.out = Transport()
        self._attach(Connection.accept(clock=hub.clock), self.out, self.out)  # type: ignore[arg-type]
        self.read(REQUEST)
        self.out.written.clear()
        self.read(frame({"type": "identify", "d": {"token": "t", "protocol_version": 1}}))
        self.flush()
        self.out.take()

    def read(self, data: bytes) -> None:
        BUFFER[: len(data)] = data
        self.buffer_updated(len(data))

    def say(self, name: str, payload: Any) -> None:
        """An event for its session alone."""
        assert self.link.session is not None
        self.hub.send(self.link.session, name, payload)

    def _deliver(self, events: Sequence[Any]) -> None:
        for event in events:
            if isinstance(event, Requested):
                self.connection.join(self.link)
            elif isinstance(event, Identify):
                (attached,) = self.link.accept(event, user=self.name, topics=["news"])
                assert isinstance(attached, Attached)

    def _written(self) -> None:
        self.told_written += 1

    def _set_alarm(self, deadline: float | None) -> None:
        """The hub keeps the time."""


class World:
    """Many who have read everything."""

    def __init__(self, tracer: Callable[[HubLink], Callable[..., object]] | None = None) -> None:
        self.hub = Hub(heartbeat_interval=3600.0)
        self.hub.tracer = tracer
        self.wires = [Plain(self.hub, f"user {number}") for number in range(LINKS)]
        assert Wire.serve(self.hub) == []
        self.count = 0

    def publish(self) -> None:
        self.count += 1
        assert self.hub.publish("news", "note", self.count) == LINKS

    def take(self, number: int) -> list[int]:
        return [event["d"] for event in self.wires[number].out.take()]


@pytest.fixture
def world() -> World:
    return World()


def test_an_event_is_one_frame_for_all_who_count_alike(world: World) -> None:
    world.publish()
    assert Wire.serve(world.hub) == []
    first = world.wires[0].out.written
    assert first == [b'\x81\x1d{"seq":2,"type":"note","d":1}']
    for wire in world.wires:
        assert wire.out.written == first
    assert len({id(wire.out.written[0]) for wire in world.wires}) == 2, "a frame for each batch"
    assert Wire.serve(world.hub) == []
    assert world.take(0) == [1]


def test_each_gets_its_own_number(world: World) -> None:
    for number in range(0, LINKS, 3):
        world.wires[number].say("own", None)
    assert Wire.serve(world.hub) == []
    for wire in world.wires:
        wire.out.take()
    world.publish()
    assert Wire.serve(world.hub) == []
    for number, wire in enumerate(world.wires):
        assert [event["seq"] for event in wire.out.take()] == [3 if number % 3 == 0 else 2]


def test_who_takes_nothing_gets_it_later(world: World) -> None:
    slow = world.wires[5]
    slow.pause_writing()
    world.publish()
    assert Wire.serve(world.hub) == []
    assert world.take(4) == [1]
    assert world.take(5) == []
    world.publish()
    assert Wire.serve(world.hub) == []
    assert world.take(5) == []
    slow.resume_writing()
    assert world.take(5) == [1, 2]
    world.publish()
    assert Wire.serve(world.hub) == []
    assert world.take(5) == [3]


def test_who_is_full_by_an_event_is_held_back(world: World) -> None:
    slow = world.wires[5]
    slow.out.on_write = slow.pause_writing
    for _ in range(3):
        world.publish()
        assert Wire.serve(world.hub) == []
    assert world.take(5) == [1]
    slow.resume_writing()
    assert world.take(5) == [2, 3]


def test_who_is_looked_at_in_the_midst_keeps_the_order(world: World) -> None:
    later = world.wires[1]

    def act() -> None:
        later.say("note", 77)
        assert later.held
        later.look()
        later.flush()

    world.wires[0].out.on_write = act
    world.publish()
    assert Wire.serve(world.hub) == []
    assert not later.held
    assert world.take(1) == [1, 77]
    world.publish()
    assert Wire.serve(world.hub) == []
    assert world.take(1) == [2]


def test_who_is_gone_in_the_midst_gets_nothing(world: World) -> None:
    world.wires[0].out.on_write = world.wires[1]._detach
    world.publish()
    assert Wire.serve(world.hub) == []
    assert world.take(1) == []
    assert world.take(2) == [1]
    world.publish()
    assert world.wires[1].link in Wire.serve(world.hub)


def test_who_fails_costs_the_others_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    def fail() -> None:
        raise OSError("as it should")

    world.wires[3].out.on_write = fail
    world.publish()
    assert Wire.serve(world.hub) == []
    assert [str(one.exc_value) for one in told] == ["as it should"]
    assert [world.take(number) for number in (2, 3, 4)] == [[1], [], [1]]
    assert world.wires[3].out.dropped, "it would read the next event in place of the lost one"


def test_an_interrupt_comes_after_the_frames_that_were_taken(world: World) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    world.wires[3].out.on_write = interrupt
    world.wires[4].out.on_write = interrupt
    world.publish()
    with pytest.raises(KeyboardInterrupt):
        Wire.serve(world.hub)
    assert world.take(31) == [1]
    assert world.take(32) == []
    assert Wire.serve(world.hub) == []
    assert world.take(32) == [1]


def test_who_looks_on_sees_it() -> None:
    seen: list[Any] = []

    def tracer(link: HubLink) -> Callable[..., object]:
        return lambda now, sender, message, state: seen.append((sender, message))

    world = World(tracer)
    seen.clear()
    world.publish()
    assert Wire.serve(world.hub) == []
    assert seen == [("server", '{"seq":2,"type":"note","d":1}')] * LINKS


def test_who_wants_to_know_of_room_is_told(world: World) -> None:
    world.wires[2].tells_written = True
    world.publish()
    assert Wire.serve(world.hub) == []
    assert world.wires[2].told_written == 1
    assert world.wires[3].told_written == 0


def test_who_has_more_to_say_is_looked_at(world: World) -> None:
    world.wires[2].link.receive_text(b'{"type":"heartbeat","d":0}')
    world.publish()
    assert Wire.serve(world.hub) == []
    assert [event["type"] for event in world.wires[2].out.take()] == ["heartbeat_ack", "note"]


def test_a_link_of_the_hub_may_have_no_wire(world: World) -> None:
    link = world.hub.link()
    link.close(1000)
    world.publish()
    assert Wire.serve(world.hub) == [link]
    assert world.take(39) == [1]


def test_a_link_that_is_asked_for_its_outputs_needs_no_wire(world: World) -> None:
    link = world.hub.link()
    link.requested("/gateway")
    link.outputs()
    link.opened()
    text = b'{"type":"identify","d":{"token":"t","protocol_version":1}}'
    (identify,) = link.receive_text(text)
    assert isinstance(identify, Identify)
    link.accept(identify, user="by itself", topics=["news"])
    assert len(link.outputs()) == 2
    for number in range(2, 5):
        assert world.hub.publish("news", "note", number) == LINKS + 1
        assert Wire.serve(world.hub) == [link]
        note = b'{"seq":%d,"type":"note","d":%d}' % (number, number)
        assert link.outputs() == [Text(note)]
        assert world.take(39) == [number]


def test_a_hub_that_is_busy_serves_nobody(world: World) -> None:
    def act() -> None:
        assert Wire.serve(world.hub) == []

    world.wires[0].out.on_write = act
    world.publish()
    assert Wire.serve(world.hub) == []
    for number in range(LINKS):
        assert world.take(number) == [1]


def test_what_is_no_hub_is_refused() -> None:
    with pytest.raises(TypeError, match="takes a hub"):
        Wire.serve(1)  # type: ignore[arg-type]
    hub = Hub.__new__(Hub)
    with pytest.raises(kedge.StateError, match="__init__"):
        Wire.serve(hub)
