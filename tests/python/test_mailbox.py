"""kedge._core.Mailbox: what callbacks bring, one task takes."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from typing import Any

import kedge
import pytest
from aio_world import nothing_left, soon
from kedge import StateError
from kedge._core import Mailbox


class Room:
    """Counts the calls that tell of room."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


def mailbox_of(limit: int = 3, room: Any = None) -> Mailbox[Any]:
    return Mailbox(limit, room or Room(), asyncio.get_running_loop())


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_items_are_taken_in_the_order_in_which_they_were_brought() -> None:
    mailbox = mailbox_of()
    mailbox.put(range(20))
    for number in range(10):
        assert await mailbox.get() == number
    mailbox.put(range(20, 40))  # past the end of the ring
    mailbox.add(40)
    assert len(mailbox) == 31
    mailbox.end()
    mailbox.add("late")
    mailbox.put(["later"])
    assert [item async for item in mailbox] == list(range(10, 41))
    with pytest.raises(StopAsyncIteration):
        await mailbox.get()


async def test_a_full_one_tells_when_there_is_room_again() -> None:
    room = Room()
    mailbox = mailbox_of(2, room)
    mailbox.add(1)
    assert not mailbox.full
    mailbox.put([2, 3])
    assert mailbox.full
    await mailbox.get()
    assert mailbox.full
    assert room.calls == 0
    await mailbox.get()
    assert not mailbox.full
    assert room.calls == 1
    mailbox.put([4, 5])
    mailbox.discard()
    assert not mailbox.full
    assert [item async for item in mailbox] == []


async def test_what_telling_of_room_raises_reaches_the_reader_and_nothing_is_lost() -> None:
    fails = True

    def room() -> None:
        if fails:
            mailbox.put(range(100, 120))  # past what the ring holds
            raise ValueError("no room")

    mailbox = mailbox_of(3, room)
    for number in range(6):
        mailbox.add(number)
        assert await mailbox.get() == number
    mailbox.put([6, 7, 8])
    with pytest.raises(ValueError, match="no room"):
        await mailbox.get()
    fails = False
    mailbox.end()
    assert [item async for item in mailbox] == [6, 7, 8, *range(100, 120)]


async def test_a_waiting_task_is_woken() -> None:
    async with nothing_left():
        mailbox = mailbox_of()

        async def take() -> list[Any]:
            return [item async for item in mailbox]

        task = asyncio.create_task(take())
        await turns()
        mailbox.add("one")
        await turns()
        mailbox.put(["two", "three"])
        mailbox.add("four")
        await turns()
        mailbox.end()
        mailbox.end()
        assert await soon(task) == ["one", "two", "three", "four"]


async def test_only_one_task_waits() -> None:
    mailbox = mailbox_of()
    task = asyncio.ensure_future(mailbox.get())
    await turns()
    with pytest.raises(StateError, match="another task"):
        await mailbox.get()
    mailbox.add(1)
    assert await soon(task) == 1


async def test_a_task_that_is_cancelled_loses_nothing() -> None:
    mailbox = mailbox_of()
    task = asyncio.ensure_future(mailbox.get())
    await turns()
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await task
    mailbox.add(1)
    assert await soon(mailbox.get()) == 1

    task = asyncio.ensure_future(mailbox.get())
    await turns()
    mailbox.add(2)  # it is woken, and cancelled before it runs
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await soon(mailbox.get()) == 2

    task = asyncio.ensure_future(mailbox.get())
    task.cancel()  # before it ran
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(mailbox.get(), 0.001)
    mailbox.add(3)
    assert await soon(anext(mailbox)) == 3


async def test_a_task_that_was_told_to_end_in_between_is_cancelled() -> None:
    mailbox = mailbox_of()

    async def take() -> Any:
        asyncio.current_task().cancel("at once")  # type: ignore[union-attr]
        return await mailbox.get()

    task = asyncio.create_task(take())
    with pytest.raises(asyncio.CancelledError):
        await task
    mailbox.add(1)
    assert await soon(mailbox.get()) == 1


