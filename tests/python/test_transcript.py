"""kedge.transcript: written without tokens, read again, and explained."""

from __future__ import annotations

import base64
import io
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from kedge import gateway
from kedge._core import Close
from kedge.transcript import (
    Line,
    Transcript,
    TranscriptError,
    explain,
    masked,
    read,
    write,
)
from talks import BROKEN, GATEWAY, WHOLE

LINES = [
    Line(0.0, "server", '{"type":"hello"}'),
    Line(0.5, "client", "ü \ud800 \n", state="LIVE"),
    Line(1, "client", b"\x00\xff"),
    Line(2.25, "server", code=4009, reason="gone"),
    Line(3, "client", code=1000),
    Line(4, "client"),
]

# ---- lines ---------------------------------------------------------------------------------------


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    write(LINES, file)
    assert list(read(file)) == LINES
    assert list(read(str(file))) == LINES
    with file.open(encoding="utf-8") as opened:
        assert list(read(opened)) == LINES
    target = io.StringIO()
    write(LINES, target)
    assert target.getvalue() == file.read_text()


def test_a_line_is_one_of_json() -> None:
    assert [str(line) for line in LINES] == [
        '{"t": 0.0, "from": "server", "text": "{\\"type\\":\\"hello\\"}"}',
        '{"t": 0.5, "from": "client", "text": "\\u00fc \\ud800 \\n", "state": "LIVE"}',
        '{"t": 1, "from": "client", "bytes": "AP8="}',
        '{"t": 2.25, "from": "server", "close": 4009, "reason": "gone"}',
        '{"t": 3, "from": "client", "close": 1000}',
        '{"t": 4, "from": "client", "close": null}',
    ]
    assert str(Line(0, "client", "ü")) == '{"t": 0, "from": "client", "text": "ü"}'


def test_the_end_of_a_connection_is_told_to_people() -> None:
    assert [line.ending for line in LINES] == [
        *("", "", "", "close 4009 gone", "close 1000", "the connection broke")
    ]
    assert Line(0, "server", code=1000, reason="\033[31m").ending == "close 1000 \ufffd[31m"


def test_other_members_and_empty_lines_are_passed_over() -> None:
    text = ["\n", '{"t": 1, "from": "client", "text": "x", "note": 1}\n', "  \n"]
    assert list(read(text)) == [Line(1, "client", "x")]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is no object"),
        ('{"from": "client", "text": "x"}', '"t"'),
        ('{"t": "1", "from": "client", "text": "x"}', '"t"'),
        ('{"t": true, "from": "client", "text": "x"}', '"t"'),
        ('{"t": -1, "from": "client", "text": "x"}', '"t"'),
        ('{"t": NaN, "from": "client", "text": "x"}', '"t"'),
        ('{"t": 1e300, "from": "client", "text": "x"}', '"t"'),
        ('{"t": 1, "text": "x"}', '"from"'),
        ('{"t": 1, "from": "me", "text": "x"}', '"from"'),
        ('{"t": 1, "from": ["client"], "text": "x"}', '"from"'),
        ('{"t": 1, "from": "client"}', "not one of"),
        ('{"t": 1, "from": "client", "text": "x", "close": 1}', "not one of"),
        ('{"t": 1, "from": "client", "text": 1}', '"text" is no text'),
        ('{"t": 1, "from": "client", "bytes": 1}', '"bytes" is no text'),
        ('{"t": 1, "from": "client", "bytes": "*"}', "not base64"),
        ('{"t": 1, "from": "client", "bytes": "ü"}', "ASCII"),
        ('{"t": 1, "from": "client", "close": "x"}', '"close"'),
        ('{"t": 1, "from": "client", "close": true}', '"close"'),
        ('{"t": 1, "from": "client", "close": 65536}', '"close"'),
        ('{"t": 1, "from": "client", "close": 1000, "reason": 1}', '"reason"'),
        ('{"t": 1, "from": "client", "text": "x", "state": 1}', '"state"'),
    ],
)
def test_a_line_that_is_none_is_told(line: str, what: str) -> None:
    with pytest.raises(TranscriptError, match="line 2: ") as caught:
        list(read([str(LINES[0]), line]))
    assert what in str(caught.value)
    assert caught.value.number == 2


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    file.write_bytes(b"\xff\n")
    with pytest.raises(TranscriptError, match="line 1: it is not UTF-8"):
        list(read(file))


