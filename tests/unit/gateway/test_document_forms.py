"""Which form of a document a reader gets."""

from __future__ import annotations

import pytest

from gateway.api.document_forms import FHIR_JSON, FHIR_XML, wanted_form


@pytest.mark.parametrize(
    ("accept", "requested", "expected"),
    [
        (None, None, FHIR_JSON),
        ("", None, FHIR_JSON),
        ("*/*", None, FHIR_JSON),
        ("application/*", None, FHIR_JSON),
        ("application/fhir+xml", None, FHIR_XML),
        ("Application/FHIR+XML; charset=utf-8", None, FHIR_XML),
        ("text/html, application/xml;q=0.9, */*;q=0.8", None, FHIR_XML),
        ("application/fhir+xml;q=0.5, application/fhir+json;q=0.5", None, FHIR_JSON),
        ("application/fhir+xml;q=0.6, application/fhir+json;q=0.5", None, FHIR_XML),
        ("*/*, application/fhir+json;q=0", None, FHIR_XML),
        ("*/*;q=0.9, application/fhir+xml;q=0.1", None, FHIR_JSON),
        ("application/fhir+xml;q=0", None, None),
        ("text/html", None, None),
        ("application/fhir+json", "xml", FHIR_XML),
        ("text/html", "json", FHIR_JSON),
        (None, "application/fhir+xml", FHIR_XML),
        (None, "application/fhir xml", FHIR_XML),
        (None, "text/turtle", None),
        (None, "", None),
    ],
)
def test_the_form_follows_accept_and_format(
    accept: str | None, requested: str | None, expected: str | None
) -> None:
    assert wanted_form(accept, requested) == expected
