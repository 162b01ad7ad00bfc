"""A network that does what networks do, on virtual time and on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from kedge.testing import Clock, Network
from kedge.testing.network import _Cable, place_of

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """Keeps what it heard, a connection each, and its ends."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(self.heard)
        self.heard.append(b"")
        self.writers.append(writer)
        try:
            while data := await reader.read(1000):
                self.heard[place] += data
        except ConnectionError:
            self.heard[place] += b"!"
        finally:
            writer.close()


@asynccontextmanager
async def served(
    network: Network,
) -> AsyncIterator[tuple[Server, Callable[[], Awaitable[Streams]]]]:
    """A server behind the network, and how to connect to it."""
    server = Server()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        async with network.between(f"ws://127.0.0.1:{port}/path?x=1") as url:
            assert url.endswith("/path?x=1")
            near = int(url.split(":")[2].split("/")[0])
            assert near != port

            async def connect() -> Streams:
                return await asyncio.open_connection("127.0.0.1", near)

            yield server, connect
        await asyncio.sleep(0.01)


def on_virtual_time(main: Callable[[], Awaitable[None]]) -> Clock:
    async def run() -> None:
        await main()

    clock = Clock()
    clock.run(run())
    return clock


def test_pieces_and_delays_change_nothing_but_the_time() -> None:
    async def main() -> None:
        network = Network(7)
        async with served(network) as (server, connect):
            network.split(1, 3)
            network.delay(1.0, 2.0)
            _, writer = await connect()
            writer.write(bytes(range(200)))
            writer.write_eof()
            await asyncio.sleep(0.9)
            assert server.heard == [b""]
            await asyncio.sleep(10)
            assert server.heard == [bytes(range(200))]
            writer.close()

    clock = on_virtual_time(main)
    assert 10.9 <= clock.elapsed < 20


def test_the_same_seed_draws_the_same_faults() -> None:
    def drawn(seed: int) -> list[list[bytes]]:
        network = Network(seed)
        network.split(1, 9)
        return [network.pieces(b"x" * 50) for _ in range(20)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_very_many_pieces_end_with_the_rest() -> None:
    network = Network()
    network.split(1, 1)
    pieces = network.pieces(b"x" * 100_000)
    assert len(pieces) == 1001
    assert b"".join(pieces) == b"x" * 100_000


def test_a_stall_holds_everything_and_go_on_lets_it_go() -> None:
    async def main() -> None:
        network = Network()
        async with served(network) as (server, connect):
            _, writer = await connect()
            await asyncio.sleep(1)
            network.stall()
            writer.write(b"hello")
            await asyncio.sleep(100)
            assert server.heard == [b""]
            network.go_on()
            await asyncio.sleep(1)
            assert server.heard == [b"hello"]
            writer.close()

    on_virtual_time(main)


def test_a_cut_is_noticed_by_both_and_what_is_underway_is_lost() -> None:
    async def main() -> None:
        network = Network()
        async with served(network) as (server, connect):
            reader, writer = await connect()
            await asyncio.sleep(1)
            assert network.connections == 1
            network.delay(5.0)
            writer.write(b"lost")
            await asyncio.sleep(1)
            network.cut()
            assert network.connections == 0 or network.connections == 1
            with pytest.raises(ConnectionResetError):
                await reader.read()
            await asyncio.sleep(10)
            assert server.heard == [b"!"]
            assert repr(network) == "<kedge.testing.Network seed 0, 0 connections>"
            writer.close()

    on_virtual_time(main)


def test_a_duplicate_is_noticed_by_the_client_alone() -> None:
    async def main() -> None:
        network = Network()
        async with served(network) as (server, connect):
            reader, writer = await connect()
            writer.write(b"first")
            await asyncio.sleep(1)
            network.duplicate()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            again, writer = await connect()
            writer.write(b"second")
            await asyncio.sleep(1)
            assert server.heard == [b"first", b"second"]
            assert network.connections == 2
            server.writers[0].write(b"nobody hears")
            server.writers[1].write(b"hello")
            assert await again.read(100) == b"hello"
            server.writers[0].close()
            await asyncio.sleep(1)
            assert network.connections == 1
            writer.close()

    on_virtual_time(main)


def test_who_is_refused_has_no_connection() -> None:
    async def main() -> None:
        network = Network()
        async with served(network) as (server, connect):
            network.refuse()
            reader, writer = await connect()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            network.accept()
            _, writer = await connect()
            await asyncio.sleep(1)
            assert len(server.heard) == 1
            writer.close()

    on_virtual_time(main)


def test_a_server_that_is_not_there_is_a_cut() -> None:
    async def main() -> None:
        network = Network()
        async with network.between("ws://127.0.0.1:9") as url:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2]))
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    on_virtual_time(main)


