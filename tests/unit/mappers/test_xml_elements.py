"""The table of elements is that of the published definitions, name by name."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from typing import Any

import pytest

from mappers.fhir.xml_elements import ATTRIBUTE, MEMBERS, PRIMITIVES, RESOURCE, XHTML
from tests.unit.mappers.profile_judge import CORE, PACKAGES

Json = dict[str, Any]
SYSTEM = "http://hl7.org/fhirpath/"


@cache
def definitions() -> dict[str, Json]:
    """Every base definition of FHIR R4 by its name."""
    path = PACKAGES / CORE
    if not path.is_file():
        pytest.skip("the FHIR packages are not beside this repository")
    found = {}
    with tarfile.open(path) as package:
        for member in package:
            if "StructureDefinition-" in member.name:
                held = package.extractfile(member)
                assert held is not None
                read = json.load(held)
                if "kind" in read and read.get("derivation") != "constraint":
                    found[read["name"]] = read
    return found


def published(kind: str) -> list[tuple[str, str, bool]]:
    """Name, type and repetition of the elements of a type, in their order."""
    definition = definitions()[kind.partition(".")[0]]
    elements = definition["snapshot"]["element"]
    rows = []
    for element in elements[1:]:
        parent, _, name = element["path"].rpartition(".")
        if parent != kind:
            continue
        many = element["base"]["max"] != "1"
        has_parts = any(each["path"].startswith(f"{element['path']}.") for each in elements)
        if has_parts:
            rows.append((name, element["path"], many))
        elif "contentReference" in element:
            rows.append((name, element["contentReference"].partition("#")[2], many))
        else:
            for each in element["type"]:
                code = each["code"]
                if code.startswith(SYSTEM):
                    is_resource_id = definition["kind"] == "resource" and parent == kind
                    code = "id" if is_resource_id and kind in definitions() else ATTRIBUTE
                written = name
                if name.endswith("[x]"):
                    written = name[:-3] + code[0].upper() + code[1:]
                rows.append((written, code, many))
    return rows


@pytest.mark.parametrize("kind", sorted(MEMBERS))
def test_each_type_has_the_published_elements_in_their_order(kind: str) -> None:
    ours = sorted(MEMBERS[kind].values(), key=lambda member: member.rank)
    assert [(each.name, each.kind, each.many) for each in ours] == published(kind)


def test_every_type_met_is_in_the_table() -> None:
    met = {member.kind for members in MEMBERS.values() for member in members.values()}
    primitives = {
        name for name, each in definitions().items() if each["kind"] == "primitive-type"
    } - {XHTML}
    assert met - set(MEMBERS) - {ATTRIBUTE, RESOURCE, XHTML} == PRIMITIVES
    assert primitives >= PRIMITIVES
