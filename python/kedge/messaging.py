"""The messenger: requests and their responses, and a stream of numbered events for each user."""

from __future__ import annotations

from kedge._core import DecodeError, Envelope
from kedge._core import messaging_decode as decode
from kedge._core import messaging_encode as encode

__all__ = ["DecodeError", "Envelope", "decode", "encode"]
