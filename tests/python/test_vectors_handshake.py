"""The vectors of the handshake beside a second opinion: Python's queries, websockets and h11.

The C suites hold kedge against the same files. Where the second opinion differs, a table or the
comment beside the test says which rule it is.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from urllib.parse import parse_qsl, unquote, unquote_to_bytes, urlsplit

import h11
from vectors import Case, bytes_of, named
from websockets.client import ClientProtocol
from websockets.exceptions import (
    InvalidHeader,
    InvalidStatus,
    NegotiationError,
)
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

# ---- queries ----


@named("handshake_query")
def test_handshake_query(case: Case) -> None:
    pairs = parse_qsl(case["text"], keep_blank_values=True)
    # A name without a sign has no value, where Python has an empty one.
    ours = [part.partition("=")[::2] for part in case["pairs"].split(";") if part]
    if "%26" in case["text"]:  # what the case decodes to is written like a sign
        ours = [("a&b", "c=d")]
    if case["status"] == "HTTP_SYNTAX":  # Python takes a broken escape for text
        assert ours == pairs[: len(ours)]
        assert len(ours) < len(pairs)
    else:
        assert ours == pairs


# ---- handshakes ----

EXTENSIONS = "websockets looks at them only if it has some of its own"
HOSTS = "websockets does not look at the host"
# Where websockets takes a request for an upgrade, or does not, and kedge says otherwise.
REQUEST_DIFFERS = {
    "Upgrade as a list": "a list of protocols is allowed (RFC 9110, 7.8)",
    "subprotocols over two headers, empty elements": "a slash is no character of a token, "
    "but kedge takes it for the sake of base64 in BlobHub's subprotocol",
    "a key with bits to spare": "a key has 16 bytes in one spelling",
    "an extension of two words": EXTENSIONS,
    "an extension without a name": EXTENSIONS,
    "an extension's parameter without a name": EXTENSIONS,
    "an extension's parameter without its value": EXTENSIONS,
    "an extension's quote that does not end": EXTENSIONS,
    "an extension's empty quote": EXTENSIONS,
    "no Host": HOSTS,
    "two Hosts": HOSTS,
    "two Hosts, then another header": HOSTS,
    "the same Host twice": HOSTS,
    "an empty Host": HOSTS,
    "two names in one Host": HOSTS,
    "a Host with a user": HOSTS,
    "a Host with a path": HOSTS,
    "a Host with a space": HOSTS,
    "a Host that is not the URL's": HOSTS,
}


@named("handshake_request")
def test_handshake_request(case: Case) -> None:
    upgrade = case["status"] == "OK" and case["upgrade"] == 1
    server = ServerProtocol()
    server.receive_data(bytes_of(case))
    events = server.events_received()
    code = 0
    if events:
        assert case["status"] != "PARTIAL"
        assert isinstance(events[0], Request)
        code = server.accept(events[0]).status_code
        if case["status"] == "OK":
            same_request(case, events[0])
    assert ((code == 101) == upgrade) == (case["name"] not in REQUEST_DIFFERS)


def same_request(case: Case, request: Request) -> None:
    headers = request.headers
    offered = ", ".join(headers.get_all("Sec-WebSocket-Protocol")).split(",")
    found = {
        "target": request.path,
        "path": urlsplit(request.path).path or "/",
        "query": urlsplit(request.path).query,
        "host": headers.get("Host"),
        "origin": headers.get("Origin"),
        "key": headers.get("Sec-WebSocket-Key", ""),
        "headers": len(list(headers.raw_items())),
        "subprotocols": " ".join(filter(None, map(str.strip, offered))),
    }
    for member, value in found.items():
        assert case.get(member, value) == value


NOT_HTTPS = "HTTP leaves it to who reads the header"
TARGETS = "h11 takes any characters but blanks and control characters for a target"
HOST_TEXT = "h11 counts hosts, and does not read them"
NO_BODY = "an upgrade, a GET and a HEAD have no body (DESIGN: never a guess)"
THE_CASES = "the limit is the case's"
BARE_LF = "h11 takes a bare LF for the end of a line"
FOLDED = "h11 unfolds obsolete line folding"
# Where h11 takes a head for HTTP, or does not, and kedge says otherwise.
HTTP_DIFFERS = {
    "nothing": "h11 takes the end of all bytes for the end of the connection",
    "a fragment in the target": TARGETS,
    "a target that is no path": TARGETS,
    "a URL of another scheme": TARGETS,
    "a URL without an authority": TARGETS,
    "GET *": TARGETS,
    "CONNECT": "a server has no use for it",
    "a bare LF behind the request line": BARE_LF,
    "a bare LF behind a header": BARE_LF,
    "a bare LF as the blank line": BARE_LF,
    "a bare CR as the blank line": "h11 waits for what follows",
    "a folded header": FOLDED,
    "a header folded with a tab": FOLDED,
    "a control character in a value": "RFC 9110, 5.5: invalid, though a recipient may retain it",
    "DEL in a value": "likewise",
    "two Origins": NOT_HTTPS,
    "a subprotocol that is no token": NOT_HTTPS,
    "a subprotocol in quotes": NOT_HTTPS,
    "an extension of two words": NOT_HTTPS,
    "an extension without a name": NOT_HTTPS,
    "an extension's parameter without a name": NOT_HTTPS,
    "an extension's parameter without its value": NOT_HTTPS,
    "an extension's quote that does not end": NOT_HTTPS,
    "an extension's empty quote": NOT_HTTPS,
    "HTTP/1.0": "RFC 6455, 4.1: an upgrade is of 1.1; kedge serves no other version",
    "HTTP/2.0": "h11 takes any two digits",
    "HTTP/1.2": "h11 takes any two digits",
    "an empty Host": HOST_TEXT,
    "two names in one Host": HOST_TEXT,
    "a Host with a user": HOST_TEXT,
    "a Host with a path": HOST_TEXT,
    "a Host with a space": HOST_TEXT,
    "a Host that is not the URL's": HOST_TEXT,
    "an upgrade with a body": NO_BODY,
    "an upgrade with a chunked body": NO_BODY,
    "GET with a body": NO_BODY,
    "HEAD with a body": NO_BODY,
    "GET with a chunked body": NO_BODY,
    "the same length twice": "RFC 9110, 8.6 allows to refuse it",
    "a list of lengths": "likewise",
    "a length of 2^64": "Python's integers have no end",
    "a length and chunks": "RFC 9112, 6.1: a server may refuse it, for it smells of smuggling",
    "a head over the limit by one byte": THE_CASES,
    "a head at the limit that does not end": THE_CASES,
    "a fault before the limit": "h11 looks at whole heads only",
    "one header too many": THE_CASES,
    "101 headers": THE_CASES,
}


@named("handshake_request")
def test_handshake_request_is_http(case: Case) -> None:
    """What is wrong about the upgrade alone, h11 does not know."""
    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(bytes_of(case))
        event = connection.next_event()
    except h11.RemoteProtocolError:
        verdict = "fault"
    else:
        verdict = "PARTIAL" if event is h11.NEED_DATA else "OK"
    status: str = case["status"]
    if status.startswith("UPGRADE_") or status == "HTTP_METHOD":
        status = "OK"
    elif status.startswith("HTTP_"):
        status = "fault"
    assert (verdict == status) == (case["name"] not in HTTP_DIFFERS)
    if verdict == case["status"] == "OK":
        assert isinstance(event, h11.Request)
        assert case.get("method", event.method.decode()) == event.method.decode()
        assert case.get("target", event.target.decode()) == event.target.decode()
        assert case.get("headers", len(event.headers)) == len(event.headers)
        lengths = [int(value) for name, value in event.headers if name == b"content-length"]
        assert case.get("body_size", 0) == sum(lengths)
        codings = [value for name, value in event.headers if name == b"transfer-encoding"]
        assert case.get("chunked", 0) == len(codings)


BEARER, API_KEY, SUBPROTOCOL, QUERY = 1, 2, 4, 8
FORMS = {"authorization.bearer.base64": "bearer", "x-api-key.base64": "api key"}
Found = tuple[str, str, str]  # kind, secret, subprotocol


class WrongError(Exception):
    """There are credentials, and they cannot be decoded."""


def one_of(values: list[str]) -> str:
    if len(values) != 1:
        raise WrongError
    return values[0]


def secret_of(text: bytes) -> str:
    try:
        secret = text.decode()
    except UnicodeDecodeError:
        raise WrongError from None
    if not secret or any(unicodedata.category(each) == "Cc" for each in secret):
        raise WrongError
    return secret


def from_base64(text: str) -> bytes:
    """Either alphabet, with all of its padding or none, and no bits to spare."""
    body = text.rstrip("=")
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        try:
            data = base64.b64decode(body + "=" * (-len(body) % 4), altchars=ALTERNATIVES[encode])
        except ValueError:
            continue
        if text in (encode(data).decode(), encode(data).decode().rstrip("=")):
            return data
    raise WrongError


ALTERNATIVES = {base64.standard_b64encode: b"+/", base64.urlsafe_b64encode: b"-_"}


def octets(value: str) -> bytes:
    """A header's bytes. websockets reads them as ASCII with escapes, from 17 on as Latin-1."""
    try:
        return value.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("latin-1")


