"""TCP and TLS, from the side that connects."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from typing import Any

from kedge.aio._address import Address
from kedge.aio._wire import Wire

HAPPY_EYEBALLS_DELAY = 0.25


async def open_socket(
    wire: Wire, address: Address, ssl: ssl_module.SSLContext | None, timeout: float
) -> None:
    """Connects the wire. Raises OSError (TLS failures and time-outs are kinds of it); whatever it
    raises, no socket is left behind."""
    try:
        await asyncio.wait_for(connect(wire, address, ssl), timeout)
    except (asyncio.TimeoutError, UnicodeError) as error:
        wire.abort()
        raise TimeoutError(f"{address.host_header}: {error or 'no connection in time'}") from None
    except BaseException:
        wire.abort()
        raise


async def connect(wire: Wire, address: Address, ssl: ssl_module.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {}
    if isinstance(loop, asyncio.BaseEventLoop) and not address.is_number:
        # To race addresses is of no use with one; and cancelled, the race leaves a socket behind.
        options["happy_eyeballs_delay"] = HAPPY_EYEBALLS_DELAY
    protocol = asyncio.Protocol() if address.secure else wire
    transport, _ = await loop.create_connection(
        lambda: protocol, address.host, address.port, **options
    )
    if address.secure:
        await secure(wire, transport, address, ssl)


async def secure(
    wire: Wire,
    transport: asyncio.Transport,
    address: Address,
    ssl: ssl_module.SSLContext | None,
) -> None:
    """TLS as a step of its own: create_connection leaves a socket behind when it is cancelled amid
    that."""
    loop = asyncio.get_running_loop()
    context = ssl_module.create_default_context() if ssl is None else ssl
    try:
        secured = await loop.start_tls(transport, wire, context, server_hostname=address.host)
        if secured is None:
            raise ConnectionResetError(f"{address.host_header} hung up")
    except BaseException:
        transport.abort()
        raise
    wire.connection_made(secured)
