"""Plain HTTP at the port of a server: /health, what an application answers, origins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import kedge
import pytest
from aio_world import handle, nothing_left, soon, until
from hosts import HOSTS
from kedge import Credentials, flowlayer, gateway
from kedge.aio import Link
from kedge.websocket import HttpRequest

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)


async def get(port: int, target: str, *headers: str) -> tuple[int, str]:
    """The status, and everything that came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {target} HTTP/1.1", "Host: x", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    head = (await soon(reader.readuntil(b"\r\n\r\n"))).decode()
    length = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
    body = await soon(reader.readexactly(int(length[0][15:]))) if length else b""
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), head + body.decode()


async def judge(link: Link) -> None:
    async for event in link:
        if isinstance(event, Credentials):
            if event.secret == "anna":
                link.accept(event, user="server")
            else:
                link.refuse(event)


@pytest.mark.parametrize("host", ["kedge", "aiohttp", "websockets"])
async def test_flowlayers_health_is_for_those_with_credentials(host: str) -> None:
    hub = flowlayer.Hub()
    async with nothing_left(), HOSTS[host](judge, hub) as port:
        status, told = await get(port, "/health", "Authorization: Bearer anna")
        assert (status, told.endswith('{"ok": true}')) == (200, True)
        assert (await get(port, "/health", "Authorization: Bearer ben"))[0] == 403
        status, told = await get(port, "/health")
        assert (status, "WWW-Authenticate: Bearer" in told) == (401, True)
        await until(lambda: not hub.links())


async def test_others_have_no_health() -> None:
    async with kedge.serve(handle, hub=gateway.Hub()) as server:
        assert (await get(server.port, "/health"))[0] == 404
        assert (await get(server.port, "/gateway"))[0] == 426


async def test_a_client_that_does_not_wait_for_its_health_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(link: Link) -> None:
        async for event in link:
            if isinstance(event, Credentials):
                asked.set()
                await go.wait()
                link.accept(event, user="server")

    async with nothing_left(), kedge.serve(slow, hub=flowlayer.Hub()) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer anna\r\n\r\n")
        await soon(asked.wait())
        writer.transport.abort()
        go.set()
        await until(lambda: server.connections == 0 and not server._tasks)
    assert caplog.records == []


async def test_an_application_answers_what_it_likes(caplog: pytest.LogCaptureFixture) -> None:
    hub = gateway.Hub()

    def answer(request: HttpRequest) -> tuple[int, Iterable[tuple[str, str]], bytes] | None:
        if request.target == "/metrics":
            return 200, [("Content-Type", "text/plain")], str(hub.counts["links"]).encode()
        if request.target == "/broken":
            raise ValueError("as it should")
        return None

    async with kedge.serve(handle, hub=hub, http=answer) as server:
        status, told = await get(server.port, "/metrics")
        assert (status, told.endswith("\r\n\r\n0"), "text/plain" in told) == (200, True, True)
        assert (await get(server.port, "/elsewhere"))[0] == 404
        assert (await get(server.port, "/broken"))[0] == 500
    assert "as it should" in caplog.text


async def test_only_pages_of_some_origins_are_let_in(caplog: pytest.LogCaptureFixture) -> None:
    async with kedge.serve(handle, hub=gateway.Hub(), origins=["https://example.org"]) as server:
        for origin, expected in (("https://example.org", 101), ("https://evil.example", 403)):
            status, _ = await get(server.port, "/gateway", f"Origin: {origin}", *UPGRADE)
            assert status == expected
        assert (await get(server.port, "/gateway", *UPGRADE))[0] == 101
    assert "its origin is not allowed" in caplog.text


async def test_past_the_most_connections_nobody_is_let_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        kedge.serve(handle, hub=gateway.Hub(), max_connections=1) as server,
        kedge.connect(server.urls[0]),
    ):
        status, told = await get(server.port, "/gateway", *UPGRADE)
        assert (status, "Retry-After: 1" in told) == (503, True)
    assert "there are 1 connections" in caplog.text
    async with (
        kedge.serve(handle, hub=gateway.Hub(links_max=1)) as server,
        kedge.connect(server.urls[0]),
    ):
        assert (await get(server.port, "/gateway", *UPGRADE))[0] == 503
    assert [entry.levelno for entry in caplog.records] == [logging.WARNING] * 2
