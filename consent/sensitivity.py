"""Sensitive categories that follow from a note's ICPC-2 codes.

Derivation only adds: what the practice marked stays marked.

Source: sharing-rules 3.4 (OWN; needs clinical review).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime

from consent.model import Sensitive
from consent.times import has_reached

_CODE = re.compile(r"([A-Z])([0-9]{2})")


def _codes(text: str) -> frozenset[str]:
    """Codes and ranges such as ``P01-P14`` written out."""
    found = set()
    for part in text.split():
        first, _, last = part.partition("-")
        for number in range(int(first[1:]), int((last or first)[1:]) + 1):
            found.add(f"{first[0]}{number:02d}")
    return frozenset(found)


BY_CODE: dict[Sensitive, frozenset[str]] = {
    Sensitive.PSY: _codes("P01-P14 P20-P29 P70-P99"),
    Sensitive.SUBST: _codes("P15 P16 P18 P19"),
    Sensitive.REPRO: _codes(
        "W01 W10-W15 W78 W79 W82 W83 X23 X70-X73 X90-X92 Y25 Y70-Y72 Y76",
    ),
    Sensitive.HIV: frozenset({"B90"}),
    Sensitive.ABUSE: frozenset({"Z16"}),
}
_PARTNER_PROBLEM = "Z12"
_ASSAULT = "Z25"
_CHILD_UNTIL_AGE = 15


def derived_categories(
    icpc2: Iterable[str], birth_date: date | None, at: datetime
) -> frozenset[Sensitive]:
    """The categories that follow from the codes.

    Args:
        icpc2: codes as sent, in any case and with any extension after the
            letter and two digits; what is no such code is passed over.
        birth_date: the patient's; when unknown, what would follow for a child
            and what would follow for an adult are both added.
        at: the instant the note speaks of (its ``created_at``).
    """
    codes = set()
    for text in icpc2:
        match = _CODE.match(text.strip().upper())
        if match is not None:
            codes.add(match.group(0))
    found = {category for category, members in BY_CODE.items() if codes & members}
    if _ASSAULT in codes:
        is_child = None if birth_date is None else not has_reached(birth_date, _CHILD_UNTIL_AGE, at)
        if is_child is not True or _PARTNER_PROBLEM in codes:
            found.add(Sensitive.DV)
        if is_child is not False:
            found.add(Sensitive.ABUSE)
    return frozenset(found)
