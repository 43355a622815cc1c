"""A judge of documents that knows nothing of ours: it walks the published snapshots.

It checks what a StructureDefinition says of each element: known name, array or
not, how often, JSON type and form, fixed value or pattern, slices, and the type
of what a reference points to. It evaluates no invariant (FHIRPath), no binding
and no narrative; those have tests of their own.

Data: the FHIR packages beside this repository; see their README for origin.
"""

from __future__ import annotations

import json
import re
import tarfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]

PACKAGES = Path(__file__).parents[4] / "shared" / "data" / "fhir-packages"
NATIONAL = "dk.notes.offline-1.0.0.tgz"
CORE = "hl7.fhir.r4.core-4.0.1.tgz"
BASE = "http://hl7.org/fhir/StructureDefinition/"
NOTES = "http://medcomfhir.dk/ig/notes/StructureDefinition/medcom-notes-"
DOCUMENT = "http://medcomfhir.dk/ig/document/StructureDefinition/medcom-document-"
PROFILE_OF = {
    "Bundle": NOTES + "bundle",
    "Composition": NOTES + "composition",
    "Observation": NOTES + "observation",
    "Patient": DOCUMENT + "patient",
    "Organization": DOCUMENT + "organization",
    "Practitioner": DOCUMENT + "practitioner",
    "PractitionerRole": DOCUMENT + "practitionerrole",
}

_DATE = r"\d{4}(-\d\d(-\d\d)?)?"
_TIME = r"\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
FORMS = {
    "id": r"[A-Za-z0-9.\-]{1,64}",
    "code": r"[^\s]+(\s[^\s]+)*",
    "uri": r"\S+",
    "canonical": r"\S+",
    "url": r"\S+",
    "date": _DATE,
    "dateTime": rf"{_DATE}|\d{{4}}-\d\d-\d\dT{_TIME}",
    "instant": rf"\d{{4}}-\d\d-\d\dT{_TIME}",
    "base64Binary": r"(\s*[0-9a-zA-Z+/=]){4}[\s0-9a-zA-Z+/=]*",
    "string": r"[\s\S]+",
    "markdown": r"[\s\S]+",
    "xhtml": r"<div[\s\S]*</div>",
}
SYSTEM_STRING = "http://hl7.org/fhirpath/System.String"


@dataclass(slots=True)
class Node:
    """An element of a snapshot with its children and slices."""

    element: Json
    children: dict[str, Node] = field(default_factory=dict)
    slices: list[Node] = field(default_factory=list)

    def types(self) -> list[Json]:
        found: list[Json] = self.element.get("type", [])
        return found

    def wanted(self) -> tuple[str, Any] | None:
        """The fixed value or pattern, if any."""
        for name, value in self.element.items():
            for kind in ("fixed", "pattern"):
                if name.startswith(kind):
                    return kind, value
        return None


@cache
def _national() -> dict[str, Json]:
    if not (PACKAGES / NATIONAL).is_file():
        pytest.skip("the FHIR packages are not beside this repository")
    found = {}
    with tarfile.open(PACKAGES / NATIONAL) as archive:
        for member in archive:
            if "/StructureDefinition-" in member.name:
                content = archive.extractfile(member)
                assert content is not None
                definition = json.load(content)
                found[definition["url"]] = definition
    return found


@cache
def _core() -> dict[str, bytes]:
    found = {}
    with tarfile.open(PACKAGES / CORE) as archive:
        for member in archive:
            if "/StructureDefinition-" in member.name:
                content = archive.extractfile(member)
                assert content is not None
                name = member.name.split("StructureDefinition-")[1].removesuffix(".json")
                found[BASE + name] = content.read()
    return found


@cache
def tree_of(url: str) -> Node:
    """Build the tree of a StructureDefinition's snapshot."""
    url = url.partition("|")[0]
    definition = _national().get(url) or json.loads(_core()[url])
    elements = definition["snapshot"]["element"]
    root = Node(elements[0])
    nodes = {elements[0]["id"]: root}
    for element in elements[1:]:
        parent, _, last = element["id"].rpartition(".")
        node = nodes[element["id"]] = Node(element)
        name, is_slice, _ = last.partition(":")
        if is_slice:
            nodes[f"{parent}.{name}"].slices.append(node)
        else:
            nodes[parent].children[name] = node
    return root


