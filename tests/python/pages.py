"""The code of a page of the documentation, to be run as a reader would run it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

ROOT = Path(__file__).resolve().parents[2]

BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What is no program: drawings, what programs print, settings of others.
PROSE = ("text", "mermaid", "nginx")


@dataclass(frozen=True)
class Block:
    language: str
    title: str
    code: str


@dataclass
class Page:
    """The blocks of one page; each must be taken by its test."""

    path: Path
    left: list[Block] = field(init=False)

    def __post_init__(self) -> None:
        found = BLOCK.findall(self.path.read_text(encoding="utf-8"))
        self.left = [Block(*block) for block in found if block[0] not in PROSE]

    def take(self, title: str, language: str = "python") -> str:
        """The code of the next block with that title, or of that language if it is empty."""
        for block in self.left:
            if block.title == title and block.language == language:
                self.left.remove(block)
                return block.code
        raise AssertionError(f"{self.path.name} has no more block {title!r} in {language}")


class Program:
    """A program of a page, running: lines go in and out, and every wait is bounded."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.command = command
        self.lines: list[str] = []
        self._queue: Queue[str | None] = Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-u", *command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_for(self, pattern: str, timeout: float = 30.0) -> re.Match[str]:
        """The next line in which the pattern is found."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(self._complaint(f"did not say {pattern!r}")) from None
            if line is None:
                raise AssertionError(self._complaint(f"ended and had not said {pattern!r}"))
            self.lines.append(line)
            found = re.search(pattern, line)
            if found is not None:
                return found

    def _complaint(self, what: str) -> str:
        return "\n".join([f"{' '.join(self.command)} {what}; it said:", *self.lines])

    def signal(self, number: int, timeout: float = 30.0) -> int:
        """Sends a signal and waits for the end."""
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class Workshop:
    """A folder in which the programs of a page run, each on a port that is free."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.programs: list[Program] = []
        self._ports: dict[str, str] = {}

    def port(self, written: str) -> str:
        """The port that is used instead of the one that stands on the page."""
        if written not in self._ports:
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                self._ports[written] = str(listener.getsockname()[1])
        return self._ports[written]

    def take(self, title: str, language: str = "python") -> str:
        """A block of the page, with ports of our own."""
        code = self.page.take(title, language)
        return re.sub(r"\b8\d\d\d\b", lambda port: self.port(port[0]), code)

    def write(self, title: str) -> str:
        """Puts a block into the folder, under its title."""
        (self.folder / title).write_text(self.take(title))
        return title

    def run(self, *command: str) -> Program:
        program = Program(self.folder, *command)
        self.programs.append(program)
        return program


@contextmanager
def workshop(name: str, folder: Path) -> Iterator[Workshop]:
    """For a page of docs/. In the end no program is left running."""
    shop = Workshop(Page(ROOT / "docs" / name), folder)
    try:
        yield shop
    finally:
        for program in shop.programs:
            program.end()


def untaken(shop: Workshop) -> list[str]:
    """The blocks that no test has run."""
    return [block.title or block.code for block in shop.page.left]
