"""Opaque cursors: encrypted, authenticated, and all of one length.

A cursor is 60 characters whatever it points at, so that nothing can be read
from its form. It opens only for the kind and the owner it was made for.

Source: design.md section 3 and section 6, promise 6.
"""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Final

from gateway.errors import ContentGone, GatewayError
from gateway.keys import seal, unseal

_PLAIN: Final = struct.Struct(">Q8x")


class CursorUnreadable(GatewayError):
    """Not one of ours, or made for somebody else."""

    code = "CURSOR"
    actor = "sender"


def write_cursor(key: bytes, position: int, owner: str) -> str:
    """Make a cursor.

    Args:
        key: 32 bytes.
        position: 0 to 2**64 - 1.
        owner: what the cursor belongs to, for instance ``feed|actor|patient``.
    """
    sealed = seal(key, _PLAIN.pack(position), owner.encode())
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_cursor(key: bytes, cursor: str, owner: str) -> int:
    """The position of a cursor that :func:`write_cursor` made for this owner.

    Raises:
        CursorUnreadable: malformed, altered, or another owner's.
    """
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        (position,) = _PLAIN.unpack(unseal(key, sealed, owner.encode()))
    except (binascii.Error, ValueError, struct.error, ContentGone) as error:
        raise CursorUnreadable("cursor") from error
    return int(position)