def _type_url(code: str) -> str:
    return code if code.startswith("http") else BASE + code


def _kind_of(profile: str) -> str:
    """The resource type that a canonical speaks of."""
    kind: str = tree_of(profile).element["id"]
    return kind


class Judge:
    """Judges one document; ``faults`` are paths with what is wrong there."""

    def __init__(self, bundle: Json) -> None:
        self.bundle = bundle
        self.faults: list[str] = []
        self.by_url = _addresses(bundle.get("entry"))
        self._object(bundle, tree_of(PROFILE_OF["Bundle"]), "Bundle")

    def _fault(self, path: str, what: str) -> None:
        self.faults.append(f"{path}: {what}")

    def _object(self, value: object, node: Node, path: str) -> None:
        if not isinstance(value, dict) or not value:
            self._fault(path, "no object")
            return
        children = node.children or self._children_by_type(node)
        used = {"resourceType"} if "resourceType" in value else set()
        for name, child in children.items():
            for key in _keys(name, child):
                if key in value:
                    used.add(key)
            self._child(value, name, child, path)
        for key in value.keys() - used:
            self._fault(f"{path}.{key}", "unknown element")

    def _children_by_type(self, node: Node) -> dict[str, Node]:
        [only] = node.types()
        return tree_of(_type_url(only["code"])).children

    def _child(self, value: Json, name: str, child: Node, path: str) -> None:
        element = child.element
        is_array = element["base"]["max"] not in ("0", "1")
        found: list[tuple[Any, str]] = []
        for at, key in enumerate(_keys(name, child)):
            if key not in value:
                continue
            if name.endswith("[x]"):
                chosen = {**element, "type": [child.types()[at]]}
                child = Node(chosen, child.children, child.slices)
            item = value[key]
            if isinstance(item, list) != is_array or item == []:
                self._fault(f"{path}.{key}", "array where none belongs, or none, or empty")
                return
            found += (
                [(each, f"{path}.{key}[{index}]") for index, each in enumerate(item)]
                if is_array
                else [(item, f"{path}.{key}")]
            )
        self._count(len(found), element, f"{path}.{name}")
        for each, place in found:
            self._value(each, child, place)
        if "slicing" in element and child.slices:
            self._slices(found, child, f"{path}.{name}")

    def _count(self, count: int, element: Json, path: str) -> None:
        if count < element["min"] or (element["max"] != "*" and count > int(element["max"])):
            self._fault(path, f"{count} times, not {element['min']}..{element['max']}")

    def _slices(self, found: list[tuple[Any, str]], child: Node, path: str) -> None:
        slicing = child.element["slicing"]
        taken = set()
        for each in child.slices:
            mine = [at for at, (value, _) in enumerate(found) if self._is_in(value, each, slicing)]
            taken.update(mine)
            self._count(len(mine), each.element, f"{path}:{each.element['sliceName']}")
            for at in mine:
                self._value(*found[at][:1], each, found[at][1])
        if slicing["rules"] == "closed" and len(taken) < len(found):
            self._fault(path, "outside the closed slices")

    def _is_in(self, value: Any, node: Node, slicing: Json) -> bool:
        return all(self._holds(value, node, each) for each in slicing["discriminator"])

    def _holds(self, value: Any, node: Node, discriminator: Json) -> bool:
        path = discriminator["path"]
        if path.endswith("resolve()"):
            kinds = {_kind_of(url) for each in node.types() for url in each["targetProfile"]}
            return _resource_type(self._target(value)) in kinds
        if path == "$this.resource":
            kinds = {each["code"] for each in node.children["resource"].types()}
            resource = value.get("resource") if isinstance(value, dict) else None
            return _resource_type(resource) in kinds
        if path == "$this":
            return False
        wanted = _wanted_at(node, path.split("."))
        return wanted is not None and wanted in _values_at(value, path.split("."))

    def _target(self, reference: Any) -> Json | None:
        link = reference.get("reference") if isinstance(reference, dict) else None
        target = self.by_url.get(link) if isinstance(link, str) else None
        return target if isinstance(target, dict) else None

    def _value(self, value: Any, node: Node, path: str) -> None:
        wanted = node.wanted()
        if wanted is not None and not _fits(value, *wanted):
            self._fault(path, "not the fixed value")
            return
        codes = [each["code"] for each in node.types()]
        if not codes:
            return  # a contentReference; none is used in a note
        if codes == ["Resource"] or codes[0] in PROFILE_OF:
            self._resource(value, path)
        elif codes[0] == SYSTEM_STRING or codes[0] in FORMS:
            form = FORMS["id"] if path.endswith(".id") else FORMS.get(codes[0], r"[\s\S]+")
            if not isinstance(value, str) or re.fullmatch(form, value) is None:
                self._fault(path, f"not of type {codes[0]}")
        elif codes[0] == "boolean":
            if not isinstance(value, bool):
                self._fault(path, "not a boolean")
        elif len(codes) == 1:
            self._object(value, node, path)
            for profile in node.types()[0].get("profile", []):
                self._object(value, tree_of(profile), path)
        if "Reference" in codes:
            self._reference(value, node, path)

    def _resource(self, value: Any, path: str) -> None:
        kind = _resource_type(value)
        if kind in PROFILE_OF:
            self._object(value, tree_of(PROFILE_OF[kind]), path)
        else:
            self._fault(path, "no resource of a note")

    def _reference(self, value: Any, node: Node, path: str) -> None:
        profiles = [url for each in node.types() for url in each.get("targetProfile", [])]
        target = self._target(value)
        if target is None:
            self._fault(path, "does not resolve in the document")
        elif _resource_type(target) not in {_kind_of(url) for url in profiles}:
            self._fault(path, "points to another type")


