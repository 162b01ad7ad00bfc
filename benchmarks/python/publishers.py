"""Servers that publish one event to all who are connected, to be measured from without.

    python -m benchmarks.python.publishers NAME LOOP

They print the port that they listen on. For each line that they are told they publish once, by the
fastest way that their library's manual has, and print "done" when all is written.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.python.servers import BUFFER, HOST, UPGRADED, listen, run

PAYLOAD = {
    "id": 810283746528374,
    "feed_id": 4711,
    "author": {"id": 92837465, "display_name": "Anchor4f2", "avatar": None, "bot": False},
    "content": "the anchor held through the night and nobody noticed",
}
TEXT = json.dumps({"type": "message_create", "seq": 1234, "d": PAYLOAD}, separators=(",", ":"))

Publish = Callable[[], Awaitable[object]]
Publisher = Callable[[], Awaitable[tuple[int, Publish]]]


async def kedge() -> tuple[int, Publish]:
    """Through a hub: each session numbers it, and could have it replayed."""
    import kedge

    hub = kedge.gateway.Hub(heartbeat_interval=3600.0)

    async def handler(link: kedge.gateway.Link) -> None:
        async for event in link:
            if isinstance(event, kedge.Identify):
                link.accept(event, user=str(link.peer[1]), topics=["feed"])

    server = await kedge.serve(handler, HOST, hub=hub).__aenter__()

    async def publish() -> None:
        hub.publish("feed", "message_create", PAYLOAD)

    return server.port, publish


async def bare() -> tuple[int, Publish]:
    """Ready-made bytes to each transport."""
    transports: list[asyncio.Transport] = []
    frame = b"\x81\x7e" + len(TEXT).to_bytes(2, "big") + TEXT.encode()

    class Bare(asyncio.BufferedProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: asyncio.Transport = transport  # type: ignore[assignment]
            transports.append(self.transport)

        def get_buffer(self, sizehint: int) -> memoryview:
            return BUFFER

        def buffer_updated(self, nbytes: int) -> None:
            if bytes(BUFFER[:4]) == b"GET ":
                self.transport.write(UPGRADED)

    async def publish() -> None:
        for transport in transports:
            transport.write(frame)

    return await listen(Bare), publish


async def picows() -> tuple[int, Publish]:
    from picows import WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

    transports: list[Any] = []
    text = TEXT.encode()

    class Listener(WSListener):  # type: ignore[misc]
        def on_ws_connected(self, transport: WSTransport) -> None:
            transports.append(transport)

    def made(request: WSUpgradeRequest) -> WSListener:
        return Listener()

    server = await ws_create_server(made, HOST, 0)

    async def publish() -> None:
        for transport in transports:
            transport.send(WSMsgType.TEXT, text)

    return server.sockets[0].getsockname()[1], publish


async def websockets() -> tuple[int, Publish]:
    from websockets.asyncio.server import ServerConnection, broadcast, serve

    sockets: set[ServerConnection] = set()

    async def handler(socket: ServerConnection) -> None:
        sockets.add(socket)
        await socket.wait_closed()

    server = await serve(handler, HOST, 0, compression=None, ping_interval=None)

    async def publish() -> None:
        broadcast(sockets, TEXT)

    return server.sockets[0].getsockname()[1], publish


async def aiohttp() -> tuple[int, Publish]:
    from aiohttp import web

    sockets: list[web.WebSocketResponse] = []

    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    application = web.Application()
    application.router.add_get("/gateway", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()

    async def publish() -> None:
        for socket in sockets:
            await socket.send_str(TEXT)

    return runner.addresses[0][1], publish


PUBLISHERS: dict[str, Publisher] = {
    maker.__name__: maker for maker in (kedge, bare, picows, websockets, aiohttp)
}


async def main(name: str) -> None:
    port, publish = await PUBLISHERS[name]()
    print(port, flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while await reader.readline():
        await publish()
        for _ in range(4):  # what was put off to the loop's next turns
            await asyncio.sleep(0)
        print("done", flush=True)


if __name__ == "__main__":
    run(sys.argv[2], main(sys.argv[1]))