def credentials_in(request: Request, sources: int) -> Found:
    """Another reading of kedge/handshake.h."""
    headers = request.headers
    schemes = [value.partition(" ") for value in headers.get_all("Authorization")]
    if sources & BEARER and any(scheme.lower() == "bearer" for scheme, _, _ in schemes):
        return (
            "bearer",
            secret_of(octets(one_of([token for _, _, token in schemes]).strip(" \t"))),
            "",
        )
    if sources & API_KEY and "X-API-Key" in headers:
        return "api key", secret_of(octets(one_of(headers.get_all("X-API-Key")))), ""
    joined = ",".join(headers.get_all("Sec-WebSocket-Protocol"))
    offered = [each.strip() for each in joined.split(",")]
    forms = [each for each in offered if each in FORMS]
    if sources & SUBPROTOCOL and forms:
        form = one_of(forms)
        behind = offered[offered.index(form) + 1 :]
        if not behind:
            raise WrongError
        return FORMS[form], secret_of(from_base64(behind[0])), form
    return credentials_of_query(urlsplit(request.path).query) if sources & QUERY else NOTHING


NOTHING = ("none", "", "")


def credentials_of_query(query: str) -> Found:
    pairs = [each.partition("=") for each in query.split("&")]
    if any(re.search("%(?![0-9a-fA-F]{2})", each) for each in query.split("&")):
        raise WrongError
    found = [value for name, _, value in pairs if unquote(name) == "token"]
    if not found:
        return NOTHING
    return "bearer", secret_of(unquote_to_bytes(one_of(found).replace("+", " "))), ""