def test_who_is_redirected_reaches_the_next_server() -> None:
    async def main() -> None:
        network = Network()
        later = Server()
        async with (
            served(network) as (first, connect),
            await asyncio.start_server(later.serve, "127.0.0.1", 0) as listener,
        ):
            _, before = await connect()
            before.write(b"old")
            await asyncio.sleep(1)
            port = listener.sockets[0].getsockname()[1]
            network.redirect(f"ws://127.0.0.1:{port}/anywhere")
            before.write(b"er")
            _, after = await connect()
            after.write(b"newer")
            await asyncio.sleep(1)
            assert (first.heard, later.heard) == ([b"older"], [b"newer"])
            before.close()
            after.close()

    on_virtual_time(main)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("ws://example.org/x", ("example.org", 80)),
        ("wss://example.org", ("example.org", 443)),
        ("ws://[::1]:7", ("::1", 7)),
        ("/path", ("127.0.0.1", 80)),
    ],
)
def test_a_url_is_a_place(url: str, place: tuple[str, int]) -> None:
    assert place_of(url) == place


def test_a_server_that_does_not_read_holds_up_the_writer() -> None:
    async def main() -> None:
        network = Network()
        heard = []
        reads = asyncio.Event()

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reads.wait()
            heard.append(await reader.read())
            writer.close()

        async with await asyncio.start_server(listen, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            async with network.between(f"ws://127.0.0.1:{port}") as url:
                _, writer = await asyncio.open_connection("127.0.0.1", place_of(url)[1])
                writer.write(b"x" * (4 << 20))
                writer.write_eof()
                await asyncio.sleep(1)
                assert writer.transport.get_write_buffer_size() > 0
                reads.set()
                await asyncio.sleep(1)
                assert heard == [b"x" * (4 << 20)]
                writer.close()

    on_virtual_time(main)


def test_a_stall_holds_what_is_underway_too() -> None:
    async def main() -> None:
        network = Network()
        async with served(network) as (server, connect):
            _, writer = await connect()
            network.delay(5.0)
            writer.write(b"hello")
            await asyncio.sleep(1)
            network.stall()
            await asyncio.sleep(100)
            assert server.heard == [b""]
            network.go_on()
            await asyncio.sleep(1)
            assert server.heard == [b"hello"]
            writer.close()

    on_virtual_time(main)


def test_ends_may_cross() -> None:
    async def main() -> None:
        network = Network()
        async with served(network) as (server, connect):
            reader, writer = await connect()
            await asyncio.sleep(1)
            network.delay(5.0)
            server.writers[0].write(b"farewell")
            server.writers[0].write_eof()
            writer.write_eof()
            assert await reader.read() == b"farewell"
            await asyncio.sleep(10)
            assert network.connections == 0
            writer.close()

    on_virtual_time(main)


@pytest.mark.parametrize("turns", range(6))
def test_a_cut_may_come_at_any_time_of_the_beginning(turns: int) -> None:
    async def main() -> None:
        network = Network()
        async with served(network) as (server, connect):
            _, writer = await connect()
            for _ in range(turns):
                await asyncio.sleep(0)
            network.cut()
            writer.write(b"lost")
            await asyncio.sleep(1)
            assert network.connections == (0 if server.heard in ([], [b"!"]) else 1)
            writer.close()

    on_virtual_time(main)


async def test_a_connection_that_is_cut_before_it_is_there_is_reset() -> None:
    class Transport(asyncio.Transport):
        aborted = False

        def abort(self) -> None:
            self.aborted = True

    network = Network()
    cable = _Cable(network, ("127.0.0.1", 9))
    assert network.connections == 1
    network.cut()
    assert network.connections == 0
    transport = Transport()
    cable.near.connection_made(transport)
    assert transport.aborted


def test_a_storm_cuts_again_and_again_until_it_is_calm() -> None:
    async def main() -> None:
        network = Network(3)
        async with served(network) as (server, connect):
            network.storm(1.0, 5.0)
            for _ in range(5):
                reader, writer = await connect()
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                writer.close()
            network.calm()
            _, writer = await connect()
            await asyncio.sleep(100)
            writer.write(b"still here")
            await asyncio.sleep(1)
            assert server.heard[-1] == b"still here"
            writer.close()

    on_virtual_time(main)


def test_a_reader_that_does_not_read_holds_up_the_writer() -> None:
    async def main() -> None:
        network = Network()
        async with served(network) as (_, connect):
            network.stall()
            _, writer = await connect()
            writer.write(b"x" * (4 << 20))
            await asyncio.sleep(1)
            assert writer.transport.get_write_buffer_size() > 0
            network.go_on()
            await writer.drain()
            await asyncio.sleep(1)
            assert writer.transport.get_write_buffer_size() == 0
            writer.close()

    on_virtual_time(main)


async def test_it_works_on_real_sockets() -> None:
    network = Network()
    async with served(network) as (server, connect):
        network.split(1, 3)
        network.delay(0.001, 0.002)
        reader, writer = await connect()
        writer.write(b"hello")
        while server.heard != [b"hello"]:  # noqa: ASYNC110  (no event tells of it)
            await asyncio.sleep(0.005)
        network.cut()
        with pytest.raises(ConnectionError):
            await reader.read()
        writer.close()
