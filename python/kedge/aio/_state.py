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


def sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


Mark: TypeAlias = tuple[int, int, int]


def mark_of(path: Path) -> Mark | None:
    """What tells a file from any other that is put there; None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


class Claim:
    """A hub's hold on its state, from when it is restored to when it is saved.

    The file stays until confirm(), with the first link or publication: before that no number was
    given out, and the process may yet find out that it is not the one who serves, since the port is
    another's. Until then whatever happens to it costs nothing, and what another puts there is left
    alone.
    """

    def __init__(self, hub: Hub, path: StatePath) -> None:
        """Fills a new hub with the state that lies there, if any does. One that cannot be restored
        leaves it empty: clients then begin new sessions."""
        self._hub = hub
        self._path = Path(path)
        self._found = mark_of(self._path)
        self._owned = False
        self.restored = False
        """The hub has the state that lay there."""
        if self._found is not None:
            self._restore(self._path.read_bytes())

    def _restore(self, snapshot: bytes) -> None:
        try:
            self._hub.restore(snapshot)
        except SnapshotError as error:
            logger.warning("the state in %s was not restored: %s", self._path, error)
            return
        self.restored = True
        logger.info("restored %d sessions from %s", len(self._hub.sessions()), self._path)

    def is_of(self, path: StatePath) -> bool:
        return Path(path) == self._path

    def confirm(self) -> None:
        """The hub serves. The state is removed: restored twice, it would give numbers out again.
        One that could not be restored is put aside under the name with ".rejected" added."""
        if self._owned:
            return
        if not self._is_as_found():
            logger.warning("the state in %s came after the start and is not restored", self._path)
        elif self._found is not None:
            if self.restored:
                self._path.unlink()
            else:
                os.replace(self._path, f"{self._path}.rejected")
            sync_folder(self._path)
        self._owned = True

    async def seal(self) -> None:
        """Seals the hub and saves it, unless it never served and there is nothing of its own to be
        saved, or a state by another."""
        if self._owned or (self.restored and self._is_as_found()):
            self._owned = True
            await seal(self._hub, self._path)
        else:
            self._hub.seal()
            logger.info("nobody came, and %s is left as it is", self._path)

    def _is_as_found(self) -> bool:
        return mark_of(self._path) == self._found


def restore(hub: Hub, path: StatePath) -> bool:
    """Fills a new hub, that serves from now on, with the state that lies there, if any does, and
    removes it; True if it did."""
    claim = Claim(hub, path)
    claim.confirm()
    return claim.restored


async def seal(hub: Hub, path: StatePath) -> None:
    """Seals the hub, so that nothing is numbered any more, and saves it. Its links live on."""
    hub.seal()
    await asyncio.to_thread(save, path, hub.snapshot())
    logger.info("saved %d sessions in %s", len(hub.sessions()), path)