def _resource_type(resource: Any) -> str:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind if isinstance(kind, str) else ""


def _addresses(entries: Any) -> dict[str, Json]:
    """Resources by the absolute and the relative reference that may point to them."""
    found = {}
    for entry in entries if isinstance(entries, list) else []:
        url = entry.get("fullUrl") if isinstance(entry, dict) else None
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(url, str) and isinstance(resource, dict):
            found[url] = found["/".join(url.split("/")[-2:])] = resource
    return found


def _keys(name: str, node: Node) -> list[str]:
    if not name.endswith("[x]"):
        return [name]
    return [name[:-3] + each["code"][0].upper() + each["code"][1:] for each in node.types()]


def _fits(value: Any, kind: str, wanted: Any) -> bool:
    if kind == "fixed" or not isinstance(wanted, dict | list):
        return bool(value == wanted)
    if isinstance(wanted, list):
        return isinstance(value, list) and all(
            any(_fits(each, kind, part) for each in value) for part in wanted
        )
    return isinstance(value, dict) and all(
        name in value and _fits(value[name], kind, part) for name, part in wanted.items()
    )


def _wanted_at(node: Node, way: list[str]) -> Any:
    """The value that a slice demands at a path, in its own rows or in its type's profile."""
    here: Node | None = node
    for at, name in enumerate(way):
        if here is None:
            return None
        if name not in here.children:
            for profile in (url for each in here.types() for url in each.get("profile", [])):
                return _wanted_at(tree_of(profile), way[at:])
            return None
        here = here.children[name]
    wanted = None if here is None else here.wanted()
    return None if wanted is None else wanted[1]


def _values_at(value: Any, way: list[str]) -> list[Any]:
    found = [value]
    for name in way:
        step: list[Any] = []
        for each in found:
            child = each.get(name) if isinstance(each, dict) else None
            step += child if isinstance(child, list) else [child]
        found = step
    return found


def faults_of(bundle: Json) -> list[str]:
    """All faults that the snapshots find in a document; skips without the packages."""
    return list(dict.fromkeys(Judge(bundle).faults))