async def test_the_tasks_of_pure_python_wait_as_well() -> None:
    mailbox = mailbox_of()

    async def take() -> list[Any]:
        return [item async for item in mailbox]

    task = asyncio.tasks._PyTask(take())  # type: ignore[attr-defined]
    await turns()
    mailbox.add(1)
    await turns()
    mailbox.add(2)
    mailbox.end()
    assert await soon(task) == [1, 2]

    other = mailbox_of()

    async def one() -> Any:
        return await other.get()

    task = asyncio.tasks._PyTask(one())  # type: ignore[attr-defined]
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_reader_keeps_its_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    mailbox = mailbox_of()

    async def take() -> tuple[Any, str]:
        variable.set("mine")
        return await mailbox.get(), variable.get()

    task = asyncio.create_task(take())
    await turns()
    mailbox.add(1)
    assert await soon(task) == (1, "mine")


async def test_a_reader_is_woken_from_within_its_own_context() -> None:
    async def greet(websocket: kedge.WebSocket) -> None:
        await websocket.send("one")
        await asyncio.Event().wait()

    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    async with kedge.serve(greet) as server, kedge.connect(server.urls[0]) as websocket:
        wire = websocket._wire
        mailbox = wire.mailbox
        assert mailbox is not None
        assert await soon(mailbox.get()) == "one"
        came: list[Any] = []
        taking = mailbox.get()
        waiter = next(iter(taking))
        waiter.add_done_callback(came.append, context=context)
        wire.get_buffer(-1)[:3] = b"\x81\x01x"
        loop.call_soon(wire.buffer_updated, 3, context=context)
        await turns()
        assert came == [waiter]
        assert await soon(mailbox.get()) == "x"


def drive(waiting: Any) -> Any:
    """The waiter of one that is iterated by hand."""
    return next(waiting)


async def test_one_that_is_driven_by_hand() -> None:
    mailbox = mailbox_of()
    taking = mailbox.get()
    waiter = drive(taking)
    assert waiter.get_loop() is asyncio.get_running_loop()
    assert waiter._asyncio_future_blocking is True
    assert waiter.cancel() is False  # nobody waits yet
    assert waiter.result() is None
    again = drive(taking)  # woken without reason: it waits anew
    assert again is not waiter
    called: list[Any] = []
    again.add_done_callback(called.append)
    mailbox.add(1)
    assert called == []
    await turns(1)
    assert called == [again]
    with pytest.raises(StopIteration) as stop:
        drive(taking)
    assert stop.value.value == 1
    with pytest.raises(TypeError, match="required argument"):
        again.add_done_callback()
    with pytest.raises(TypeError, match="unexpected keyword"):
        again.cancel(message="x")


async def test_an_item_may_be_a_tuple_or_an_exception() -> None:
    mailbox = mailbox_of()
    items = [(1, 2), StopIteration(3), None]
    mailbox.put(items)
    for item in items:
        with pytest.raises(StopIteration) as stop:
            drive(mailbox.get())
        assert stop.value.value is item


async def test_cycles_through_one_are_collected() -> None:
    class Owner:
        def __init__(self) -> None:
            self.mailbox: Mailbox[Any] = mailbox_of(2, self.room)

        def room(self) -> None: ...
        def told(self, waiter: Any) -> None: ...

    owner = Owner()
    owner.mailbox.put([owner, owner])
    gone = weakref.ref(owner)
    waiting = owner.mailbox.get()
    del owner, waiting
    gc.collect()
    assert gone() is None

    owner = Owner()
    gone = weakref.ref(owner)

    async def take(owner: Owner) -> Any:
        return await owner.mailbox.get()

    coroutine = take(owner)
    waiter: Any = coroutine.send(None)
    waiter.add_done_callback(owner.told)
    del owner, coroutine, waiter
    gc.collect()
    assert gone() is None


async def test_what_is_no_argument_is_refused() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(TypeError, match="required argument 'loop'"):
        Mailbox(1, Room())  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Mailbox("1", Room(), loop)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="limit is negative"):
        Mailbox(-1, Room(), loop)
    mailbox = mailbox_of()
    with pytest.raises(TypeError):
        mailbox.put(1)  # type: ignore[arg-type]

    def broken() -> Any:
        yield 1
        raise ValueError("half of them")

    with pytest.raises(ValueError, match="half of them"):
        mailbox.put(broken())
    assert len(mailbox) == 1
    assert str(Mailbox[str]).endswith("Mailbox[str]")
