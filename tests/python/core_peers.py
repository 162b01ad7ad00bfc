"""A hub of any protocol and clients of it in one place, over messages, on a clock set by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from core_world import ENTROPY, Clock, feed
from kedge import blobhub, flowlayer, gateway, messaging
from kedge._core import (
    Connect,
    Credentials,
    Decline,
    Event,
    HubLink,
    Identify,
    Outcome,
    Request,
    Resume,
    Snapshot,
    Upgrade,
)

MODULES: dict[str, Any] = {
    "gateway": gateway,
    "flowlayer": flowlayer,
    "messaging": messaging,
    "blobhub": blobhub,
}
WALL = 1_700_000_000

_E = TypeVar("_E", bound=Event)


class Peer:
    """One client, the connection that it has, and what both sides were told."""

    def __init__(self, peers: Peers, client: Any) -> None:
        self.peers = peers
        self.client = client
        self.link: HubLink | None = None
        self.told: list[Event] = []
        self.asked: list[Event] = []
        self.slow = False

    @property
    def server(self) -> HubLink:
        assert self.link is not None
        return self.link

    def carry(self) -> bool:
        """Carries what both have to say; tells whether there was anything."""
        if self.link is None:
            return False
        link = self.link
        to_client = [] if self.slow else link.outputs()
        to_link = self.client.outputs()
        for output in to_client:
            self.told += feed(self.client, output)
        for output in to_link:
            self.hear(feed(link, output))
        return bool(to_client or to_link)

    def hear(self, events: Iterable[Event]) -> None:
        """The server's application is told something; it answers who asks who they are."""
        for event in events:
            self.asked.append(event)
            if isinstance(event, Credentials | Identify | Resume):
                self.hear(self.peers.decide(self.server, event))
            elif isinstance(event, Snapshot):
                self.hear(self.server.reply(event, self.peers.snapshot))

    def connect(self) -> None:
        """A connection, in answer to Connect; declined, the client is told."""
        assert isinstance(self.told[-1], Connect), self.told
        wish = self.client.handshake()
        self.link = self.peers.hub.link()
        headers = [*wish.headers, *(("Sec-WebSocket-Protocol", name) for name in wish.subprotocols)]
        self.hear(self.link.requested(wish.target, headers))
        (answer,) = self.link.outputs()
        if isinstance(answer, Decline):
            self.link = None
            self.told += self.client.connect_failed(answer.status)
            return
        assert isinstance(answer, Upgrade)
        self.hear(self.link.opened())
        self.told += self.client.opened()
        self.peers.run()

    def cut(self) -> None:
        """The connection breaks; both sides are told."""
        link = self.server
        self.link = None
        self.asked += link.lost()
        self.told += self.client.lost()

    def come_back(self) -> None:
        """Waits for the back-off and connects."""
        assert self.client.deadline is not None
        self.peers.clock.now = max(self.peers.clock.now, self.client.deadline)
        self.told += self.client.tick()
        self.connect()

    def take(self, kind: type[_E]) -> list[_E]:
        """What the client was told of a kind since the last call; all else is forgotten."""
        found = [event for event in self.told if isinstance(event, kind)]
        self.told.clear()
        return found

    def question(self) -> Request:
        """The latest request of the client's."""
        found = [event for event in self.asked if isinstance(event, Request)]
        return found[-1]

    def outcome(self) -> Outcome:
        """The one that the client was told since the last call."""
        (outcome,) = self.take(Outcome)
        return outcome


class Peers:
    """A server that lets in who has the token "token-of-NAME", and its clients."""

    def __init__(self, protocol: str, **options: Any) -> None:
        self.clock = Clock()
        self.module = MODULES[protocol]
        self.hub: Any = self.module.Hub(
            clock=self.clock, entropy=ENTROPY, wall=WALL, now=self.clock.now, **options
        )
        self.peers: list[Peer] = []
        self.snapshot: Any = {"services": []}
        self.answer: dict[str, Any] = {}
        self.decide: Callable[[HubLink, Any], list[Event]] = self.accept

    def accept(self, link: HubLink, question: Any) -> list[Event]:
        secret = question.secret if isinstance(question, Credentials) else question.token
        user = secret.removeprefix("token-of-")
        if user == secret:
            return link.refuse(question)
        return link.accept(question, user=user, **self.answer)

    def client(self, user: str = "ann", **options: Any) -> Peer:
        """A client that asked to Connect."""
        options.setdefault("token", f"token-of-{user}")
        options.setdefault("wall", WALL)
        made = self.module.Client(clock=self.clock, entropy=ENTROPY, **options)
        peer = Peer(self, made)
        self.peers.append(peer)
        peer.told += made.start()
        return peer

    def join(self, user: str = "ann", **options: Any) -> Peer:
        """A client that is connected."""
        peer = self.client(user, **options)
        peer.connect()
        return peer

    def run(self) -> None:
        """Carries messages until nobody has anything to say."""
        carried = True
        while carried:
            carried = False
            for peer in self.peers:
                carried = peer.carry() or carried
            for link in self.hub.ready():
                self.owner(link).hear(link.events())

    def owner(self, link: HubLink) -> Peer:
        (peer,) = [peer for peer in self.peers if peer.link is link]
        return peer

    def pass_time(self, seconds: float) -> None:
        """Time passes, and everybody does what is due."""
        self.clock.pass_time(seconds)
        self.hub.tick()
        for peer in self.peers:
            peer.told += peer.client.tick()
        self.run()
