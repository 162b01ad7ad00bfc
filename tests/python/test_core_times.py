"""Times in seconds and in nanoseconds: each call takes either, not both."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import kedge
import pytest
from core_world import ENTROPY, Clock, World, live_client
from kedge import _core
from kedge._core import Connection, Gap, GatewayClient, GatewayHub, Publication


def callables() -> Iterator[tuple[str, Any]]:
    """All methods and constructors of the extension that have a text signature."""
    for type_name, type_ in sorted(vars(_core).items()):
        if not isinstance(type_, type) or issubclass(type_, BaseException):
            continue
        for name, method in [("", type_), *vars(type_).items()]:
            if callable(method) and not name.startswith("_"):
                yield f"{type_name}.{name}", method


def parameters(method: Any) -> list[str]:
    try:
        return list(inspect.signature(method).parameters)
    except ValueError:
        return []


TIMED = [(name, method) for name, method in callables() if "now" in parameters(method)]


def test_whatever_takes_a_time_takes_it_either_way() -> None:
    assert len(TIMED) > 60
    other = [name for name, method in TIMED if parameters(method)[-2:] != ["now", "now_ns"]]
    assert other == []


def test_both_at_once_are_refused() -> None:
    world = World()
    wire = world.join()
    plain = Connection.accept(clock=Clock())
    for call in (
        wire.link.tick,
        wire.client.tick,
        world.hub.tick,
        plain.tick,
        lambda **time: GatewayHub(**time),
        lambda **time: GatewayClient(token="x", **time),
        lambda **time: Connection.accept(**time),
        lambda **time: world.hub.publish("news", "a", **time),
    ):
        with pytest.raises(kedge.ArgumentError, match="now and now_ns are one time"):
            call(now=2000.0, now_ns=2_000_000_000_000)


@pytest.mark.parametrize("wrong", [-1, 2**64, 2**64 - 1])
def test_what_is_no_time_is_refused(wrong: int) -> None:
    with pytest.raises(kedge.ArgumentError, match="now_ns is"):
        live_client().tick(now_ns=wrong)
    with pytest.raises(TypeError, match="integer"):
        live_client().tick(now_ns=1.5)


def test_a_time_in_nanoseconds_is_exact() -> None:
    start = 9_007_199_254_740_993  # no float has it
    client = GatewayClient(token="x", entropy=ENTROPY, now_ns=start, hello_timeout=30.0)
    client.start(now_ns=start)
    client.handshake(now_ns=start)
    client.opened(now_ns=start)
    assert client.deadline_ns == start + 30_000_000_000
    assert client.deadline is not None
    assert client.deadline >= client.deadline_ns / 1e9
    assert client.tick(now_ns=client.deadline_ns - 1) == []
    assert client.tick(now_ns=client.deadline_ns) != []


def test_deadlines_are_told_either_way() -> None:
    world = World()
    wire = world.join()
    plain = Connection.accept(clock=Clock(5.0))
    for thing in (wire.client, wire.link, world.hub, plain):
        assert thing.deadline is not None
        assert thing.deadline_ns is not None
        assert abs(thing.deadline * 1e9 - thing.deadline_ns) < 1000
    assert plain.deadline_ns == 15_000_000_000
    idle = GatewayClient(token="x", clock=Clock())
    assert (idle.deadline, idle.deadline_ns) == (None, None)


def test_seconds_may_be_int_or_float_alike() -> None:
    answers = []
    for now in (7, 7.0):
        connection = Connection.accept(now=now)
        answers.append((connection.deadline, connection.deadline_ns))
    assert answers[0] == answers[1] == (17.0, 17_000_000_000)


def test_a_connection_takes_nanoseconds_everywhere() -> None:
    connection = Connection.accept(now_ns=1)
    connection.receive(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        now_ns=2,
    )
    connection.upgrade(now_ns=3)
    assert connection.output(now_ns=4).startswith(b"HTTP/1.1 101 ")
    assert connection.events(now_ns=5) == [_core.Opened()]
    connection.send("a", now_ns=6)
    assert connection.receive_buffer(bytearray(b"\x81\x81\0\0\0\0a"), now_ns=7) == [
        _core.Received("a")
    ]
    connection.close(now_ns=8)
    assert connection.deadline_ns is not None
    assert isinstance(connection.lost(now_ns=9)[-1], _core.Disconnected)


def test_values_that_have_no_time_take_none() -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        Gap(1, 2, now_ns=1)
    with pytest.raises(TypeError, match="unexpected keyword"):
        Publication("a", now_ns=1)