# ---- recording -----------------------------------------------------------------------------------


def test_a_transcript_records_what_its_trace_is_told(tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    with Transcript(file) as transcript:
        transcript(100.5, "server", '{"type":"hello"}', "IDENTIFYING")
        transcript(101.25, "client", b"\x01", None)
        transcript(101.0, "server", Close(4009, "gone"), "CLOSED")
        transcript(102.5, "client", None, "WAITING")
        assert list(read(file)) == list(transcript.lines)
    assert list(transcript.lines) == [
        Line(0.0, "server", '{"type":"hello"}', state="IDENTIFYING"),
        Line(0.75, "client", b"\x01"),
        Line(0.5, "server", code=4009, reason="gone", state="CLOSED"),
        Line(2.0, "client", state="WAITING"),
    ]
    assert repr(transcript) == "<Transcript of 4 lines>"


def test_it_keeps_the_newest_lines() -> None:
    transcript = Transcript(limit=2)
    for number in range(5):
        transcript(number, "client", str(number), None)
    assert [line.message for line in transcript.lines] == ["3", "4"]
    transcript.close()


def test_it_writes_to_an_open_file_and_leaves_it_open() -> None:
    target = io.StringIO()
    with Transcript(target) as transcript:
        transcript(1, "client", "x", None)
    transcript(2, "client", "y", None)
    assert target.getvalue() == '{"t": 0.0, "from": "client", "text": "x"}\n'


# ---- tokens --------------------------------------------------------------------------------------

SECRET = 'hunter2-ÄÖ"\\'


def said(text: str | bytes | None, secrets: tuple[str, ...] = ()) -> Any:
    return masked(Line(0, "client", text), secrets).message


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"type":"identify","d":{"token":"t"}}', '{"type":"identify","d":{"token":"***"}}'),
        ('{"d":{"token" : "a\\"b" , "x":[1]}}', '{"d":{"token" : "***" , "x":[1]}}'),
        ('{"tok\\u0065n":"t"}', '{"tok\\u0065n":"***"}'),
        ('{"Token":"t","API_KEY":"k"}', '{"Token":"***","API_KEY":"***"}'),
        ('{"token":""}', '{"token":""}'),
        ('{"token":null,"x":"token"}', '{"token":null,"x":"token"}'),
        ('{"token":123}', '{"token":0}'),
        ('{"token":true}', '{"token":true}'),
        ('{"token":["a]",{"b":"}"}],"x":1}', '{"token":[],"x":1}'),
        ('{"token":{"a":{"b":["c"]}},"x":1}', '{"token":{},"x":1}'),
        ('["token","t"]', '["token","t"]'),
        ('{"a":"token\\":\\"t"}', '{"a":"token\\":\\"t"}'),
        ('{"type":"identify","d":{"token":"t"', '{"type":"identify","d":{"token***'),
        ("{'token': 't'}", "{'token***"),
        ("{tok\\u0065n: 't'}", "{***"),
        ("ping", "ping"),
        ('{"a":1', '{"a":1'),
        ('{"token":"t","deep":' + "[" * 100_000, '{"token***'),
    ],
)
def test_tokens_are_masked(text: str, left: str) -> None:
    assert said(text) == left
    assert said(text.encode()) == left.encode()


@pytest.mark.parametrize(
    "name",
    [
        *("token", "tokens", "access_token", "refresh_token", "id_token", "accessToken"),
        *("secret", "client_secret", "clientSecret", "password", "db.password", "passwd"),
        *("passphrase", "authorization", "Proxy-Authorization", "credential", "credentials"),
        *("cookie", "Set-Cookie", "api_key", "apikey", "apiKey", "x-api-key", "private_key"),
    ],
)
def test_secret_members_are_known_by_the_ends_of_their_names(name: str) -> None:
    assert said(json.dumps({name: "hunter2"})) == json.dumps({name: "***"})
    assert "hunter2" not in said(f"{name}=hunter2")


