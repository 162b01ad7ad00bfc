"""Lines of stdin, while something else goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import kedge


@contextlib.asynccontextmanager
async def reading(send: Callable[[str], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Meanwhile sends each line that comes on stdin. Its end ends nothing: the other side may still
    have something to say."""
    task = asyncio.create_task(send_lines(send))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, kedge.ClosedError):
            raise error


async def send_lines(send: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    room = threading.Semaphore(100)

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants them any more
            for line in stdin_lines():
                room.acquire()
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, None)

    # No executor: that would wait at the exit for a thread that waits for a line.
    threading.Thread(target=read, daemon=True, name="stdin").start()
    while (line := await lines.get()) is not None:
        room.release()
        if line.strip():
            await send(line)


def stdin_lines() -> Iterator[str]:
    """Reads below sys.stdin, whose lock a thread that waits would hold at the exit."""
    rest = b""
    with contextlib.suppress(OSError, ValueError):
        while chunk := os.read(sys.stdin.fileno(), 1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")
