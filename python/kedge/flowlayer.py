"""FlowLayer V1: a supervisor's services, their status and their logs, over one WebSocket."""

from __future__ import annotations

from kedge._core import DecodeError, Envelope
from kedge._core import flowlayer_decode as decode
from kedge._core import flowlayer_encode as encode

__all__ = ["DecodeError", "Envelope", "decode", "encode"]
