"""The words of the C library that are enums in Python.

Their members are equal to their values, so that a comparison with a plain string does. The
extension hands them out; what they are called there is held against this by the import itself.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["CredentialsKind", "OutcomeKind", "Status"]


class _Word(str, Enum):
    """A member is a str: equal to it, hashed, written and sorted like it."""

    __str__ = str.__str__

    def __format__(self, format_spec: str) -> str:
        return str.__format__(self, format_spec)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class Status(_Word):
    """How a call of the library ended, or why a connection did.

    Each is equal to its name. `meaning` is it in words.
    """

    OK = "OK"
    PARTIAL = "PARTIAL"
    NO_MEMORY = "NO_MEMORY"
    NO_SPACE = "NO_SPACE"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    WRONG_ROLE = "WRONG_ROLE"
    WRONG_STATE = "WRONG_STATE"
    STALE_TICKET = "STALE_TICKET"
    LIMIT = "LIMIT"
    UNKNOWN = "UNKNOWN"
    SEALED = "SEALED"
    WANTED = "WANTED"
    UNSUPPORTED = "UNSUPPORTED"
    UTF8_TRUNCATED = "UTF8_TRUNCATED"
    UTF8_CONTINUATION = "UTF8_CONTINUATION"
    UTF8_MISSING = "UTF8_MISSING"
    UTF8_OVERLONG = "UTF8_OVERLONG"
    UTF8_SURROGATE = "UTF8_SURROGATE"
    UTF8_TOO_LARGE = "UTF8_TOO_LARGE"
    UTF8_INVALID = "UTF8_INVALID"
    JSON_SYNTAX = "JSON_SYNTAX"
    JSON_TRUNCATED = "JSON_TRUNCATED"
    JSON_TRAILING = "JSON_TRAILING"
    JSON_TOO_DEEP = "JSON_TOO_DEEP"
    JSON_NUMBER = "JSON_NUMBER"
    JSON_ESCAPE = "JSON_ESCAPE"
    JSON_LONE_SURROGATE = "JSON_LONE_SURROGATE"
    JSON_CONTROL = "JSON_CONTROL"
    JSON_TYPE = "JSON_TYPE"
    JSON_RANGE = "JSON_RANGE"
    FRAME_RESERVED = "FRAME_RESERVED"
    FRAME_OPCODE = "FRAME_OPCODE"
    FRAME_CONTROL_SIZE = "FRAME_CONTROL_SIZE"
    FRAME_CONTROL_FRAGMENTED = "FRAME_CONTROL_FRAGMENTED"
    FRAME_MASK_MISSING = "FRAME_MASK_MISSING"
    FRAME_MASK_UNEXPECTED = "FRAME_MASK_UNEXPECTED"
    FRAME_NOT_MINIMAL = "FRAME_NOT_MINIMAL"
    FRAME_SIZE = "FRAME_SIZE"
    FRAME_SEQUENCE = "FRAME_SEQUENCE"
    CLOSE_SIZE = "CLOSE_SIZE"
    CLOSE_CODE = "CLOSE_CODE"
    AFTER_CLOSE = "AFTER_CLOSE"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    TOO_MANY_FRAGMENTS = "TOO_MANY_FRAGMENTS"
    TOO_MANY_PINGS = "TOO_MANY_PINGS"
    HTTP_SYNTAX = "HTTP_SYNTAX"
    HTTP_TOO_LARGE = "HTTP_TOO_LARGE"
    HTTP_VERSION = "HTTP_VERSION"
    HTTP_METHOD = "HTTP_METHOD"
    HTTP_BODY = "HTTP_BODY"
    HTTP_HOST = "HTTP_HOST"
    UPGRADE_MISSING = "UPGRADE_MISSING"
    UPGRADE_VERSION = "UPGRADE_VERSION"
    UPGRADE_KEY = "UPGRADE_KEY"
    UPGRADE_ACCEPT = "UPGRADE_ACCEPT"
    UPGRADE_SUBPROTOCOL = "UPGRADE_SUBPROTOCOL"
    UPGRADE_EXTENSION = "UPGRADE_EXTENSION"
    UPGRADE_REFUSED = "UPGRADE_REFUSED"
    CREDENTIALS = "CREDENTIALS"
    ZSTD_BROKEN = "ZSTD_BROKEN"
    ZSTD_NO_SIZE = "ZSTD_NO_SIZE"
    ZSTD_TOO_LARGE = "ZSTD_TOO_LARGE"
    ZSTD_WINDOW = "ZSTD_WINDOW"
    ZSTD_DICTIONARY = "ZSTD_DICTIONARY"
    ZSTD_TRAILING = "ZSTD_TRAILING"
    ZSTD_SKIPPABLE = "ZSTD_SKIPPABLE"
    ENVELOPE_NOT_OBJECT = "ENVELOPE_NOT_OBJECT"
    ENVELOPE_MEMBER_MISSING = "ENVELOPE_MEMBER_MISSING"
    ENVELOPE_MEMBER_TYPE = "ENVELOPE_MEMBER_TYPE"
    ENVELOPE_MEMBER_DOUBLED = "ENVELOPE_MEMBER_DOUBLED"
    ENVELOPE_BINARY = "ENVELOPE_BINARY"
    ENVELOPE_MEMBER_VALUE = "ENVELOPE_MEMBER_VALUE"
    ENVELOPE_MEMBER_EXCLUSIVE = "ENVELOPE_MEMBER_EXCLUSIVE"
    HISTORY_AHEAD = "HISTORY_AHEAD"
    HISTORY_LOST = "HISTORY_LOST"
    TOO_MANY_TOPICS = "TOO_MANY_TOPICS"
    TOO_MANY_SESSIONS = "TOO_MANY_SESSIONS"
    NOT_YOURS = "NOT_YOURS"
    QUEUE_FULL = "QUEUE_FULL"
    RATE_LIMITED = "RATE_LIMITED"
    TIMED_OUT = "TIMED_OUT"
    TAKEN_OVER = "TAKEN_OVER"
    REFUSED = "REFUSED"
    PEER_CLOSED = "PEER_CLOSED"
    HOST_CLOSED = "HOST_CLOSED"
    LOST = "LOST"
    STOPPED = "STOPPED"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    UNEXPECTED = "UNEXPECTED"
    HANDLER_FAILED = "HANDLER_FAILED"
    PROTOCOL_VERSION = "PROTOCOL_VERSION"
    NO_CREDENTIALS = "NO_CREDENTIALS"
    SNAPSHOT_BROKEN = "SNAPSHOT_BROKEN"
    SNAPSHOT_VERSION = "SNAPSHOT_VERSION"
    SNAPSHOT_UNSEALED = "SNAPSHOT_UNSEALED"

    @property
    def meaning(self) -> str:
        """A sentence of the library's."""
        from kedge._core import statuses

        return next(text for _, name, text, _ in statuses if name == self)

    @property
    def close_code(self) -> int | None:
        """What the WebSocket layer closes with when this is why; None: it does not by itself."""
        from kedge._core import statuses

        return next(code or None for _, name, _, code in statuses if name == self)


class OutcomeKind(_Word):
    """How a request of ours ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    INVALIDATED = "invalidated"


class CredentialsKind(_Word):
    """What a client showed before the upgrade."""

    NONE = "none"
    BEARER = "bearer"
    API_KEY = "api_key"
