"""What two sides said, line by line: written without tokens, read again, and explained.

A transcript is a file of JSON lines, one for each message and for each end of a connection:

    {"t": 0.0, "from": "server", "text": "{\\"type\\":\\"hello\\", ...}"}
    {"t": 0.1, "from": "client", "bytes": "KLUv/Q..."}
    {"t": 9.5, "from": "server", "close": 4009, "reason": "session expired"}
    {"t": 9.6, "from": "client", "close": null}

`t` is in seconds, from whatever origin; `bytes` are base64, and of a compressed message the
compressed ones; a `close` of null is a connection that broke. Other members may be there: what this
module writes of a link tells its `state` too.

    transcript = Transcript("chat.jsonl")
    link.trace = transcript                     # a client, or a server's link
    ...
    for step in explain("gateway", read("chat.jsonl")):
        print(step.line.sender, step.seen.name, step.seen.client_state, step.seen.rule)
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Literal, NamedTuple, TypeAlias, cast

from kedge._core import Close, Error, Observation, Watch
from kedge._enums import Status
from kedge._words import printable

__all__ = [
    "Line",
    "Step",
    "Transcript",
    "TranscriptError",
    "explain",
    "masked",
    "read",
    "write",
]

Side: TypeAlias = Literal["client", "server"]
Protocol: TypeAlias = Literal["gateway", "flowlayer", "messaging", "blobhub"]
Path: TypeAlias = "str | os.PathLike[str]"


class TranscriptError(Error, ValueError):
    """A line that is none of a transcript's; `number` is which, from 1."""

    status = Status.JSON_SYNTAX

    def __init__(self, number: int, what: str) -> None:
        super().__init__(f"line {number}: {what}")
        self.number = number


@dataclass(frozen=True)
class Line:
    """A message that `sender` sent: a str, or bytes if it was binary. Without one it is the end of
    a connection, by a close frame with `code` and `reason`, or a broken one: `code` is None.

    `state` is that of the link that was traced, behind it.
    """

    t: float
    sender: Side
    message: str | bytes | None = None
    code: int | None = None
    reason: str = ""
    state: str | None = None

    @property
    def ending(self) -> str:
        """How the connection ended, for people; "" if it did not."""
        if self.message is not None:
            return ""
        if self.code is None:
            return "the connection broke"
        return f"close {self.code} {printable(self.reason)}".rstrip()

    def __str__(self) -> str:
        """The line as it is written."""
        told: dict[str, Any] = {"t": self.t, "from": self.sender}
        if isinstance(self.message, str):
            told["text"] = self.message
        elif self.message is not None:
            told["bytes"] = base64.b64encode(self.message).decode()
        else:
            told["close"] = self.code
            if self.reason:
                told["reason"] = self.reason
        if self.state is not None:
            told["state"] = self.state
        return json.dumps(told, ensure_ascii=not is_utf8(self.message, self.reason))


def is_utf8(*texts: object) -> bool:
    """False where a str has a lone surrogate."""
    try:
        "".join(text for text in texts if isinstance(text, str)).encode()
    except UnicodeEncodeError:
        return False
    return True


# ---- reading -------------------------------------------------------------------------------------


def read(source: Path | Iterable[str]) -> Iterator[Line]:
    """The lines of a transcript: of the file with that name, or of what gives them, such as an open
    file. Empty ones are passed over; TranscriptError tells which one is none."""
    if isinstance(source, str | os.PathLike):
        with open(source, encoding="utf-8") as file:
            yield from read(file)
        return
    lines = iter(source)
    number = 0
    while True:
        number += 1
        try:
            text = next(lines, None)
        except UnicodeDecodeError:
            raise TranscriptError(number, "it is not UTF-8") from None
        if text is None:
            return
        if text.strip():
            yield line_of(number, text)


def line_of(number: int, text: str) -> Line:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TranscriptError(number, f"it is not JSON: {error}") from None
    if not isinstance(told, dict):
        raise TranscriptError(number, "it is no object")
    try:
        return line_from(told)
    except ValueError as error:
        raise TranscriptError(number, str(error)) from None


