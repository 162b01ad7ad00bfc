"""link.trace: every message and every end of a connection, both ways, as they are on the wire."""

from __future__ import annotations

import gc
import json
import sys
import weakref
from typing import Any

import kedge
import pytest
from core_world import ENTROPY, Clock, World
from kedge import gateway
from kedge._core import (
    Close,
    Connection,
    GatewayClient,
    GatewayHub,
    HubLink,
    Identify,
    Requested,
    Resume,
    StateError,
)
from kedge.transcript import Transcript, explain
from test_core_connection import Pair

Note = tuple[float, str, Any, str]


class Notes(list[Note]):
    """A trace that keeps what it was told."""

    def __call__(self, now: float, sender: str, message: Any, state: str) -> None:
        self.append((now, sender, message, state))

    @property
    def said(self) -> list[tuple[str, Any]]:
        """Who said what: the types of the messages."""
        found = []
        for _, sender, message, _ in self:
            if isinstance(message, str):
                message = json.loads(message)["type"]
            found.append((sender, message))
        return found


def traced_join(world: World, notes: Notes) -> Any:
    client = world.client()
    client.trace = notes
    client.start()
    return world.connect(client)


# ---- links ---------------------------------------------------------------------------------------

LOGIN = [("server", "hello"), ("client", "identify"), ("server", "ready")]


def test_a_client_tells_both_directions() -> None:
    world = World()
    notes = Notes()
    traced_join(world, notes)
    world.hub.publish("news", "event", {"n": 1})
    world.clock.pass_time(2.5)
    world.run()
    assert notes.said == [*LOGIN, ("server", "event")]
    times = [now for now, *_ in notes]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (1000.0, 1002.5)
    assert [state for *_, state in notes] == ["IDENTIFYING", "IDENTIFYING", "LIVE", "LIVE"]


def test_a_hub_traces_the_links_that_it_makes() -> None:
    world = World()
    notes = Notes()
    links = []

    def tracer(link: HubLink) -> Notes | None:
        links.append(link)
        return notes if len(links) == 1 else None

    assert world.hub.tracer is None
    world.hub.tracer = tracer
    assert world.hub.tracer is tracer
    wire = world.join()
    assert notes.said == LOGIN
    assert [state for *_, state in notes][-1] == "ACTIVE"
    wire.link.close(4000, "enough")
    world.run()
    assert notes[-1][1:3] == ("server", Close(4000, "enough"))
    other = world.join("bob")
    assert other.link.trace is None
    assert links == [wire.link, other.link]
    with pytest.raises(TypeError, match="tracer must be callable"):
        world.hub.tracer = 1
    world.hub.tracer = None
    world.join("cleo")
    assert len(links) == 2


def test_what_a_tracer_raises_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    raised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", raised.append)
    for tracer in (lambda link: 1 / 0, lambda link: 1):
        world.hub.tracer = tracer
        assert world.hub.link().trace is None
    assert [type(each.exc_value) for each in raised] == [ZeroDivisionError, TypeError]


def test_ends_are_told() -> None:
    for end, told in [
        (lambda client: client.peer_closed(4009, "gone"), ("server", Close(4009, "gone"))),
        (lambda client: client.peer_closed(), ("server", Close(1005))),
        (lambda client: client.host_closed(1009, "large"), ("client", Close(1009, "large"))),
        (lambda client: client.lost(), ("server", None)),
    ]:
        world = World()
        notes = Notes()
        wire = traced_join(world, notes)
        end(wire.client)
        assert notes.said[len(LOGIN) :][0] == told
    notes.clear()
    wire.client.lost()
    assert [message for _, _, message, _ in notes] in ([], [None])


def test_our_own_close_and_abort_are_told() -> None:
    world = World()
    notes = Notes()
    wire = traced_join(world, notes)
    wire.client.close(1000, "bye")
    wire.carry()
    assert ("client", Close(1000, "bye")) in notes.said


def test_a_close_for_silence_is_told() -> None:
    world = World(heartbeat_interval=10.0)
    notes = Notes()
    wire = traced_join(world, notes)
    for _ in range(6):
        world.clock.pass_time(10)
        wire.client.tick()
        wire.client.outputs()
    assert ("client", "heartbeat") in notes.said
    assert [each for each in notes.said if isinstance(each[1], Close)] == [
        ("client", Close(4007, notes.said[-1][1].reason))
    ]


def test_bytes_are_told_as_they_came() -> None:
    world = World()
    notes = Notes()
    wire = traced_join(world, notes)
    notes.clear()
    wire.client.receive(b"\x00\xff")
    assert notes[0][2] == b"\x00\xff"
    wire = traced_join(world, notes)
    notes.clear()
    wire.client.receive_text(b'{"type":"\xff"}')
    assert notes[0][2] == '{"type":"\udcff"}'