@pytest.mark.parametrize("name", ["token_type", "secretary", "key", "session_id", "keep"])
def test_other_members_stay(name: str) -> None:
    assert said(json.dumps({name: "Bearer"})) == json.dumps({name: "Bearer"})


@pytest.mark.parametrize("protocol", BROKEN)
def test_a_masked_message_is_judged_as_it_was(protocol: Any) -> None:
    for lines in (WHOLE[protocol], BROKEN[protocol][0]):
        before = [step.seen for step in explain(protocol, lines)]
        after = [step.seen for step in explain(protocol, [masked(line) for line in lines])]
        assert after == before


def test_secrets_are_masked_wherever_they_stand() -> None:
    for text in (
        f"ping {SECRET}",
        json.dumps({"a": {SECRET: [SECRET]}}),
        json.dumps({"a": SECRET}, ensure_ascii=False),
        f"broken {json.dumps(SECRET)}",
    ):
        assert said(text, ("", SECRET)) != text
        assert "hunter2" not in said(text, (SECRET,))
        assert b"hunter2" not in said(text.encode(), (SECRET,))
    line = masked(Line(0, "server", code=4004, reason=f"no: {SECRET}"), (SECRET,))
    assert line.reason == "no: ***"


def test_a_server_s_compressed_message_stays_whole() -> None:
    frame = b"\x28\xb5\x2f\xfd" + b'{"token":"x"}'
    assert masked(Line(0, "server", frame)).message == frame
    assert b'"x"' not in said(frame)


def test_no_token_survives_whatever_is_done_to_the_message() -> None:
    draw = random.Random(7)
    token = "sesame-open-token-of-anna"[:6] + "q" * 12
    whole = [
        json.dumps({"type": "identify", "d": {"token": token, "protocol_version": 1}}),
        json.dumps({"d": {"session_id": "a", "token": token, "last_seq": 1}, "type": "resume"}),
        json.dumps({"a": [{"token": {"deep": [token]}}], "token": [token, {"x": token}]}, indent=1),
        '{"type":"identify","d":{"t\\u006fken":"' + token + '"}}',
    ]
    transcript = Transcript()
    for _ in range(3000):
        text = draw.choice(whole)
        begin = text.rindex(token)
        for _ in range(draw.randrange(3)):  # broken somewhere behind the token's name
            place = draw.randrange(begin + len(token), len(text) + 1)
            text = text[:place] + draw.choice(["", '"', "{", "]", "\\", "x"]) + text[place + 1 :]
        if draw.random() < 0.3:
            text = text[: draw.randrange(begin + len(token), len(text) + 1)]
        kind = draw.choice([text, text.encode()])
        transcript(0, "client", kind, None)
        line = transcript.lines[-1]
        shown = line.message if isinstance(line.message, str) else line.message.decode()
        assert "qqq" not in shown, text
        assert "qqq" not in str(line)
        encoded = json.loads(str(line)).get("bytes")
        assert encoded is None or b"qqq" not in base64.b64decode(encoded)


# ---- explaining ----------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", WHOLE)
def test_a_whole_talk_is_explained(protocol: Any) -> None:
    steps = list(explain(protocol, WHOLE[protocol]))
    assert [step.line for step in steps] == WHOLE[protocol]
    assert not any(step.seen.broken for step in steps)
    assert all(step.seen.client_state and step.seen.server_state for step in steps)


@pytest.mark.parametrize("protocol", BROKEN)
def test_the_first_break_is_explained(protocol: Any) -> None:
    lines, place, culprit, rule = BROKEN[protocol]
    steps = list(explain(protocol, lines))
    assert [step.seen.broken for step in steps].index(True) == place
    assert sum(step.seen.broken for step in steps) == 1
    assert (steps[place].seen.culprit, steps[place].seen.rule) == (culprit, rule)
    assert [step.breach != "" for step in steps] == [step.seen.broken for step in steps]
    assert steps[place].breach.startswith(f"by the {culprit}: {rule} (")


def test_silence_breaks_the_contract_too() -> None:
    late = [*GATEWAY[:6], Line(60.0, "server", gateway.encode("x", seq=3).decode())]
    seen = [step.seen for step in explain("gateway", late)]
    assert seen[-1].broken
    assert seen[-1].culprit == "client"
    assert not math.isnan(late[-1].t)
