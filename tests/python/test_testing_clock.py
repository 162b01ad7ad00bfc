"""Virtual time passes when there is nothing else to do; a test that waits for nothing ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any

import kedge
import pytest
from kedge.testing import Clock, Stuck, clock


def test_an_hour_takes_no_time() -> None:
    virtual = Clock()
    begin = time.monotonic()
    virtual.run(asyncio.sleep(3599))
    assert virtual.elapsed == pytest.approx(3599)
    assert time.monotonic() - begin < 5
    assert repr(virtual) == "<kedge.testing.Clock 3599.000 s>"


def test_what_is_due_first_comes_first() -> None:
    virtual = Clock(start=100.0)
    order: list[tuple[str, float]] = []

    async def sleep(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        order.append((name, round(virtual(), 6)))

    async def main() -> None:
        await asyncio.gather(sleep("late", 3.0), sleep("soon", 1.0), sleep("between", 2.0))

    virtual.run(main())
    assert order == [("soon", 101.0), ("between", 102.0), ("late", 103.0)]


def test_it_gives_what_the_coroutine_gives_and_raises_what_it_raises() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise LookupError("no")

    assert Clock().run(answer()) == 42
    with pytest.raises(LookupError, match="no"):
        Clock().run(fail())


def test_a_coroutine_that_cancels_itself_is_cancelled() -> None:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        Clock().run(main())


def test_what_waits_for_nothing_is_told_where_it_waits() -> None:
    async def wait_in_vain() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(
        Stuck, match=r"at 0.000 s: nothing will ever happen; what waits:\n.*in_vain"
    ):
        Clock().run(wait_in_vain())


def test_a_task_that_is_no_coroutine_of_pythons_has_a_name_at_least() -> None:
    class Foreign(Coroutine[Any, Any, None]):
        """As compilers of Python make them."""

        def send(self, value: Any) -> Any:
            return None

        def throw(self, *error: Any) -> Any:
            raise asyncio.CancelledError

        def close(self) -> None: ...

        def __await__(self) -> Any:
            raise NotImplementedError

    async def main() -> None:
        waiting = asyncio.get_running_loop().create_future()
        Foreign.send = lambda self, value: next(iter(waiting))  # type: ignore[method-assign]
        foreign = asyncio.create_task(Foreign(), name="the foreigner")
        await foreign

    with pytest.raises(Stuck, match=r"what waits:\n.*\n?  the foreigner"):
        Clock().run(main())


def test_a_test_that_swallows_its_end_fails_all_the_same() -> None:
    async def main() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck, match="nothing will ever happen"):
        Clock().run(main())


def test_a_test_that_goes_on_waiting_ends_too() -> None:
    async def main() -> None:
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck, match="nothing will ever happen"):
        Clock().run(main())


def test_time_has_a_limit() -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110  (there is nothing to wait for)
            await asyncio.sleep(10)

    virtual = Clock(limit=100)
    with pytest.raises(Stuck, match="longer than 100 s of virtual time"):
        virtual.run(main())
    assert virtual.elapsed == pytest.approx(100)


def test_threads_are_waited_for_while_time_stands_still() -> None:
    virtual = Clock()
    virtual.run(asyncio.to_thread(time.sleep, 0.02))
    assert virtual.elapsed == 0


def test_a_thread_that_does_not_end_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "THREADS_LIMIT", 0.01)
    with pytest.raises(Stuck, match=r"a thread worked for longer than 0.01 s"):
        Clock().run(asyncio.to_thread(time.sleep, 0.2))


def test_what_was_left_running_is_ended() -> None:
    ended = []

    async def linger() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(True)

    async def main() -> None:
        main.task = asyncio.create_task(linger())  # type: ignore[attr-defined]
        await asyncio.sleep(1)

    Clock().run(main())
    assert ended == [True]


def test_objects_without_a_clock_of_their_own_are_on_it() -> None:
    hub = kedge.gateway.Hub()
    virtual = Clock(start=5000.0)

    async def main() -> None:
        assert hub.clock() == 5000.0
        await asyncio.sleep(10)
        assert hub.clock() == pytest.approx(5010.0)

    virtual.run(main())
    assert hub.clock() == pytest.approx(time.monotonic(), abs=60)


def test_servers_and_connections_are_within_the_process() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()
        writer.write(b"bye")
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(echo, "127.0.0.1", 80) as server:
            assert server.is_serving()
            assert server.sockets[0].getsockname() == ("127.0.0.1", 80)
            reader, writer = await asyncio.open_connection("127.0.0.1", 80)
            assert writer.get_extra_info("peername") == ("127.0.0.1", 80)
            assert writer.can_write_eof()
            writer.write(b"x" * 300_000)
            writer.write_eof()
            said = await reader.read()
            assert said == b"x" * 300_000 + b"bye"
            writer.close()
            await writer.wait_closed()
        with pytest.raises(ConnectionRefusedError, match="nobody listens on port 80"):
            await asyncio.open_connection("127.0.0.1", 80)

    Clock().run(main())


def test_a_port_has_one_listener() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, port=80)
        with pytest.raises(OSError, match="port 80 is taken"):
            await loop.create_server(asyncio.Protocol, port=80)
        server.close()
        await server.wait_closed()
        later = await loop.create_server(asyncio.Protocol, port=80, start_serving=False)
        assert not later.is_serving()
        task = asyncio.create_task(later.serve_forever())
        await asyncio.sleep(0)
        assert later.is_serving()
        assert later.get_loop() is loop
        assert later.sockets[0].fileno() == -1
        server.close()  # once more: the port is another's by now
        _, writer = await asyncio.open_connection("127.0.0.1", 80)
        writer.close()
        task.cancel()
        await asyncio.wait([task])
        assert not later.is_serving()

    Clock().run(main())


def test_a_reader_that_pauses_holds_up_the_writer() -> None:
    events: list[str] = []

    class Writer(asyncio.Protocol):
        def pause_writing(self) -> None:
            events.append("pause")

        def resume_writing(self) -> None:
            events.append("resume")

    class Reader(asyncio.BufferedProtocol):
        transport: asyncio.Transport
        size = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport
            transport.pause_reading()

        def get_buffer(self, sizehint: int) -> bytearray:
            return bytearray(1000)

        def buffer_updated(self, nbytes: int) -> None:
            self.size += nbytes

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader = Reader()
        await loop.create_server(lambda: reader, port=80)
        transport, _ = await loop.create_connection(Writer, "127.0.0.1", 80)
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=1000)
        assert transport.get_write_buffer_limits() == (250, 1000)
        transport.write(b"x" * 1500)
        await asyncio.sleep(1)
        assert (events, reader.size, transport.get_write_buffer_size()) == (["pause"], 0, 1500)
        assert not reader.transport.is_reading()
        reader.transport.resume_reading()
        await asyncio.sleep(1)
        assert (events, reader.size, transport.get_write_buffer_size()) == (
            ["pause", "resume"],
            1500,
            0,
        )
        transport.abort()
        transport.write(b"nobody hears")
        assert transport.is_closing()
        transport.resume_reading()
        assert not transport.is_reading()

    Clock().run(main())


def test_a_transport_may_change_hands() -> None:
    class Keeper(asyncio.Protocol):
        def __init__(self) -> None:
            self.heard = b""

        def data_received(self, data: bytes) -> None:
            self.heard += data

    async def main() -> None:
        loop = asyncio.get_running_loop()
        first, second = Keeper(), Keeper()
        await loop.create_server(Keeper, port=80)
        transport, _ = await loop.create_connection(lambda: first, "127.0.0.1", 80)
        assert transport.get_protocol() is first
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        accepted = transport._other  # type: ignore[attr-defined]
        accepted.write(b"hello")
        await asyncio.sleep(1)
        assert (first.heard, second.heard) == (b"", b"hello")

    Clock().run(main())


def test_an_abort_is_a_reset_for_the_other_side() -> None:
    async def main() -> None:
        accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        async with await asyncio.start_server(
            lambda _, writer: accepted.put_nowait(writer), port=80
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", 80)
            theirs = await accepted.get()
            theirs.transport.abort()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            theirs.close()

    Clock().run(main())


def test_a_protocol_that_fails_loses_its_connection() -> None:
    class Failing(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            raise LookupError("no")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        told = []
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        await loop.create_server(Failing, port=80)
        reader, writer = await asyncio.open_connection("127.0.0.1", 80)
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert [str(error) for error in told] == ["no"]

    Clock().run(main())


@pytest.mark.parametrize("what", ["create_server", "create_connection"])
def test_there_is_no_tls_and_no_real_socket(what: str) -> None:
    async def main(**options: object) -> None:
        make = getattr(asyncio.get_running_loop(), what)
        await make(asyncio.Protocol, "127.0.0.1", 80, **options)

    for options in ({"ssl": True}, {"sock": object()}):
        with pytest.raises(NotImplementedError, match="no TLS and no real sockets"):
            Clock().run(main(**options))