def test_compressed_messages_are_told_compressed() -> None:
    world = World()
    notes = Notes()
    client = world.client(compress=True)
    client.trace = notes
    client.start()
    world.connect(client)
    server = [message for _, sender, message, _ in notes if sender == "server"]
    assert all(isinstance(message, bytes) for message in server)
    lines = Transcript()
    for note in notes:
        lines(*note)
    steps = list(explain("gateway", lines.lines))
    assert [step.seen.name for step in steps] == ["hello", "identify", "ready"]
    assert not any(step.seen.broken for step in steps)


def test_a_trace_is_set_changed_and_taken_away() -> None:
    client = GatewayClient(token="t")
    assert client.trace is None
    first, second = Notes(), Notes()
    client.trace = first
    assert client.trace is first
    client.trace = second
    assert client.trace is second
    client.trace = None
    client.trace = None
    assert client.trace is None
    with pytest.raises(TypeError, match="trace must be callable"):
        client.trace = 1
    client.trace = second
    del client.trace
    assert client.trace is None


def test_it_may_change_itself_while_it_is_told() -> None:
    world = World()
    other = Notes()
    seen = []

    client = world.client()

    def trace(*note: Any) -> None:
        seen.append(note[1])
        client.trace = other if len(seen) == 2 else client.trace

    client.trace = trace
    client.start()
    world.connect(client)
    assert seen == ["server", "client"]
    assert [sender for sender, _ in other.said] == ["server"]
    client.trace = lambda *note: setattr(client, "trace", None)
    world.hub.publish("news", "event", {})
    world.run()
    assert client.trace is None


def test_what_it_raises_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    notes = []
    raised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", raised.append)

    def trace(*note: Any) -> None:
        notes.append(note)
        raise LookupError("no")

    client = world.client()
    client.trace = trace
    client.start()
    world.connect(client)
    assert len(notes) == 3
    assert [(type(each.exc_value), each.object) for each in raised] == [(LookupError, trace)] * 3


def test_an_exception_that_stands_is_kept() -> None:
    notes = Notes()
    client = GatewayClient(token="t", clock=Clock())
    client.trace = notes
    with pytest.raises(StateError):
        client.receive("x")
    assert [note[2] for note in notes] == ["x"]


def test_it_is_not_set_in_the_midst_of_a_call() -> None:
    """Up to Python 3.11 allocating may run finalizers there."""
    world = World()
    wire = traced_join(world, Notes())
    errors: list[BaseException] = []

    class Nosy:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            try:
                wire.client.trace = None
                wire.client.trace = Notes()
            except StateError as error:
                errors.append(error)

    threshold = gc.get_threshold()
    gc.collect()
    gc.set_threshold(1, 1, 1)
    try:
        for n in range(2, 60):
            Nosy()
            wire.client.receive(f'{{"type":"a","seq":{n},"d":"x{n}"}}')
            wire.client.trace = Notes()
    finally:
        gc.set_threshold(*threshold)
        gc.collect()
    assert all("midst" in str(error) for error in errors)


def test_a_link_and_its_trace_are_collected() -> None:
    class Trace(Notes):
        pass

    client = GatewayClient(token="t")
    trace = Trace()
    trace.append((0.0, "client", client, ""))
    client.trace = trace
    gone = weakref.ref(client)
    del client, trace
    gc.collect()
    assert gone() is None


# ---- beneath a Connection ------------------------------------------------------------------------


def pair_of(
    client_notes: Any, server_notes: Any, chunk: int | None, *, joined: bool, **options: Any
) -> tuple[Pair, GatewayHub]:
    clock = Clock()
    hub = GatewayHub(clock=clock, entropy=ENTROPY)
    client = GatewayClient(token="hunter2", clock=clock, entropy=ENTROPY, **options)
    client.trace = client_notes
    client.start()
    link = hub.link()
    link.trace = server_notes
    server = Connection.accept(None if joined else link, clock=clock)
    pair = Pair(server, Connection.open("example.org", link=client, clock=clock), chunk)

    def on_event(connection: Connection, event: Any) -> None:
        if isinstance(event, Requested):
            connection.join(link)
            pair.tell(connection, connection.events())
        if isinstance(event, Identify | Resume):
            pair.tell(connection, link.accept(event, user="ann", topics=["news"]))

    pair.on_event = on_event
    pair.run()
    return pair, hub


