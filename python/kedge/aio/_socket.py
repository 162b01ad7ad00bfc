"""TCP and TLS, from the side that connects."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from typing import Any

from kedge.aio._address import Address
from kedge.aio._wire import Wire

HAPPY_EYEBALLS_DELAY = 0.25


async def open_socket(
    wire: Wire, address: Address, ssl: ssl_module.SSLContext | bool | None, timeout: float
) -> None:
    """Connects the wire. Raises OSError (TLS failures and time-outs are kinds of it); whatever it
    raises, no socket is left behind."""
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {}
    if address.secure:
        options["ssl"] = True if ssl is None else ssl
        options["ssl_handshake_timeout"] = timeout
    if isinstance(loop, asyncio.BaseEventLoop):
        options["happy_eyeballs_delay"] = HAPPY_EYEBALLS_DELAY
    connecting = loop.create_connection(lambda: wire, address.host, address.port, **options)
    try:
        await asyncio.wait_for(connecting, timeout)
    except (asyncio.TimeoutError, UnicodeError) as error:
        wire.abort()
        raise TimeoutError(f"{address.host_header}: {error or 'no connection in time'}") from None
    except BaseException:
        wire.abort()
        raise
