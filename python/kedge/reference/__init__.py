"""The reference servers: small, complete, and what `kedge serve` runs; a module for each protocol.

They know users by their tokens.
"""

from __future__ import annotations

from kedge.reference._users import Users

__all__ = ["Users"]