@pytest.mark.parametrize("joined", [False, True], ids=["accepted", "joined"])
@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_frames_are_told_as_messages(chunk: int | None, joined: bool) -> None:
    ours, theirs = Notes(), Notes()
    pair, hub = pair_of(ours, theirs, chunk, joined=joined)
    hub.publish("news", "event", {"text": "x" * 100_000})
    pair.run()
    pair.client.close(1000, "bye")
    pair.run()
    whole = [*LOGIN, ("server", "event"), ("client", Close(1000, "bye"))]
    assert ours.said[:5] == whole
    assert theirs.said[:5] == whole
    assert sorted(map(str, ours.said)) == sorted(map(str, theirs.said))
    assert [note[0] for note in ours] == [1000.0] * len(ours)


def test_compressed_frames_too() -> None:
    ours, theirs = Notes(), Notes()
    pair_of(ours, theirs, None, joined=False, compress=True)
    assert [note[2] for note in ours] == [note[2] for note in theirs]
    assert isinstance(ours[0][2], bytes)


def test_a_connection_that_breaks_is_told() -> None:
    ours, theirs = Notes(), Notes()
    pair, _ = pair_of(ours, theirs, None, joined=False)
    pair.client.lost()
    pair.client.lost()
    assert ours[-1][1:3] == ("server", None)
    assert [note[2] for note in ours].count(None) == 1


def test_what_is_no_frame_ends_the_trace() -> None:
    ours, theirs = Notes(), Notes()
    pair, _ = pair_of(ours, theirs, None, joined=False)
    pair.server.receive(b"\xff" * 10)
    told = len(theirs)
    pair.server.receive(b"\xff" * 10)
    assert len(theirs) == told
    pair.run()
    assert any(isinstance(note[2], Close) and note[1] == "server" for note in theirs)


def test_pings_are_no_messages() -> None:
    ours, theirs = Notes(), Notes()
    pair, _ = pair_of(ours, theirs, None, joined=False)
    told = len(ours)
    pair.client.receive(b"\x89\x00")
    assert len(ours) == told


def test_the_next_connection_is_told_too() -> None:
    ours = Notes()
    clock = Clock()
    hub = GatewayHub(clock=clock, entropy=ENTROPY)
    client = GatewayClient(token="t", clock=clock, entropy=ENTROPY)
    client.trace = ours
    client.start()
    for _ in range(2):
        link = hub.link()
        server = Connection.accept(link, clock=clock)
        pair = Pair(server, Connection.open("example.org", link=client, clock=clock))
        pair.run()
        assert ours.said[-2:] == LOGIN[:2]
        pair.tell(pair.client, pair.client.lost())
        clock.pass_time(120)
        client.tick()
    assert [each for _, each in ours.said].count(None) == 2


def test_a_trace_that_comes_late_hears_nothing_of_that_connection() -> None:
    late = Notes()
    pair, hub = pair_of(None, None, None, joined=False)
    (link,) = hub.links()
    link.trace = late
    hub.publish("news", "event", {})
    pair.run()
    assert late == []


# ---- tokens --------------------------------------------------------------------------------------


def test_no_token_is_in_a_transcript() -> None:
    transcripts = [Transcript(secrets=["nothing"]), Transcript()]
    pair, hub = pair_of(transcripts[0], transcripts[1], None, joined=True)
    hub.publish("news", "event", {"n": 1})
    pair.run()
    for transcript in transcripts:
        assert len(transcript.lines) == 4
        assert "hunter2" not in "".join(map(str, transcript.lines))
        assert not any(step.seen.broken for step in explain("gateway", transcript.lines))


async def test_on_asyncio(tmp_path: Any) -> None:
    hub = gateway.Hub()
    links: list[Any] = []

    async def handler(link: Any) -> None:
        links.append(link)
        async for event in link:
            if isinstance(event, Identify):
                link.accept(event, user="ann", topics=["news"])

    file = tmp_path / "talk.jsonl"
    server_side = Transcript()
    hub.tracer = lambda link: server_side
    async with kedge.serve(handler, "127.0.0.1", 0, hub=hub) as server:
        client = gateway.Client(token="hunter2")
        with Transcript(file) as transcript:
            client.trace = transcript
            async with kedge.connect(server.urls[0], client) as stream:
                async for event in stream:
                    if isinstance(event, kedge.Ready):
                        hub.publish("news", "event", {"n": 1})
                    if isinstance(event, kedge.Dispatch):
                        break
        said = file.read_text()
    assert "hunter2" not in said
    assert len(transcript.lines) >= 4
    assert [line.message for line in server_side.lines][:4] == [
        line.message for line in transcript.lines
    ][:4]
    steps = list(explain("gateway", transcript.lines))
    assert [step.seen.name for step in steps][:4] == ["hello", "identify", "ready", "event"]
    assert not any(step.seen.broken for step in steps)
