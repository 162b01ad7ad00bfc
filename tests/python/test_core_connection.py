"""Connections: handshake, frames and links over bytes that are cut anywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from core_world import ENTROPY, Clock, World
from kedge import _core
from kedge._core import (
    Attached,
    Close,
    Closed,
    Connect,
    Connection,
    Disconnected,
    Dispatch,
    GatewayClient,
    GatewayHub,
    HttpRequest,
    Identify,
    Message,
    Opened,
    Ready,
    Received,
    Refused,
    Requested,
    Resumed,
)


class Pair:
    """Two connections, a clock, and what each was told."""

    def __init__(self, server: Connection, client: Connection, chunk: int | None = None) -> None:
        self.server = server
        self.client = client
        self.chunk = chunk
        self.told: dict[Connection, list[Any]] = {server: [], client: []}
        self.on_event: Any = lambda connection, event: None

    def tell(self, connection: Connection, events: list[Any]) -> None:
        for event in events:
            self.told[connection].append(event)
            self.on_event(connection, event)

    def carry(self, source: Connection, target: Connection) -> bool:
        data = source.output()
        if not data:
            return False
        step = self.chunk or len(data)
        for start in range(0, len(data), step):
            self.tell(target, target.receive(data[start : start + step]))
        return True

    def run(self) -> None:
        while self.carry(self.client, self.server) | self.carry(self.server, self.client):
            pass

    def events_of(self, connection: Connection) -> list[Any]:
        events = self.told[connection][:]
        self.told[connection].clear()
        return events


def plain_pair(chunk: int | None = None, **options: Any) -> Pair:
    """A plain WebSocket that is open."""
    clock = Clock()
    server = Connection.accept(clock=clock, **options)
    client = Connection.open(
        "example.org",
        "/chat?x=1",
        headers=[
            ("Origin", "https://example.org"),
            (b"X-B\xc3\xa9".replace(b"\xc3\xa9", b"e"), b"1"),
        ],
        subprotocols=["chat", "other"],
        clock=clock,
        entropy=ENTROPY,
        **options,
    )
    pair = Pair(server, client, chunk)
    pair.run()
    (requested,) = pair.events_of(server)
    assert isinstance(requested, Requested)
    assert requested.target == "/chat?x=1"
    assert ("origin", "https://example.org") in requested.headers
    assert ("x-be", "1") in requested.headers
    assert requested.subprotocols == ("chat", "other")
    server.upgrade("chat", [("X-Server", "kedge")])
    pair.tell(server, server.events())
    pair.run()
    assert pair.events_of(server) == [Opened("chat")]
    assert pair.events_of(client) == [Opened("chat")]
    return pair


chunks = pytest.mark.parametrize("chunk", [None, 1, 7])


@chunks
def test_messages_go_both_ways(chunk: int | None) -> None:
    pair = plain_pair(chunk)
    messages: list[Any] = ["", "text ü", b"", b"\x00\xff", "x" * 70_000, b"y" * 70_000]
    for message in messages:
        pair.client.send(message)
        pair.server.send(message)
    pair.server.send(bytearray(b"a"))
    pair.server.send(memoryview(b"b"))
    pair.run()
    assert pair.events_of(pair.server) == [Received(message) for message in messages]
    assert pair.events_of(pair.client) == [Received(message) for message in [*messages, b"a", b"b"]]


@chunks
def test_a_close_is_answered_and_ends_both(chunk: int | None) -> None:
    pair = plain_pair(chunk)
    pair.client.close(4000, "bye")
    pair.run()
    (seen,) = pair.events_of(pair.server)
    assert isinstance(seen, Disconnected)
    assert (seen.code, seen.reason, seen.cause) == (4000, "bye", "PEER_CLOSED")
    assert (seen.sent, seen.received) == (4000, 4000)
    assert pair.server.finished
    pair.tell(pair.client, pair.client.lost())
    (seen,) = pair.events_of(pair.client)
    assert isinstance(seen, Disconnected)
    assert (seen.code, seen.sent, seen.received) == (4000, 4000, 4000)
    assert pair.client.finished
    assert pair.client.deadline is None


def test_a_broken_stream_is_told() -> None:
    pair = plain_pair()
    (seen,) = pair.server.lost()
    assert seen == Disconnected(None, "", "LOST")
    assert pair.server.finished
    assert pair.server.output() == b""
    assert pair.server.receive(b"more") == []


def test_a_buffer_that_may_change_is_unmasked_in_place() -> None:
    pair = plain_pair()
    pair.client.send("in place")
    buffer = bytearray(pair.client.output())
    before = bytes(buffer)
    assert pair.server.receive_buffer(buffer) == [Received("in place")]
    assert bytes(buffer) != before
    pair.client.send("again")
    data = pair.client.output()
    buffer = bytearray(1000)
    buffer[: len(data)] = data
    assert pair.server.receive_buffer(memoryview(buffer)[: len(data)]) == [Received("again")]
    for kind in (bytes, bytearray, memoryview):
        pair.client.send("untouched")
        given = kind(pair.client.output())
        before = bytes(given)
        assert pair.server.receive(given) == [Received("untouched")]
        assert bytes(given) == before
    with pytest.raises(BufferError):
        pair.server.receive_buffer(b"fixed")


def test_output_is_taken_in_pieces() -> None:
    pair = plain_pair()
    for n in range(200):
        pair.server.send(f"message {n}")
    assert pair.server.output_waiting
    assert pair.server.output(0) == b""
    data = b""
    while piece := pair.server.output(100):
        assert len(piece) <= 100
        data += piece
    assert not pair.server.output_waiting
    assert pair.client.receive(data) == [Received(f"message {n}") for n in range(200)]


def test_all_output_comes_at_once_if_it_fits() -> None:
    pair = plain_pair()
    for n in range(200):
        pair.server.send(f"message {n}")
    data = pair.server.output(1 << 20)
    assert pair.server.output() == b""
    assert len(pair.client.receive(data)) == 200


@pytest.mark.parametrize(
    ("data", "cause", "code"),
    [
        (b"\x81\x05hello", "FRAME_MASK_MISSING", 1002),
        (b"\x81\x82\0\0\0\0\xff\xfe", "UTF8_INVALID", 1007),
        (b"\x83\x80\0\0\0\0", "FRAME_OPCODE", 1002),
        (b"\x81\xff\x00\x00\x00\x00\x00\x20\x00\x00\0\0\0\0", "MESSAGE_TOO_LARGE", 1009),
    ],
)
def test_what_a_peer_does_wrong_is_told_and_never_raises(
    data: bytes, cause: str, code: int
) -> None:
    pair = plain_pair()
    events = pair.server.receive(data)
    assert pair.server.output()
    events += pair.server.lost()
    seen = events[-1]
    assert isinstance(seen, Disconnected)
    assert (seen.cause, seen.sent, seen.code) == (cause, code, code)


def test_http_is_answered_by_hand() -> None:
    server = Connection.accept()
    (request,) = server.receive(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
    assert request == HttpRequest("GET", "/health", (("host", "a"),))
    assert not server.reading_wanted
    server.answer(200, [("Content-Type", "text/plain")], b"well")
    answer = server.output()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Type: text/plain\r\n" in answer
    assert answer.endswith(b"\r\n\r\nwell")
    (seen,) = server.events() or server.lost()
    assert isinstance(seen, Disconnected)


def test_a_refused_upgrade_is_told_with_its_body() -> None:
    clock = Clock()
    pair = Pair(
        Connection.accept(clock=clock), Connection.open("a", "/", clock=clock, entropy=ENTROPY)
    )
    pair.run()
    pair.server.answer(403, {"X-Why": "no"}.items(), bytearray(b"go away"))
    pair.run()
    pair.tell(pair.client, pair.client.lost())
    refused, seen = pair.events_of(pair.client)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.body) == (403, b"go away")
    assert ("x-why", "no") in refused.headers
    assert isinstance(seen, Disconnected)
    assert seen.cause == "UPGRADE_REFUSED"


def test_time_outs_are_told_by_tick() -> None:
    clock = Clock()
    server = Connection.accept(clock=clock, handshake_timeout=3.0)
    assert server.deadline == clock.now + 3
    clock.pass_time(2.9)
    assert server.tick() == []
    clock.pass_time(0.1)
    (seen,) = server.tick()
    assert isinstance(seen, Disconnected)
    assert seen.cause == "TIMED_OUT"


def test_pings_find_a_dead_peer() -> None:
    pair = plain_pair(ping_interval=5.0, ping_timeout=2.0)
    clock = pair.server.clock
    assert isinstance(clock, Clock)
    clock.pass_time(5)
    pair.tell(pair.server, pair.server.tick())
    pair.tell(pair.client, pair.client.tick())
    pair.run()
    assert pair.events_of(pair.server) == []
    clock.pass_time(5)
    assert pair.server.tick() == []
    assert pair.server.output()
    clock.pass_time(2)
    seen = pair.server.tick()[-1]
    assert isinstance(seen, Disconnected)
    assert seen.cause == "TIMED_OUT"


# ---- with links ----


class Net:
    """A hub and a client over byte streams."""

    def __init__(self, chunk: int | None = None, *, join: bool = False, **options: Any) -> None:
        self.clock = Clock()
        self.chunk = chunk
        self.join = join
        self.hub = GatewayHub(clock=self.clock, entropy=ENTROPY)
        self.client = GatewayClient(token="token", clock=self.clock, entropy=ENTROPY, **options)
        self.client.start()

    def connect(self) -> Pair:
        client = Connection.open("example.org", link=self.client, entropy=ENTROPY)
        if self.join:
            server = Connection.accept(clock=self.clock)
        else:
            server = Connection.accept(self.hub.link())
        pair = Pair(server, client, self.chunk)
        pair.on_event = self.handle
        pair.run()
        return pair

    def handle(self, connection: Connection, event: Any) -> None:
        if isinstance(event, Requested):
            connection.join(self.hub.link())
        if isinstance(event, Identify | _core.Resume):
            assert connection.link is not None
            assert isinstance(connection.link, _core.HubLink)
            connection.link.accept(event, user="ann", topics=["news"])


@chunks
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "zstd"])
@pytest.mark.parametrize("join", [False, True], ids=["link", "join"])
def test_the_whole_way_over_bytes(chunk: int | None, compress: bool, join: bool) -> None:
    net = Net(chunk, join=join, compress=compress)
    pair = net.connect()
    assert pair.client.link is net.client
    assert pair.client.clock is net.clock
    opened, ready = pair.events_of(pair.client)
    assert opened == Opened()
    assert isinstance(ready, Ready)
    pair.events_of(pair.server)
    for n in range(20):
        net.hub.publish("news", "a", {"n": n})
    net.client.notify("typing", {"feed_id": 1})
    pair.run()
    assert pair.events_of(pair.server) == [Message("typing", True, b'{"feed_id":1}')]
    events = pair.events_of(pair.client)
    assert [(e.seq, e.data) for e in events] == [(n + 2, {"n": n}) for n in range(20)]
    assert all(json.loads(bytes(e.raw))["d"] == e.data for e in events)


@chunks
def test_a_cut_stream_is_resumed_over_another(chunk: int | None) -> None:
    net = Net(chunk)
    pair = net.connect()
    link = pair.server.link
    pair.events_of(pair.client)
    for n in range(10):
        net.hub.publish("news", "a", n)
    half = pair.server.output()[:100]
    events = [e for e in pair.client.receive(half) if isinstance(e, Dispatch)]
    pair.tell(pair.server, pair.server.lost())
    assert isinstance(pair.events_of(pair.server)[-1], Disconnected)
    assert isinstance(link, _core.HubLink)
    assert link.finished
    assert net.hub.links() == []
    closed, seen = pair.client.lost()
    assert isinstance(closed, Closed)
    assert isinstance(seen, Disconnected)
    net.clock.now = net.client.deadline or 0.0
    assert net.client.tick() == [Connect(2, True)]
    again = net.connect()
    events += [e for e in again.events_of(again.client) if isinstance(e, Dispatch | Resumed)]
    assert isinstance(events.pop(), Resumed)
    assert [(e.seq, e.data) for e in events] == [(n + 2, n) for n in range(10)]


def test_the_hub_tells_what_waits_for_a_connection() -> None:
    net = Net()
    pair = net.connect()
    pair.events_of(pair.client)
    net.hub.ready()
    rung: list[int] = []
    net.hub.wake = lambda: rung.append(1)
    net.hub.publish("news", "a")
    assert rung == [1]
    assert net.hub.ready() == [pair.server.link]
    assert pair.server.output_waiting
    pair.run()
    assert pair.events_of(pair.client) == [Dispatch("a", 2)]


def test_the_deadline_of_a_connection_is_its_hubs() -> None:
    hub = GatewayHub(clock=Clock())
    link = hub.link()
    connection = Connection.accept(link, handshake_timeout=3.0)
    connection.events()
    assert hub.deadline == 1003.0
    clock = hub.clock
    assert isinstance(clock, Clock)
    clock.pass_time(3)
    assert hub.ready() == [link]
    events = connection.events()
    assert isinstance(events[-1], Disconnected)
    assert connection.output().startswith(b"HTTP/1.1 408 ")
    connection.lost()
    assert connection.finished


def test_a_connection_that_is_dropped_leaves_its_session_detached() -> None:
    net = Net()
    pair = net.connect()
    (session,) = net.hub.sessions()
    assert session.attached
    del pair
    assert net.hub.links() == []
    assert session.alive
    assert not session.attached
    assert net.hub.counts["links"] == 0


def test_a_links_output_belongs_to_its_connection() -> None:
    net = Net()
    pair = net.connect()
    assert pair.server.link is not None
    with pytest.raises(_core.StateError, match="Connection's"):
        pair.server.link.outputs()
    with pytest.raises(_core.StateError, match="Connection's"):
        net.client.outputs()


def test_a_connection_that_was_not_made_leaves_its_link_to_the_hub() -> None:
    hub = GatewayHub(clock=Clock())
    with pytest.raises(_core.ArgumentError):
        Connection.accept(hub.link(), head_limit=0)
    assert len(hub.links()) == 1


def test_stopping_the_hub_closes_the_stream() -> None:
    net = Net()
    pair = net.connect()
    pair.events_of(pair.client)
    net.hub.stop()
    pair.tell(pair.server, pair.server.events())
    pair.run()
    closed = pair.events_of(pair.client)[0]
    assert isinstance(closed, Closed)
    assert closed.code == 4008


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: Connection(), TypeError),
        (lambda: Connection.accept(5), TypeError),
        (lambda: Connection.accept(GatewayClient(token="x")), TypeError),
        (lambda: Connection.accept(head_limit=0), _core.ArgumentError),
        (lambda: Connection.accept(clock=5), TypeError),
        (lambda: Connection.open("a", "/", link=GatewayHub().link()), TypeError),
        (lambda: Connection.open("a", "", link=GatewayClient(token="x")), _core.StateError),
        (lambda: Connection.open("a\r\nb", "/"), _core.ArgumentError),
        (lambda: Connection.open("a", "/", headers=[("a",)]), _core.ArgumentError),
        (lambda: Connection.open("a", "/", headers=[(5, "a")]), TypeError),
        (lambda: Connection.open("a", "/", headers=[("a", "b")] * 101), _core.ArgumentError),
        (lambda: Connection.open("a", "/", headers=5), TypeError),
        (lambda: Connection.open("a", "/", subprotocols="chat"), TypeError),
        (lambda: Connection.open("a", "/", entropy=b""), _core.ArgumentError),
        (lambda: Connection.accept().send("early"), _core.StateError),
        (lambda: Connection.accept().upgrade(), _core.StateError),
        (lambda: Connection.accept().answer(200), _core.StateError),
        (lambda: Connection.accept().close(), _core.StateError),
        (lambda: Connection.accept().join(GatewayHub().link()), _core.StateError),
        (lambda: Connection.accept().join("link"), TypeError),
        (
            lambda: Connection.accept(GatewayHub().link()).join(GatewayHub().link()),
            _core.StateError,
        ),
        (lambda: Connection.accept().receive("text"), TypeError),
        (lambda: Connection.accept().output(-1), _core.ArgumentError),
        (lambda: plain_pair().server.send("\ud800"), _core.ArgumentError),
        (lambda: plain_pair().server.send(5), TypeError),
        (lambda: plain_pair().server.close(5), _core.ArgumentError),
        (lambda: plain_pair().server.close(1000, "x" * 124), _core.ArgumentError),
        (lambda: plain_pair(queue_limit=10).server.send(b"x" * 100), _core.LimitError),
    ],
)
def test_mistakes_raise(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_a_world_without_bytes_needs_no_connection() -> None:
    world = World()
    wire = world.join()
    assert isinstance(world.server_events[-1], Attached)
    wire.link.stop()
    assert wire.link.outputs()[-1] == Close(4008, "server is restarting")
