"""Namespaces of the XDS messages. Source: IHE ITI TF-2 appendix V; OASIS ebXML 3.0."""

from __future__ import annotations

from typing import Final

XDS_NS: Final = "urn:ihe:iti:xds-b:2007"
RIM_NS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS_NS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
LCM_NS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
QUERY_NS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"

XDS_DOCUMENT: Final = f"{{{XDS_NS}}}Document"
"""The one element that may hold an ``xop:Include``."""

BINARY_ELEMENTS: Final = frozenset({XDS_DOCUMENT})
