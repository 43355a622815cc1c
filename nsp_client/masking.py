"""Masks civil registration numbers in texts that come from elsewhere.

A peer's fault text may quote the number it was asked about; our own errors are
logged, so the number is masked before it becomes part of one.
"""

from __future__ import annotations

import re
from typing import Final

# A UUID comes first, so that its digits are not taken for a number: an id in a log
# line must stay whole to be followed.
_CPR_LIKE: Final = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|(?<![0-9])(?<![0-9]\.)([0-9]{6})-?(?:[0-9]{4}|[0-9][A-Z]{2}[0-9])(?![0-9]|\.[0-9])"
)


def _masked(match: re.Match[str]) -> str:
    return match.group() if match.group(1) is None else f"{match.group(1)}****"


def mask_cprs(text: str) -> str:
    """Return ``text`` with the last four characters of everything CPR-like as ``****``.

    Six digits, a dash or not, then four more, or the end of a replacement number.
    Numbers inside an OID or a UUID are left alone. A masked bystander (an order
    number of ten digits) does no harm.
    """
    return _CPR_LIKE.sub(_masked, text)
