"""The published profile of the DocumentReference, applied: cardinality, fixed values, bindings.

Reads MedCom Document 2.0.2 and IHE MHD 4.2.3 as published; knows nothing of the writer.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pytest

Json = dict[str, Any]
PACKAGES: Final = Path(__file__).resolve().parents[4] / "shared" / "data" / "fhir-packages"
DOCUMENT: Final = PACKAGES / "medcom.fhir.dk.document-2.0.2.tgz"
SLICES: Final = {
    "extension:versionid": lambda each: each.get("url", "").endswith(
        "extension-DocumentReference.version"
    ),
    "extension:homeCommunityid": lambda each: each.get("url", "").endswith(
        "medcom-document-homecommunityid-extension"
    ),
    "identifier:entryUUID": lambda each: each.get("use") == "official",
}
PLUMBING: Final = ("extension", "modifierExtension", "id")
JUDGED_PLUMBING: Final = (["id"], ["extension"], ["modifierExtension"])


@lru_cache(maxsize=1)
def _package() -> dict[str, Json]:
    found = {}
    with tarfile.open(DOCUMENT) as packed:
        for member in packed:
            content = packed.extractfile(member)
            if content is None or not member.name.endswith(".json"):
                continue
            resource = json.load(content)
            if isinstance(resource, dict) and "url" in resource:
                found[resource["url"]] = resource
    return found


def profile_faults(resource: Json) -> list[str]:
    """Name each element of the profile that the resource breaks; skips without the package."""
    if not DOCUMENT.exists():
        pytest.skip("the FHIR packages of ../shared/data are not here")
    package = _package()
    (profile,) = (
        each
        for url, each in package.items()
        if url.endswith("StructureDefinition/medcom-contained-documentreference")
    )
    faults: list[str] = []
    for element in profile["snapshot"]["element"][1:]:
        faults += _element_faults(element, resource, package)
    return faults


def _element_faults(element: Json, resource: Json, package: dict[str, Json]) -> Iterator[str]:
    steps = element["id"].split(".")[1:]
    is_plumbing = "value[x]" in element["id"] or steps[-1] in PLUMBING
    if (is_plumbing and steps not in JUDGED_PLUMBING) or steps[0] == "author:institution":
        return
    parents = [resource]
    for step in steps[:-1]:
        parents = [child for parent in parents for child in _children(parent, step)]
    for parent in parents:
        values = _children(parent, steps[-1])
        high = element["max"]
        if len(values) < element["min"] or (high != "*" and len(values) > int(high)):
            yield f"{element['id']}: {len(values)} times"
        for value in values:
            yield from _value_faults(element, value, package)


def _children(parent: Any, step: str) -> list[Any]:
    name, _, slice_name = step.partition(":")
    if not isinstance(parent, dict) or name not in parent:
        return []
    found = parent[name]
    values = found if isinstance(found, list) else [found]
    if slice_name:
        values = [each for each in values if SLICES[step](each)]
    return values


def _value_faults(element: Json, value: Any, package: dict[str, Json]) -> Iterator[str]:
    for key, wanted in element.items():
        if key.startswith(("fixed", "pattern")) and value != wanted:
            yield f"{element['id']}: not {wanted}"
    for rule in element.get("constraint", []):
        form = re.search(r"matches\('(.*)'\)", rule.get("expression", ""))
        if rule["key"].startswith("medcom") and form and not re.search(form[1], str(value)):
            yield f"{element['id']}: {rule['key']}"
    binding = element.get("binding", {})
    listed = package.get(binding.get("valueSet", ""))
    if binding.get("strength") in ("required", "extensible") and listed is not None:
        codings = value.get("coding", [value]) if isinstance(value, dict) else [{"code": value}]
        for coding in codings:
            if not _is_listed(coding, listed, package):
                yield f"{element['id']}: not in its value set"


def _is_listed(coding: Json, value_set: Json, package: dict[str, Json]) -> bool:
    for include in value_set["compose"]["include"]:
        if "system" in coding and coding["system"] != include["system"]:
            continue
        # An include without concepts takes the whole code system.
        concepts = include.get("concept") or package[include["system"]]["concept"]
        if any(each["code"] == coding.get("code") for each in concepts):
            return True
    return False


def reference_faults(resource: Json) -> list[str]:
    """Check that contained resources and references to them match (dom-2, dom-3, dom-4)."""
    contained = {each["id"]: each for each in resource.get("contained", [])}
    text = json.dumps({key: each for key, each in resource.items() if key != "contained"})
    pointed = set(re.findall(r'"#([^"]+)"', text))
    faults = [f"#{each}: not contained" for each in pointed - contained.keys()]
    faults += [f"{each}: contained but not referred to" for each in contained.keys() - pointed]
    faults += [
        f"{each['id']}: {name}"
        for each in contained.values()
        for name in ("contained",)
        if name in each
    ]
    return faults