def line_from(told: dict[str, Any]) -> Line:
    line = Line(time_of(told.get("t")), side_of(told.get("from")), state=state_of(told))
    kinds = [kind for kind in ("text", "bytes", "close") if kind in told]
    if len(kinds) != 1:
        raise ValueError('it has not one of "text", "bytes" and "close"')
    if kinds == ["close"]:
        return replace(line, code=code_of(told["close"]), reason=text_of(told, "reason", ""))
    if kinds == ["text"]:
        return replace(line, message=text_of(told, "text", None))
    try:
        return replace(line, message=base64.b64decode(text_of(told, "bytes", None), validate=True))
    except binascii.Error:
        raise ValueError('its "bytes" are not base64') from None


def time_of(told: object) -> float:
    number = isinstance(told, int | float) and not isinstance(told, bool)
    if not number or not 0 <= cast(float, told) < 1e9:
        raise ValueError('its "t" is no number of seconds')
    return cast(float, told)


def side_of(told: object) -> Side:
    if told not in ("client", "server"):
        raise ValueError('its "from" is neither "client" nor "server"')
    return told


def state_of(told: dict[str, Any]) -> str | None:
    return None if told.get("state") is None else text_of(told, "state", None)


def code_of(told: object) -> int | None:
    if told is None:
        return None
    if not isinstance(told, int) or isinstance(told, bool) or not 1 <= told <= 65535:
        raise ValueError('its "close" is neither a close code nor null')
    return told


def text_of(told: dict[str, Any], name: str, otherwise: str | None) -> str:
    text = told.get(name, otherwise)
    if not isinstance(text, str):
        raise ValueError(f'its "{name}" is no text')
    return text


# ---- writing -------------------------------------------------------------------------------------


def write(lines: Iterable[Line], target: Path | IO[str]) -> None:
    """Writes lines, as they are, to the file with that name or to an open one."""
    if isinstance(target, str | os.PathLike):
        with open(target, "w", encoding="utf-8") as file:
            write(lines, file)
        return
    for line in lines:
        target.write(f"{line}\n")


class Transcript:
    """Records what a link hears and says: `link.trace = Transcript(...)`.

    The newest lines are kept (`lines`, `limit` of them); where a `target` is given, the name of a
    file or an open one, each is written there at once. Times count from the first line. What is
    recorded has no token in it: see `masked`; `secrets` are besides masked wherever they occur.
    """

    def __init__(
        self,
        target: Path | IO[str] | None = None,
        *,
        secrets: Iterable[str] = (),
        limit: int = 10_000,
    ) -> None:
        self.lines: deque[Line] = deque(maxlen=limit)
        self._secrets = tuple(secrets)
        self._begin: float | None = None
        self._owned = isinstance(target, str | os.PathLike)
        self._file: IO[str] | None
        if isinstance(target, str | os.PathLike):
            self._file = open(target, "w", encoding="utf-8")  # noqa: SIM115 - close() closes it
        else:
            self._file = target

    def __repr__(self) -> str:
        return f"<Transcript of {len(self.lines)} lines>"

    def __call__(
        self, now: float, sender: Side, message: str | bytes | Close | None, state: str | None
    ) -> None:
        """What a link's `trace` is called with: a message, a close frame, or None for a connection
        that broke."""
        if self._begin is None:
            self._begin = now
        t = round(max(0.0, now - self._begin), 6)
        if isinstance(message, Close):
            line = Line(t, sender, code=message.code, reason=message.reason, state=state)
        else:
            line = Line(t, sender, message, state=state)
        line = masked(line, self._secrets)
        self.lines.append(line)
        if self._file is not None:
            self._file.write(f"{line}\n")
            self._file.flush()

    def close(self) -> None:
        """Closes the file that it opened."""
        if self._file is not None and self._owned:
            self._file.close()
        self._file = None

    def __enter__(self) -> Transcript:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


# ---- tokens --------------------------------------------------------------------------------------

MASK = "***"
SECRETS = (
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "authorization",
    "credential",
    "cookie",
    "api_key",
    "private_key",
)
ZSTD = b"\x28\xb5\x2f\xfd"

STRING = re.compile(r'"(?:[^"\\]|\\.)*("|\Z)', re.DOTALL)
COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
SCALAR = re.compile(r"[^\s,\]}]*")
ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")
MENTION = re.compile("|".join(SECRETS).replace("_", "[-_. ]?"), re.IGNORECASE)
SECRET_NAME = re.compile(rf"(?:{MENTION.pattern})s?\Z", re.IGNORECASE)


