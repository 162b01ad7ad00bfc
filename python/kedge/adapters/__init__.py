"""kedge beneath other libraries' WebSockets, one module each; import the one that you need."""

from __future__ import annotations
