"""Canonical XML for signatures, and times as the wires write them.

Source: Exclusive XML Canonicalization 1.0; XML Schema, dateTime.
"""

from __future__ import annotations

from datetime import UTC, datetime

from lxml import etree

EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
DS = "http://www.w3.org/2000/09/xmldsig#"


def exclusive(element: etree._Element) -> bytes:
    """Canonicalize an element and all below it; comments and the tail are left out.

    The result carries every namespace declaration its names need, so it can be
    put into any other document without changing its own canonical form.
    """
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def utc_text(instant: datetime) -> str:
    """Write an instant as ``dateTime`` in UTC with ``Z``, whole seconds.

    Raises:
        ValueError: the instant has no time zone.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant must carry its time zone")
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.isoformat(timespec="seconds")[:19] + "Z"
