"""BlobHub Realtime: JSON-RPC 2.0 in both directions, and subscriptions by coordinates."""

from __future__ import annotations

from kedge._core import DecodeError, Envelope
from kedge._core import blobhub_decode as decode
from kedge._core import blobhub_decode_batch as decode_batch
from kedge._core import blobhub_encode as encode
from kedge._core import blobhub_encode_batch as encode_batch

__all__ = ["DecodeError", "Envelope", "decode", "decode_batch", "encode", "encode_batch"]
