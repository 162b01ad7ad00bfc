"""WebSocket sessions that survive their socket.

`__version__` is the version of the C library that is compiled into the package.
"""

from __future__ import annotations

from kedge._core import version as __version__

__all__ = ["__version__"]
