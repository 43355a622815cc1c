"""docs/documents.md names every field of a note, and a sample's values are where it says."""

from __future__ import annotations

import base64
import dataclasses
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from mappers.cda.document import assemble_cda
from mappers.note import Author, JournalNote, NoteText, Organization, Patient
from mappers.xds_reading import WireObject, parse_xml, read_objects
from tests.unit.mappers.bundle_specimens import ASSEMBLED_AT, ids_of, note, resource, tree
from tests.unit.mappers.cda_judge import all_of
from tests.unit.mappers.xds_specimens import SOURCE, message, stable, submission_set

DOCS: Final = Path(__file__).resolve().parents[3] / "docs"
ENCOUNTER: Final = "urn:uuid:2ab7b0a3-2c5d-4c2f-9f5e-0a1b2c3d4e5f"
SAMPLE: Final = note(
    version=3,
    encounter_id=ENCOUNTER,
    ended_at=note().created_at + timedelta(minutes=20),
    text=NoteText("text/html", "<p>Årskontrol</p>"),
)
WITH_TEXT_ROLE: Final = dataclasses.replace(
    SAMPLE, author=Author(None, ("Sidsel",), "Andersen", None, role_text="vikarlæge")
)
PARTS: Final = {
    "patient": Patient,
    "organization": Organization,
    "author": Author,
    "text": NoteText,
}

# field -> what stands in FHIR, in XDS and in CDA; None where the page has a dash.
VALUES: Final[dict[str, tuple[str | None, str | None, str | None]]] = {
    "version": (None, None, "3"),
    "status": ("final", None, None),
    "patient.cpr": ("3001749995", "3001749995^^^&1.2.208.176.1.2&ISO", "3001749995"),
    "patient.given": ("Niels", "PID-5|Vendelboe^Niels^Test", "NielsTestVendelboe"),
    "patient.family": ("Vendelboe", "PID-5|Vendelboe^Niels^Test", "Vendelboe"),
    "patient.birth_date": ("1974-01-30", "PID-7|19740130", "19740130"),
    "patient.gender": ("male", "PID-8|M", "M"),
    "organization.sor_code": (
        "61741000016007",
        "Lægerne Hasseris Bymidte^^^^^&1.2.208.176.1.1&ISO^^^^61741000016007",
        "61741000016007",
    ),
    "organization.provider_number": ("077410", None, None),
    "organization.name": (
        "Lægerne Hasseris Bymidte",
        "Lægerne Hasseris Bymidte^^^^^&1.2.208.176.1.1&ISO^^^^61741000016007",
        "Lægerne Hasseris Bymidte",
    ),
    "author.id": ("urn:uuid:0ee2db70-d972-4497-a156-0a8109aaa771", None, None),
    "author.given": ("Sidsel", "^Andersen^Sidsel", "SidselAndersen"),
    "author.family": ("Andersen", "^Andersen^Sidsel", "Andersen"),
    "author.role": ("speciallaegeipraksis", None, None),
    "author.role_text": ("vikarlæge", None, "vikarlæge"),
    "author.authorization_id": ("ZTB01", None, None),
    "encounter_id": (
        None,
        f"{ENCOUNTER}^^^&{SOURCE}&ISO^urn:ihe:iti:xds:2015:encounterId",
        None,
    ),
    "created_at": ("2026-12-10T10:00:00+01:00", "20261210090000", "20261210100000+0100"),
    "ended_at": ("2026-12-10T10:20:00+01:00", "20261210092000", "20261210102000+0100"),
    "completed_at": ("2026-12-10T10:12:00+01:00", None, "20261210101200+0100"),
    "text.content_type": ("text/html", None, None),
    "text.html": (base64.b64encode("<p>Årskontrol</p>".encode()).decode(), None, "Årskontrol"),
}


def rows() -> dict[str, tuple[str | None, ...]]:
    page = (DOCS / "documents.md").read_text("utf-8")
    found = {}
    for line in page.partition("| note field |")[2].partition("\n\n")[0].splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        field, *places = (None if cell == "–" else cell.strip("`") for cell in cells)
        assert field is not None
        assert len(places) == 3
        found[field] = tuple(places)
    return found


ROWS: Final = rows()


def fields_of_a_note() -> set[str]:
    found = set()
    for each in dataclasses.fields(JournalNote):
        part = PARTS.get(each.name)
        if part is None:
            found.add(each.name)
        else:
            found |= {f"{each.name}.{inner.name}" for inner in dataclasses.fields(part)}
    return found


def test_the_page_names_every_field_of_a_note_and_no_other() -> None:
    assert set(ROWS) == fields_of_a_note()


def sample_of(field: str) -> JournalNote:
    return WITH_TEXT_ROLE if field == "author.role_text" else SAMPLE


def in_fhir(made: JournalNote, path: str) -> list[str]:
    kind, *steps = path.split(".")
    nodes: list[Any] = [resource(tree(made), kind)]
    for step in steps:
        values = [node[step] for node in nodes if step in node]
        nodes = [
            each for found in values for each in (found if isinstance(found, list) else [found])
        ]
    return [str(node) for node in nodes]


def wire_entry(made: JournalNote) -> WireObject:
    entry = stable(made, encounter_authority_oid=SOURCE)
    (found,) = read_objects(parse_xml(message(entry, submission_set(made)).encode())).entries
    return found


def in_xds(made: JournalNote, attribute: str) -> list[str]:
    entry = wire_entry(made)
    name = "urn:ihe:iti:xds:2013:referenceIdList" if attribute == "referenceIdList" else attribute
    found = list(entry.values.get(name, ()))
    for author in entry.authors:
        found += author.get(name, ())
    return found


def in_cda(made: JournalNote, place: str) -> list[str]:
    path, _, attribute = place.partition("@")
    root = etree.fromstring(
        assemble_cda(made, ids_of(made), assembled_at=ASSEMBLED_AT, name_protected=False)
    )
    found = all_of(root, path)
    if attribute:
        return [each.get(attribute, "") for each in found]
    return ["".join(each.itertext()) for each in found]


@pytest.mark.parametrize("field", sorted(ROWS))
def test_the_samples_value_stands_where_the_page_says(field: str) -> None:
    made, places = sample_of(field), ROWS[field]
    values = VALUES.get(field, (None, None, None))
    assert [place is None for place in places] == [value is None for value in values]
    fhir, xds, cda = places
    if fhir is not None:
        assert values[0] in in_fhir(made, fhir)
    if xds is not None:
        assert values[1] in in_xds(made, xds)
    if cda is not None:
        assert any(str(values[2]) in each for each in in_cda(made, cda))


def test_the_picture_is_there_is_well_formed_and_shows_every_resource() -> None:
    page = (DOCS / "documents.md").read_text("utf-8")
    (name,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page)
    words = " ".join(etree.parse(DOCS / name).getroot().itertext())
    for each in tree()["entry"]:
        assert each["resource"]["resourceType"] in words