@named("handshake_credentials")
def test_handshake_credentials(case: Case) -> None:
    server = ServerProtocol()
    server.receive_data(bytes_of(case))
    (request,) = server.events_received()
    assert isinstance(request, Request)
    try:
        found = credentials_in(request, case["sources"])
    except WrongError:
        assert case["status"] == "CREDENTIALS"
    else:
        assert case["status"] == "OK"
        assert found == (case["kind"], case["secret"], case["subprotocol"])


# Where websockets says something else of an answer than kedge, and which rule it is.
INTERIM = "1xx other than 101 is passed over (RFC 9110, 15.2)"

# What websockets raises, and what kedge calls that.
RESPONSE_FAULTS: dict[str, set[str]] = {
    "InvalidMessage": {"HTTP_SYNTAX", "HTTP_VERSION", "HTTP_BODY", "HTTP_TOO_LARGE"},
    "InvalidStatus": {"UPGRADE_REFUSED"},
    "InvalidUpgrade": {"UPGRADE_MISSING"},
}
RESPONSE_DIFFERS = {
    "an empty list of extensions": "a list without elements asks for nothing",
    "an interim answer before": INTERIM,
    "an interim answer alone": INTERIM,
    "a refusal behind an interim answer": INTERIM,
    "interim answers without end": INTERIM,
    "503 with Retry-After": "websockets waits for the body's end",
    "HTTP/1.0 may refuse": "websockets reads 1.1 only",
    "a status without a meaning": "websockets knows statuses below 600 only",
    "101 with a body": "an upgrade has no body",
    "101 with a chunked body": "an upgrade has no body",
    "a head over the limit": THE_CASES,
    "one header too many": THE_CASES,
}


def response_verdict(case: Case, client: ClientProtocol) -> str:
    """What websockets says, in kedge's words."""
    status: str = case["status"]
    fault = client.handshake_exc
    if fault is None:
        return "OK" if client.events_received() else "PARTIAL"
    name = type(fault).__name__
    if isinstance(fault, InvalidStatus) and fault.response.status_code != case.get("code"):
        found = {f"a refusal by {fault.response.status_code}"}
    elif name in RESPONSE_FAULTS:
        found = RESPONSE_FAULTS[name]
    elif isinstance(fault, InvalidHeader):
        found = {f"UPGRADE_{fault.name.removeprefix('Sec-WebSocket-').upper()}"}
        found = {word.replace("PROTOCOL", "SUBPROTOCOL") for word in found}
    else:
        assert isinstance(fault, NegotiationError)
        word = "SUBPROTOCOL" if "subprotocol" in str(fault) else "EXTENSION"
        found = {f"UPGRADE_{word}"}
    return status if status in found else " or ".join(sorted(found))


@named("handshake_response")
def test_handshake_response(case: Case) -> None:
    offered = [Subprotocol(name) for name in case.get("offered", "").split()]
    client = ClientProtocol(parse_uri("ws://h/"), subprotocols=offered)
    client.key = "dGhlIHNhbXBsZSBub25jZQ=="
    client.receive_data(bytes_of(case))
    verdict = response_verdict(case, client)
    assert (verdict == case["status"]) == (case["name"] not in RESPONSE_DIFFERS)
    if verdict == case["status"] == "OK":
        assert (client.subprotocol or "") == case.get("subprotocol", "")
