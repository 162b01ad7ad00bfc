"""Where a WebSocket is: ws://host:port/path?query."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from kedge._core import ArgumentError


@dataclass(frozen=True)
class Address:
    secure: bool
    host: str
    port: int
    target: str
    """Path and query, empty if the url has neither."""

    @property
    def is_number(self) -> bool:
        """The host is an address already, no name."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def address_of(url: str) -> Address:
    """Takes a url apart; raises ArgumentError where it is none of a WebSocket. That does not repeat
    it: there may be a token in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise ArgumentError(f"the url of a WebSocket is none: {error}") from None
    if parts.scheme not in ("ws", "wss") or not host:
        raise ArgumentError("the url is not of the form ws://host/path or wss://host/path")
    if "@" in parts.netloc or parts.fragment or not url.isascii():
        raise ArgumentError("the url of a WebSocket has no user, no fragment, and ASCII only")
    secure = parts.scheme == "wss"
    path = parts.path
    target = f"{path or '/'}?{parts.query}" if parts.query else path
    return Address(secure, host, port if port is not None else 443 if secure else 80, target)


def url_of(secure: bool, address: tuple[str, int], path: str) -> str:
    """The url of a listening socket."""
    host, port = address[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'wss' if secure else 'ws'}://{shown}:{port}{path}"
