"""What lies between the callbacks that bring something and the one task that takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kedge import _core


def new_mailbox(limit: int, on_room: Callable[[], object]) -> _core.Mailbox[Any]:
    """A mailbox on the running loop."""
    return _core.Mailbox(limit, on_room, asyncio.get_running_loop())
