"""A hub's sealed state in a file: written once at the end, read once at the beginning."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from kedge._core import SnapshotError
from kedge._log import logger

if TYPE_CHECKING:
    from kedge._hub import HubCalls as Hub

StatePath: TypeAlias = "str | os.PathLike[str]"


def save(path: StatePath, snapshot: bytes) -> None:
    """Puts the bytes there whole or not at all, readable by the owner alone."""
    target = Path(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(snapshot)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    sync_folder(target)


def take(path: StatePath) -> bytes | None:
    """What is there, and removes it: restored twice, a state would give numbers out again. None if
    there is nothing."""
    target = Path(path)
    try:
        snapshot = target.read_bytes()
    except FileNotFoundError:
        return None
    target.unlink()
    sync_folder(target)
    return snapshot


def sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restore(hub: Hub, path: StatePath) -> bool:
    """Fills a new hub with the state that lies there, if any does; True if it did.

    One that cannot be restored is put aside under the name with ".rejected" added, and the hub
    stays empty: clients then begin new sessions.
    """
    snapshot = take(path)
    if snapshot is None:
        return False
    try:
        hub.restore(snapshot)
    except SnapshotError as error:
        save(f"{os.fspath(path)}.rejected", snapshot)
        logger.warning("the state in %s was not restored: %s", path, error)
        return False
    except BaseException:
        save(path, snapshot)  # the fault is the caller's, and the state as good as before
        raise
    logger.info("restored %d sessions from %s", len(hub.sessions()), path)
    return True


async def seal(hub: Hub, path: StatePath) -> None:
    """Seals the hub, so that nothing is numbered any more, and saves it. Its links live on."""
    hub.seal()
    await asyncio.to_thread(save, path, hub.snapshot())
    logger.info("saved %d sessions in %s", len(hub.sessions()), path)
