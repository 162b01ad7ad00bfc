"""A hub and clients in one place, over messages, with a clock that moves only when told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from kedge import _core
from kedge._core import (
    Abort,
    Attached,
    Binary,
    Close,
    Connect,
    Event,
    GatewayClient,
    GatewayHub,
    HubLink,
    Identify,
    Ready,
    Resume,
    Text,
    Upgrade,
)

ENTROPY = bytes(range(32))


class Clock:
    """A monotonic clock that stands still; a number of seconds is added to it by hand."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


class Wire:
    """One connection between a client and a hub: carries messages until it is cut."""

    def __init__(self, world: World, client: GatewayClient, link: HubLink) -> None:
        self.world = world
        self.client = client
        self.link = link
        self.cut_off = False

    def carry(self) -> bool:
        """Carries what both have to say; tells whether there was anything."""
        if self.cut_off:
            return False
        to_client = self.link.outputs()
        to_link = self.client.outputs()
        for output in to_client:
            self.world.tell_client(self.client, feed(self.client, output))
        for output in to_link:
            self.world.tell_server(self.link, feed(self.link, output))
        return bool(to_client or to_link)

    def cut(self) -> None:
        self.cut_off = True
        self.world.tell_server(self.link, self.link.lost())
        self.world.tell_client(self.client, self.client.lost())


def feed(target: Any, output: object) -> list[Event]:
    """Hands one side's output to the other, as a host library would."""
    match output:
        case Text():
            events = target.receive(output.text)
        case Binary(data=data):
            events = target.receive(data)
        case Close(code=code, reason=reason):
            events = target.peer_closed(code, reason)
        case Abort():
            events = target.lost()
        case _:
            raise AssertionError(f"not to be carried: {output!r}")
    assert isinstance(events, list)
    return events


class World:
    """A hub whose application lets in who has the token "token-of-NAME", and any clients."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.hub = GatewayHub(clock=self.clock, entropy=ENTROPY, **options)
        self.server_events: list[Event] = []
        self.client_events: list[Event] = []
        self.wires: list[Wire] = []
        self.topics: tuple[str, ...] = ("news",)
        self.members: dict[str, Any] | None = None
        self.decide: Callable[[HubLink, Identify | Resume], list[Event]] = self.accept

    def accept(self, link: HubLink, question: Identify | Resume) -> list[Event]:
        user = question.token.removeprefix("token-of-")
        if user == question.token:
            return link.refuse(question)
        return link.accept(question, user=user, topics=self.topics, members=self.members)

    def client(self, user: str = "ann", **options: Any) -> GatewayClient:
        options.setdefault("token", f"token-of-{user}")
        return GatewayClient(clock=self.clock, entropy=ENTROPY, **options)

    def connect(self, client: GatewayClient) -> Wire:
        """Begins a connection, in answer to Connect, and carries the first messages."""
        for wire in self.wires:
            wire.cut_off = wire.cut_off or wire.client is client
        wanted = client.handshake()
        link = self.hub.link()
        self.tell_server(link, link.requested(wanted.target, wanted.headers))
        (upgrade,) = link.outputs()
        assert isinstance(upgrade, Upgrade)
        self.tell_server(link, link.opened())
        self.tell_client(client, client.opened())
        wire = Wire(self, client, link)
        self.wires.append(wire)
        self.run()
        return wire

    def join(self, user: str = "ann", **options: Any) -> Wire:
        """A new client that is connected and has a session."""
        client = self.client(user, **options)
        assert client.start() == [Connect(1)]
        wire = self.connect(client)
        assert wire.link.session is not None
        return wire

    def run(self) -> None:
        """Carries messages until nobody has anything to say."""
        carried = True
        while carried:
            carried = False
            for wire in self.wires:
                carried = wire.carry() or carried
            for link in self.hub.ready():
                self.tell_server(link, link.events())

    def tell_server(self, link: HubLink, events: Iterable[Event]) -> None:
        for event in events:
            self.server_events.append(event)
            if isinstance(event, Identify | Resume):
                self.tell_server(link, self.decide(link, event))

    def tell_client(self, client: GatewayClient, events: Iterable[Event]) -> None:
        del client
        self.client_events.extend(events)

    def dispatches(self) -> list[tuple[int, Any]]:
        """What clients were told, since the last call, as (seq, data)."""
        found = [(e.seq, e.data) for e in self.client_events if isinstance(e, _core.Dispatch)]
        self.client_events.clear()
        return found

    def attached(self) -> list[Attached]:
        return [event for event in self.server_events if isinstance(event, Attached)]


def live_client(**options: Any) -> GatewayClient:
    """A client that has its session, by messages written by hand."""
    client = GatewayClient(token="secret", clock=Clock(), entropy=ENTROPY, **options)
    client.start()
    client.handshake()
    assert client.opened() == []
    assert client.receive('{"type":"hello","d":{"heartbeat_interval":45000}}') == []
    (login,) = client.outputs()
    assert isinstance(login, Text)
    assert json.loads(login.text)["d"]["token"] == "secret"
    ready = client.receive('{"type":"ready","seq":1,"d":{"session_id":"abc"}}')
    assert ready == [Ready("abc", 1, b'{"session_id":"abc"}')]
    return client
