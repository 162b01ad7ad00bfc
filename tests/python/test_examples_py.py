"""The Python examples, each against the other and against our own clients."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import kedge
import pytest
from aio_world import Cable, Record, client_of, following, handle, publish, soon, until
from kedge.gateway import CloseCode, Closed, Dispatch, Event, Hub, Ready, Resumed

ROOT = Path(__file__).resolve().parents[2]


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Service:
    """The FastAPI example, running."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    async def post(self, feed: int, text: str, token: str = "anna-token") -> tuple[int, Any]:
        """Posts a message; gives the status and what is answered."""
        body = json.dumps({"text": text}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = (
            f"POST /feeds/{feed}/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await soon(reader.read())
        writer.close()
        await writer.wait_closed()
        return int(answer.split()[1]), json.loads(answer.partition(b"\r\n\r\n")[2])

    async def stop(self) -> str:
        """Ends it as a process manager does; gives what it said meanwhile."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr is not None
        said = (await soon(self.process.stderr.read())).decode()
        await soon(self.process.wait())
        return said


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[Service]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "examples/fastapi_gateway.py"), "--port", "0"),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "CHAT_DB": str(folder / "chat.db")},
    )
    try:
        assert process.stderr is not None
        while True:
            line = (await soon(process.stderr.readline())).decode()
            assert line, "it ended"
            found = re.search(r"running on http://127\.0\.0\.1:(\d+)", line)
            if found:
                yield Service(process, int(found[1]))
                break
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def texts(record: Record) -> list[str]:
    return [event.data["text"] for event in record.of(Dispatch) if event.name == "message_create"]


async def test_posts_reach_those_who_follow(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        url = f"ws://127.0.0.1:{running.port}"
        async with (
            following(url, client_of("anna-token", compress=True)) as anna,
            following(url, client_of("ben-token")) as ben,
            following(url, client_of("nobody's")) as stranger,
        ):
            await anna.ready()
            await ben.ready()
            assert anna.of(Ready)[0].data["display_name"] == "anna"
            assert (await stranger.closed()).code == CloseCode.AUTH_FAILED
            assert await running.post(500, "to both") == (200, {"sessions": 2})
            assert await running.post(501, "to anna") == (200, {"sessions": 1})
            assert await running.post(501, "not ben's", "ben-token") == (
                403,
                {"detail": "Forbidden"},
            )
            assert (await running.post(500, "nobody's", "wrong"))[0] == 403
            await until(lambda: texts(anna) == ["to both", "to anna"] and texts(ben) == ["to both"])
            status, _ = await running.post(500, "half a pair: \ud800")
            assert status == 422
            await ben.stream.notify("presence_update", {"status": "dnd", "user": "anna"})
            await until(lambda: anna.of(Dispatch)[-1].name == "presence_update")
            assert anna.of(Dispatch)[-1].data == {"user": "ben", "status": "dnd"}


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])
async def test_cut_starved_and_restarted_nothing_is_lost(tmp_path: Path, compress: bool) -> None:
    expected: list[str] = []
    state = tmp_path / "chat.db.gateway"

    async def post(running: Service, count: int, size: int = 0) -> None:
        for _ in range(count):
            expected.append(f"{len(expected)} {'x' * size}")
            assert (await running.post(500, expected[-1]))[0] == 200

    async with Cable().laid() as cable, AsyncExitStack() as stack:
        client = client_of("anna-token", compress=compress)
        async with service(tmp_path) as running:
            cable.target = running.port
            record = await stack.enter_async_context(following(cable.url, client))
            await record.ready()
            await post(running, 5)
            cable.pull()
            await post(running, 5)
            cable.plug()
            await until(lambda: texts(record) == expected)
            starved = await stack.enter_async_context(
                kedge.connect(cable.url, client_of("ben-token"), events_max=2)
            )
            while not isinstance(await soon(anext(starved)), Ready):
                pass
            begin = len(expected)
            await post(running, 18, size=200_000)
            await until(lambda: texts(record) == expected)
            said = await running.stop()
            assert "Traceback" not in said, said
            assert stat.S_IMODE(state.stat().st_mode) == 0o600
            assert b"anna-token" not in state.read_bytes()
        async with service(tmp_path) as running:
            await post(running, 5)
            assert not state.exists()
            cable.target = running.port
            await until(lambda: texts(record) == expected)
            assert record.numbers == list(range(1, len(record.numbers) + 1))
            assert len(record.of(Ready)) == 1
            assert CloseCode.SERVER_RESTART in [closed.code for closed in record.of(Closed)]
            took: list[str] = []
            while len(took) < len(expected) - begin:
                event = await soon(anext(starved))
                if isinstance(event, Dispatch):
                    took.append(event.data["text"])
            assert took == expected[begin:]


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])
async def test_the_aiohttp_client_loses_nothing_either(compress: bool) -> None:
    module = example("aiohttp_client")
    events: list[Event] = []

    def counts() -> list[int]:
        return [event.data["count"] for event in events if isinstance(event, Dispatch)]

    hub = Hub(heartbeat_interval=0.2)
    client = client_of(compress=compress)
    async with kedge.serve(handle, hub=hub) as first, Cable().laid() as cable:
        cable.target = first.port
        task = asyncio.create_task(module.run(cable.url, client, events.append))
        await until(lambda: any(isinstance(event, Ready) for event in events))
        publish(hub, 1, 10)
        await until(lambda: counts()[-1:] == [10])
        cable.pull()
        publish(hub, 11, 500, size=5000)
        cable.plug()
        await until(lambda: counts()[-1:] == [500])
        async with kedge.serve(handle, hub=hub) as second:
            cable.target = second.port
            await first.close()
            publish(hub, 501, 510)
            await until(lambda: counts()[-1:] == [510])
            received = hub.links()[0].counts["received"]
            await until(lambda: hub.links()[0].counts["received"] > received + 2)
            assert counts() == list(range(1, 511))
            assert sum(isinstance(event, Resumed) for event in events) == 2
            hub.links()[0].close(1000)
            await soon(task)
            assert isinstance(events[-1], Closed)


async def test_the_aiohttp_client_and_the_fastapi_service(tmp_path: Path) -> None:
    module = example("aiohttp_client")
    events: list[Event] = []
    async with service(tmp_path) as running:
        url = f"ws://127.0.0.1:{running.port}"
        client = client_of("ben-token", compress=True)
        task = asyncio.create_task(module.run(url, client, events.append))
        await until(lambda: any(isinstance(event, Ready) for event in events))
        assert await running.post(500, "hello") == (200, {"sessions": 1})
        await until(lambda: isinstance(events[-1], Dispatch))
        assert events[-1].data == {"feed_id": 500, "author": "anna", "text": "hello"}
        task.cancel()
        await asyncio.wait([task])
        refused = client_of("wrong")
        await soon(module.run(url, refused, events.append))
        assert events[-1].code == CloseCode.AUTH_FAILED
