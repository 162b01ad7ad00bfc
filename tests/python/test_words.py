"""Text for people keeps to its line and its width."""

from __future__ import annotations

import pytest
from kedge._words import printable


@pytest.mark.parametrize(
    ("text", "width", "left"),
    [
        ("", 5, ""),
        ("grüße", 5, "grüße"),
        ("123456789", 8, "1234 ..."),
        ("123456789", 2, " ..."),
        ("a\tb\nc\u202ed\x9be", 80, "a\ufffdb\ufffdc\ufffdd\ufffde"),
    ],
)
def test_text_is_made_printable(text: str, width: int, left: str) -> None:
    assert printable(text, width) == left
