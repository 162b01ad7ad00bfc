"""Every row of a protocol's contract names the tests that prove it, and those tests exist."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests/vectors"
ROLES = ("server", "client")


def rows_of(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(file.read_text())["rows"]
    return rows


ROWS = {file.name[: -len("_rows.json")]: rows_of(file) for file in VECTORS.glob("*_rows.json")}
ROWS_OF_ALL = [
    pytest.param(row, id=f"{protocol}:{row['id']}")
    for protocol, rows in sorted(ROWS.items())
    for row in rows
]


@cache
def c_tests(suite: str) -> frozenset[str]:
    """The tests of a suite that are written and run; none if it is not in the binary."""
    file = ROOT / f"tests/c/test_{suite}.c"
    listed = (ROOT / "tests/c/suites.h").read_text()
    if not file.exists() or f"SUITE({suite})" not in listed:
        return frozenset()
    source = file.read_text()
    written = set(re.findall(r"^START_TEST\((\w+)\)", source, re.MULTILINE))
    run = set(re.findall(r"tcase_add(?:_loop)?_test\(\w+,\s*(\w+)", source))
    return frozenset(written & run)


@cache
def cases(file: str) -> frozenset[str]:
    """The cases of a file of vectors that a C test reads."""
    path = VECTORS / file
    if not path.exists() or not any(
        f'"{file}"' in test.read_text() for test in (ROOT / "tests/c").glob("test_*.c")
    ):
        return frozenset()
    return frozenset(case["name"] for case in json.loads(path.read_text())["cases"])


@cache
def python_tests(file: str) -> frozenset[str]:
    path = ROOT / "tests/python" / file
    source = path.read_text() if path.exists() else ""
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)\(", source, re.MULTILINE))


def exists(test: str) -> bool:
    if "::" in test:
        file, name = test.split("::")
        return name in python_tests(file)
    if ".json: " in test:
        file, name = test.split(": ", 1)
        return name in cases(file)
    suite, name = test.split(".")
    return name in c_tests(suite)


@pytest.mark.parametrize("row", ROWS_OF_ALL)
def test_a_row_names_tests_that_exist(row: dict[str, Any]) -> None:
    assert set(row) <= {"id", "says", *ROLES}
    assert row["says"]
    roles = [role for role in ROLES if role in row]
    assert roles, "nobody proves it"
    for role in roles:
        assert row[role], f"nobody proves it for the {role}"
        assert len(set(row[role])) == len(row[role])
        assert [test for test in row[role] if not exists(test)] == []


@pytest.mark.parametrize("protocol", sorted(ROWS))
def test_an_id_stands_once(protocol: str) -> None:
    ids = [row["id"] for row in ROWS[protocol]]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("code", range(4000, 4013))
def test_every_close_code_of_the_gateway_has_its_row_for_both_sides(code: int) -> None:
    (row,) = [row for row in ROWS["gateway"] if row["id"] == f"code/{code}"]
    assert all(role in row for role in ROLES)


def test_what_does_not_exist_is_found_out() -> None:
    for test in (
        "gateway_server.no_such_test",
        "no_such_suite.every_state_and_input",
        "gateway_envelope.json: no such case",
        "no_such_file.json: type alone",
        "test_protocol_rows.py::test_no_such_thing",
    ):
        assert not exists(test)
    assert exists("test_protocol_rows.py::test_an_id_stands_once")
