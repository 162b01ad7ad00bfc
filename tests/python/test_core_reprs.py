"""What links, hubs and connections say of themselves: one line, and nothing secret."""

from __future__ import annotations

from core_world import ENTROPY, Clock, World, live_client
from kedge._core import Connection, GatewayClient, GatewayHub


def test_a_client_tells_its_state_and_its_position() -> None:
    client = GatewayClient(token="sesame", clock=Clock(), entropy=ENTROPY)
    assert repr(client).startswith("<GatewayClient: gateway client IDLE: ")
    client.start()
    assert "client ASKED: the host was asked to connect; position 0>" in repr(client)
    world = World()
    wire = world.join("ann", token="token-of-ann")
    world.hub.publish("news", "a")
    world.run()
    told = repr(wire.client)
    assert told.startswith("<GatewayClient: gateway client LIVE: ")
    assert "; position 2; in " in told
    assert "token-of-ann" not in told


def test_a_link_tells_the_begin_of_its_session() -> None:
    world = World()
    wire = world.join()
    session = wire.link.session
    assert session is not None
    told = repr(wire.link)
    assert told.startswith("<HubLink: gateway server ACTIVE: ")
    assert f"; session {session.id[:6]}...; position 1 of 1" in told
    assert session.id not in told
    wire.link.close(4000, "enough")
    assert "; closed with 4000: enough" in repr(wire.link)


def test_what_a_peer_said_stays_on_the_line() -> None:
    client = live_client()
    client.peer_closed(4008, "one\ntwo\x1b[31m\x7f")
    assert "one?two?[31m?" in repr(client)
    assert repr(client).isprintable()


def test_a_hub_tells_how_much_there_is() -> None:
    world = World()
    world.join()
    assert repr(world.hub).startswith(
        "<GatewayHub: gateway hub: 1 link, 1 session, 1 attached, 1 topic"
    )
    world.hub.seal()
    assert "hub, sealed: " in repr(world.hub)


def test_a_subclass_goes_by_its_own_name() -> None:
    class Mine(GatewayHub):
        pass

    assert repr(Mine()).startswith("<Mine: gateway hub: 0 links")
    assert repr(Mine.__new__(Mine)) == "<Mine: no hub>"


def test_a_connection_tells_of_its_link() -> None:
    hub = GatewayHub(clock=Clock())
    link = hub.link()
    assert repr(Connection.accept(link)).startswith("<Connection: gateway server ")
    plain = Connection.open("a", "/", clock=Clock(), entropy=ENTROPY)
    assert repr(plain) == "<Connection: plain WebSocket, output waits>"
    plain.output()
    assert repr(plain) == "<Connection: plain WebSocket>"
    plain.lost()
    assert repr(plain) == "<Connection: plain WebSocket, finished>"
