"""Who may come in."""

from __future__ import annotations

import hmac
from collections.abc import Mapping


class Users:
    """Who has which token."""

    def __init__(self, tokens: Mapping[str, str], common: str | None = None) -> None:
        """`tokens` are tokens by the names of users; with the `common` one anybody is let in, each
        login as the user "guest"."""
        self._tokens = {name: token.encode() for name, token in tokens.items()}
        if common is not None:
            self._tokens["guest"] = common.encode()

    def __repr__(self) -> str:
        return f"Users({sorted(self._tokens)})"

    def whose(self, token: str) -> str | None:
        """The user's name, None if the token is nobody's. Takes as long whatever the token is."""
        given = token.encode()
        found = None
        for name, known in self._tokens.items():
            if hmac.compare_digest(given, known):
                found = name
        return found
