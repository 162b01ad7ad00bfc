"""The cases of tests/vectors, and what Python itself makes of their UTF-8 and JSON."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path
from typing import Any

import pytest
from test_differential_core import (
    has_lone_surrogate,
    python_fault,
    python_value,
)

ROOT = Path(__file__).resolve().parents[2]
Case = dict[str, Any]


def cases(name: str) -> list[Case]:
    found: list[Case] = json.loads((ROOT / f"tests/vectors/{name}.json").read_text())["cases"]
    return found


def bytes_of(case: Case) -> bytes:
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    text = case.get("head", "") + case["text"] * case.get("times", 1) + case.get("tail", "")
    return str(text).encode("utf-8", "surrogatepass")


def named(name: str) -> Any:
    """Each case of the file is a test of its own."""
    return pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in cases(name)])


# ---- UTF-8 ----

# What kedge tells apart where Python says only what it stumbled over.
UTF8_FAULTS = {
    "invalid start byte": {"UTF8_CONTINUATION", "UTF8_OVERLONG", "UTF8_TOO_LARGE", "UTF8_INVALID"},
    "invalid continuation byte": {
        *("UTF8_MISSING", "UTF8_INVALID", "UTF8_OVERLONG", "UTF8_SURROGATE", "UTF8_TOO_LARGE")
    },
    "unexpected end of data": {"UTF8_TRUNCATED"},
}


def utf8_fault(text: bytes) -> tuple[str, int] | None:
    """What Python says is wrong, and the first byte that cannot continue the text."""
    try:
        text.decode()
    except UnicodeDecodeError as fault:
        return fault.reason, fault.start if fault.reason == "invalid start byte" else fault.end
    return None


# ---- JSON ----


# What ends a text that was cut off, before the brackets that are still open: a value, the rest of a
# string, an escape or a word; then, behind a name, its value.
ENDS = ["0", '"', '""', 'n"', '0"', '00"', '000"', '0000"', ""]
ENDS += [word[at:] for word in ("true", "false", "null") for at in range(1, len(word))]


def closers_of(text: str) -> str:
    """The brackets that are open at the end of the text, as they are to be closed."""
    found = []
    strings = re.sub(r'"(\\.|[^"\\])*("|\\?$)', "", text, flags=re.DOTALL)
    for character in strings:
        if character in "[{":
            found.append("]" if character == "[" else "}")
        elif character in "]}" and found:
            found.pop()
    return "".join(reversed(found))


def is_json(text: str) -> bool:
    try:
        python_value(text.encode())
    except ValueError:
        return False
    return True


def may_go_on(text: bytes) -> bool:
    """Is there a JSON text that begins like this? By trying, with Python as the judge."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoded = decoder.decode(text)
    except UnicodeDecodeError:
        return False
    decoded += "\ufffd" if decoder.getstate()[0] else ""  # some character that has begun
    closers = closers_of(decoded)
    return any(is_json(decoded + end + more + closers) for end in ENDS for more in ("", ":0"))


def holds_json(case: Case) -> None:
    """The status is one that Python's decoder allows for, and the offset that of the first byte
    with which no JSON text can begin."""
    text, status, offset = bytes_of(case), case["status"], case["offset"]
    if status == "JSON_TOO_DEEP":  # a limit of the caller's
        assert len(closers_of(text[: offset + 1].decode())) == case.get("depth", 128) + 1
        return
    if len(closers_of(text[: len(text) // 2].decode("utf-8", "replace"))) > 500:
        return  # more than Python's stack holds
    if status == "OK":
        assert offset == len(text)
        assert not has_lone_surrogate(python_value(text))
        return
    if status == "JSON_LONE_SURROGATE":  # Python takes it, up to what is broken behind it
        assert re.search(rb"\\u[dD]", text[:offset])
        assert not is_json(text.decode()) or has_lone_surrogate(python_value(text))
        return
    assert may_go_on(text[:offset])
    if status in ("JSON_TRUNCATED", "UTF8_TRUNCATED"):
        assert offset == len(text)
        assert (python_fault(text) is None) == (status == "JSON_TRUNCATED")
        assert status == "UTF8_TRUNCATED" or not is_json(text.decode())
        return
    if status.startswith("UTF8_"):
        fault = utf8_fault(text)
        assert fault is not None
        assert status in UTF8_FAULTS[fault[0]]
        assert fault[1] == offset
        return
    assert not may_go_on(text[: offset + 1])
    if status == "JSON_TRAILING":
        assert is_json(text[:offset].decode())
    elif status == "JSON_NUMBER":
        assert text[offset - 1 : offset] in b"-+.eE0"
    elif status == "JSON_ESCAPE":
        assert b"\\" in text[offset - 5 if offset > 5 else 0 : offset]
    elif status == "JSON_CONTROL":
        assert text[offset] < 0x20
    else:
        assert status == "JSON_SYNTAX"
