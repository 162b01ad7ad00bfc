"""The protocol pages in docs/ say what the tables of the code say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = "page"
PAGES = sorted(path.stem for path in (ROOT / "docs/pages").glob("*.c") if path.stem != SHARED)


def test_each_page_has_its_writer() -> None:
    assert sorted(path.stem for path in (ROOT / "docs/protocols").glob("*.md")) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_tables_say(name: str) -> None:
    written = subprocess.run(
        [ROOT / "build/c/pages" / name], check=True, capture_output=True, text=True, timeout=10
    )
    page = (ROOT / "docs/protocols" / f"{name}.md").read_text()
    assert page == written.stdout, "run `make docs`"
