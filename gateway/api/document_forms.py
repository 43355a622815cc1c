"""Which form of a document a reader wants: FHIR JSON or FHIR XML.

Source: FHIR R4 HTTP, content negotiation (``Accept``, overridden by ``_format``);
RFC 9110, 12.5.1 (quality, the more specific range wins).
"""

from __future__ import annotations

import re
from typing import Final

FHIR_JSON: Final = "application/fhir+json"
FHIR_XML: Final = "application/fhir+xml"

_RANGES: Final = {
    FHIR_JSON: ("*/*", "application/*", "application/json", FHIR_JSON),
    FHIR_XML: ("*/*", "application/*", "text/xml", "application/xml", FHIR_XML),
}
"""What names each form, the least specific first."""
_FORMATS: Final = {
    **dict.fromkeys(("json", "application/json", FHIR_JSON), FHIR_JSON),
    **dict.fromkeys(("xml", "text/xml", "application/xml", FHIR_XML), FHIR_XML),
}
_QUALITY: Final = re.compile(r"\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)


def wanted_form(accept: str | None, requested: str | None) -> str | None:
    """Choose the form to answer with.

    Args:
        accept: the header ``Accept`` as sent.
        requested: the query parameter ``_format``, which wins; a plus sign that became
            a blank on the way is read as one.

    Returns:
        :data:`FHIR_JSON`, also where both are as welcome, or :data:`FHIR_XML`; None when
        neither is acceptable.
    """
    if requested is not None:
        name = requested.partition(";")[0].strip().lower()
        return _FORMATS.get(name.replace(" ", "+"))
    if accept is None or not accept.strip():
        return FHIR_JSON
    qualities = _qualities(accept)
    best, form = 0.0, None
    for offered, ranges in _RANGES.items():
        named = [qualities[each] for each in ranges if each in qualities]
        if named and named[-1] > best:
            best, form = named[-1], offered
    return form


def _qualities(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in accept.lower().split(","):
        media_range, *parameters = item.split(";")
        quality = 1.0
        for parameter in parameters:
            match = _QUALITY.fullmatch(parameter)
            if match is not None:
                quality = float(match[1])
        found[media_range.strip()] = quality
    return found
