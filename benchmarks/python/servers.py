"""Servers that echo, each as its library's manual has them, to be measured from without.

    python -m benchmarks.python.servers NAME LOOP

NAME is one of those below, LOOP asyncio or uvloop. It prints the port that it listens on, and ends
with its input. None compresses, pings or checks an Origin.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

HOST = "127.0.0.1"
BUFFER = memoryview(bytearray(1 << 16))
UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

Serve = Callable[[], Awaitable[int]]


async def listen(protocol: Callable[[], asyncio.BaseProtocol]) -> int:
    server = await asyncio.get_running_loop().create_server(protocol, HOST, 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


# ---- ours -------------------------------------------------------------------------------------


async def kedge_sans_io() -> int:
    from kedge.websocket import Connection, Received, Requested

    class Echo(asyncio.BufferedProtocol):
        transport: asyncio.Transport

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport  # type: ignore[assignment]
            self.connection = Connection.accept()

        def get_buffer(self, sizehint: int) -> memoryview:
            return BUFFER

        def buffer_updated(self, nbytes: int) -> None:
            connection = self.connection
            for event in connection.receive_buffer(BUFFER[:nbytes]):
                if type(event) is Received:
                    connection.send(event.message)
                elif type(event) is Requested:
                    connection.upgrade()
            data = connection.output()
            if data:
                self.transport.write(data)
            if connection.finished:
                self.transport.close()

        def connection_lost(self, error: Exception | None) -> None:
            self.connection.lost()

    return await listen(Echo)


async def kedge_protocol() -> int:
    import kedge

    class Echo(kedge.websocket.Protocol):
        def received_text(self, message: bytes) -> None:
            self.send_text(message)

    return await listen(lambda: Echo(ping_interval=0))


async def kedge_protocol_str() -> int:
    import kedge

    class Echo(kedge.websocket.Protocol):
        def received(self, message: str | bytes) -> None:
            self.send(message)

    return await listen(lambda: Echo(ping_interval=0))


async def kedge_protocol_each() -> int:
    import kedge

    class Echo(kedge.websocket.Protocol):
        def received_text(self, message: bytes) -> None:
            self.send_text(message)
            self.flush()

    return await listen(lambda: Echo(ping_interval=0))


async def kedge_serve() -> int:
    import kedge

    async def echo(socket: kedge.websocket.WebSocket) -> None:
        async for message in socket:
            await socket.send(message)

    server = await kedge.serve(echo, HOST, ping_interval=0).__aenter__()
    return server.port


# ---- the bare protocol -------------------------------------------------------------------------


async def bare() -> int:
    """No WebSocket at all: for each so many bytes that come, so many go."""

    class Bare(asyncio.BufferedProtocol):
        transport: asyncio.Transport
        upgraded = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport  # type: ignore[assignment]

        def get_buffer(self, sizehint: int) -> memoryview:
            return BUFFER

        def buffer_updated(self, nbytes: int) -> None:
            if not self.upgraded:
                self.upgraded = True
                self.transport.write(UPGRADED)
                return
            answer = nbytes - nbytes // FRAME_SIZE * MASK_SIZE
            self.transport.write(bytes(BUFFER[:answer]))

    return await listen(Bare)


FRAME_SIZE, MASK_SIZE = 180, 4

# ---- peers -------------------------------------------------------------------------------------


async def picows() -> int:
    from picows import (
        WSFrame,
        WSListener,
        WSMsgType,
        WSTransport,
        WSUpgradeRequest,
        ws_create_server,
    )

    class Echo(WSListener):  # type: ignore[misc]
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
                transport.disconnect()
            else:
                transport.send(frame.msg_type, frame.get_payload_as_bytes())

    def made(request: WSUpgradeRequest) -> WSListener:
        return Echo()

    server = await ws_create_server(made, HOST, 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def websockets() -> int:
    from websockets.asyncio.server import ServerConnection, serve

    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    server = await serve(echo, HOST, 0, compression=None, ping_interval=None)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def aiohttp() -> int:
    from aiohttp import WSMsgType, web

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(message.data)
        return socket

    application = web.Application()
    application.router.add_get("/gateway", echo)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    port: int = runner.addresses[0][1]
    return port


async def wsproto() -> int:
    from wsproto import ConnectionType, WSConnection
    from wsproto.events import AcceptConnection, Message, Request

    class Echo(asyncio.BufferedProtocol):
        transport: asyncio.Transport

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport  # type: ignore[assignment]
            self.connection = WSConnection(ConnectionType.SERVER)

        def get_buffer(self, sizehint: int) -> memoryview:
            return BUFFER

        def buffer_updated(self, nbytes: int) -> None:
            connection, answers = self.connection, []
            connection.receive_data(bytes(BUFFER[:nbytes]))
            for event in connection.events():
                if isinstance(event, Message):
                    answers.append(connection.send(Message(data=event.data)))
                elif isinstance(event, Request):
                    answers.append(connection.send(AcceptConnection()))
            if answers:
                self.transport.write(b"".join(answers))

    return await listen(Echo)


SERVERS: dict[str, Serve] = {
    name.__name__: name
    for name in (
        kedge_sans_io,
        kedge_protocol,
        kedge_protocol_str,
        kedge_protocol_each,
        kedge_serve,
        bare,
        picows,
        websockets,
        aiohttp,
        wsproto,
    )
}


async def main(name: str) -> None:
    print(await SERVERS[name](), flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, ended.set)
    await ended.wait()


def run(loop: str, work: Any) -> None:
    if loop == "uvloop":
        import uvloop

        uvloop.run(work)
    else:
        asyncio.run(work)


if __name__ == "__main__":
    run(sys.argv[2], main(sys.argv[1]))