def masked(line: Line, secrets: Sequence[str] = ()) -> Line:
    """The line without tokens: the values of members whose names end in token, secret, password,
    authorization, api_key and the like (accessToken, x-api-key), at any depth, keep their type but
    say nothing, and the secrets are gone wherever they stand. Of text that is not JSON and speaks
    of a token nothing is left behind that place.

    Compressed messages of a server are left as they are: they carry none.
    """
    message = line.message
    hidden = written_forms(secrets)
    if isinstance(message, str):
        message = masked_text(message, hidden)
    elif message is not None and not (line.sender == "server" and message.startswith(ZSTD)):
        as_bytes = [form.encode().decode("latin-1") for form in hidden]
        message = masked_text(message.decode("latin-1"), as_bytes).encode("latin-1")
    return replace(line, message=message, reason=without(line.reason, hidden))


def written_forms(secrets: Iterable[str]) -> list[str]:
    """The secrets, as they are and as JSON writes them."""
    forms = []
    for secret in filter(None, secrets):
        forms += [json.dumps(secret, ensure_ascii=ascii)[1:-1] for ascii in (True, False)]
        forms.append(secret)
    return forms


def without(text: str, hidden: Iterable[str]) -> str:
    for form in hidden:
        text = text.replace(form, MASK)
    return text


def masked_text(text: str, hidden: Iterable[str] = ()) -> str:
    return without(masked_members(text) if is_json(text) else masked_rest(text), hidden)


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def masked_members(text: str) -> str:
    """JSON, the values of its secret members emptied."""
    parts = []
    place = done = 0
    while (name := STRING.search(text, place)) is not None:
        place = name.end()
        colon = COLON.match(text, place)
        if colon is not None and SECRET_NAME.search(json.loads(name[0])):
            place = end_of_value(text, colon.end())
            parts += [text[done : colon.end()], emptied(text[colon.end() : place])]
            done = place
    return "".join([*parts, text[done:]])


def end_of_value(text: str, begin: int) -> int:
    if text[begin] == '"':
        return cast("re.Match[str]", STRING.match(text, begin)).end()
    if text[begin] not in "[{":
        return cast("re.Match[str]", SCALAR.match(text, begin)).end()
    depth, place = 0, begin
    while True:
        if text[place] == '"':
            place = cast("re.Match[str]", STRING.match(text, place)).end()
            continue
        depth += (text[place] in "[{") - (text[place] in "]}")
        place += 1
        if depth == 0:
            return place


def emptied(value: str) -> str:
    """A value of the same type that says nothing; what is empty stays so."""
    if value[0] == '"':
        return value if value == '""' else f'"{MASK}"'
    if value[0] in "[{":
        return "[]" if value[0] == "[" else "{}"
    return value if value in ("true", "false", "null") else "0"


def masked_rest(text: str) -> str:
    """What is not JSON, up to where it speaks of a token. Its first character stays: by that the
    messenger knows its keep-alives."""
    mention = MENTION.search(text)
    if mention is not None:
        return text[: mention.end()] + MASK
    plain = ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
    return text[:1] + MASK if MENTION.search(plain) else text


# ---- explaining ----------------------------------------------------------------------------------


class Step(NamedTuple):
    """A line, and what an observer saw in it."""

    line: Line
    seen: Observation

    @property
    def breach(self) -> str:
        """Who broke the contract by this line, against which rule, for people; "" if nobody did."""
        seen = self.seen
        if not seen.broken:
            return ""
        other = "server" if seen.culprit == "client" else "client"
        does = f"; the {other} closes with {seen.code}" if seen.code else ""
        return f"by the {seen.culprit}: {seen.rule} ({seen.cause}){does}"


def explain(
    protocol: Protocol,
    lines: Iterable[Line],
    *,
    client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
) -> Iterator[Step]:
    """Judges a transcript line by line: in which state both sides are, and who broke the contract
    first (`step.seen.broken`). `client` and `server` are settings, as kedge.Watch takes them."""
    watch = Watch(protocol, client=client, server=server)
    for line in lines:
        if line.message is None:
            seen = watch.close(line.sender, line.code, line.reason, now=line.t)
        else:
            seen = watch.message(line.sender, line.message, now=line.t)
        yield Step(line, seen)
