"""Text for people: on one line, not too long, coloured on a terminal."""

from __future__ import annotations

import os
from typing import TextIO

RED, BOLD, DIM, CYAN, YELLOW = "31", "1", "2", "36", "33"


def printable(text: str, width: int = 80) -> str:
    """On one line of so many characters, and nothing that moves the cursor."""
    shown = "".join(
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[: width + 1]
    )
    return shown if len(shown) <= width else f"{shown[: max(0, width - 4)]} ..."


class Pen:
    """Writes in colours, if that is where colours are seen."""

    def __init__(self, stream: TextIO) -> None:
        self.colourful = is_colourful(stream)

    def __call__(self, text: str, *colours: str) -> str:
        return f"\033[{';'.join(colours)}m{text}\033[0m" if self.colourful and colours else text


def is_colourful(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
