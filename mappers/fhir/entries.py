"""The entries of a document: which are there, what their addresses are, who points to whom.

Source: medcom-shared-notes 2, 3; FHIR R4 bundle, bdl-7, bdl-8, bdl-11 and the
resolution of references.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from mappers.fhir.elements import RESOURCE_TYPES
from mappers.fhir.findings import Findings
from mappers.fhir.structure import check_structure

Json = dict[str, Any]

_URN: Final = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_GUIDE_BASES: Final = ("http://medcomfhir.dk/", "https://medcomfhir.dk/")
_ONCE: Final = ("Composition", "Observation", "Patient", "Organization")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its place, address, type and resource."""

    path: str
    full_url: str
    kind: str
    resource: Json


@dataclass(frozen=True, slots=True)
class Entries:
    """The usable entries of a document, and who is referred to by whom."""

    entries: tuple[Entry, ...]
    by_url: dict[str, Entry]

    def one(self, kind: str) -> Entry | None:
        """Give the first entry of a type, or None."""
        return next((entry for entry in self.entries if entry.kind == kind), None)

    def target(self, source: Entry, reference: object) -> Entry | None:
        """Resolve a Reference held by ``source``; None if it points nowhere in the document."""
        value = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(value, str):
            return None
        if ":" in value:
            return self.by_url.get(value)
        base = source.full_url.removesuffix(f"/{source.kind}/{source.resource.get('id')}")
        if base == source.full_url:
            return None
        return self.by_url.get(f"{base}/{value}")


def read_entries(bundle: Json, findings: Findings) -> Entries:
    """Collect and check the entries of a Bundle whose own elements were checked before."""
    listed = bundle.get("entry")
    entries = []
    for at, item in enumerate(listed if isinstance(listed, list) else ()):
        path = f"Bundle.entry[{at}]"
        entry = _read_entry(item, path, findings)
        if entry is not None:
            entries.append(entry)
    kinds = [entry.kind for entry in entries]
    if not entries or entries[0].kind != "Composition" or entries[0].path != "Bundle.entry[0]":
        findings.add("PROFILE-ENTRY-FIRST", "Bundle.entry[0]")
    for kind in RESOURCE_TYPES:
        if kinds.count(kind) > 1 or (kind in _ONCE and kind not in kinds):
            findings.add("PROFILE-ENTRY-COUNT", f"Bundle.entry.resource.ofType({kind})")
    by_url: dict[str, Entry] = {}
    for entry in entries:
        if by_url.setdefault(entry.full_url, entry) is not entry:
            findings.add("PROFILE-FULLURL-UNIQUE", f"{entry.path}.fullUrl")
    return Entries(tuple(entries), by_url)


def _read_entry(item: object, path: str, findings: Findings) -> Entry | None:
    if not isinstance(item, dict):
        return None  # told by the structure
    resource = item.get("resource")
    if not isinstance(resource, dict):
        return None
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in RESOURCE_TYPES:
        findings.add("PROFILE-ENTRY-TYPE", f"{path}.resource")
        return None
    check_structure(resource, kind, f"{path}.resource", findings)
    full_url = item.get("fullUrl")
    full_url = full_url if isinstance(full_url, str) else ""
    _check_address(full_url, kind, resource.get("id"), path, findings)
    return Entry(path, full_url, kind, resource)


def _check_address(
    full_url: str, kind: str, resource_id: object, path: str, findings: Findings
) -> None:
    is_urn = _URN.fullmatch(full_url) is not None
    is_url = full_url.startswith(("http://", "https://"))
    ends_right = full_url.endswith(f"/{kind}/{resource_id}")
    if full_url and not is_urn and not (is_url and ends_right and "/_history/" not in full_url):
        findings.add("PROFILE-FULLURL-FORM", f"{path}.fullUrl")
    if full_url.startswith(_GUIDE_BASES):
        findings.add("PROFILE-FULLURL-BASE", f"{path}.fullUrl")
    if isinstance(resource_id, str) and _UUID.fullmatch(resource_id) is None:
        findings.add("PROFILE-ID-UUID", f"{path}.resource.id")


def check_references(entries: Entries, findings: Findings) -> None:
    """Check that references stay within the document and reach every entry."""
    reached: set[int] = set()
    waiting = [entry for entry in entries.entries if entry.kind == "Composition"][:1]
    reached.update(id(entry) for entry in waiting)
    while waiting:
        entry = waiting.pop()
        for target in _check_own(entry, entries, findings):
            if id(target) not in reached:
                reached.add(id(target))
                waiting.append(target)
    for entry in entries.entries:
        if id(entry) not in reached:
            _check_own(entry, entries, findings)
            findings.add("PROFILE-ENTRY-ORPHAN", entry.path)


_ALLOWED: Final = {
    "Composition.subject": ("Patient",),
    "Composition.author": ("Organization", "Practitioner"),
    "Composition.section.entry": ("Observation",),
    "Observation.subject": ("Patient",),
    "Observation.performer": ("Organization", "Practitioner", "PractitionerRole"),
    "PractitionerRole.practitioner": ("Practitioner",),
    "PractitionerRole.organization": ("Organization",),
}


def _check_own(entry: Entry, entries: Entries, findings: Findings) -> list[Entry]:
    targets = []
    for name, allowed in _ALLOWED.items():
        kind, _, rest = name.partition(".")
        if kind != entry.kind:
            continue
        for reference, place in _values(entry.resource, rest, f"{entry.path}.resource"):
            target = entries.target(entry, reference)
            if target is None:
                findings.add("PROFILE-REFERENCE-RESOLVES", place)
            elif target.kind not in allowed:
                findings.add("PROFILE-REFERENCE-TYPE", place)
            else:
                targets.append(target)
    return targets


def _values(node: object, dotted: str, path: str) -> list[tuple[object, str]]:
    """Find the values at a dotted path, through arrays, each with its place."""
    found = [(node, path)]
    for name in dotted.split("."):
        step: list[tuple[object, str]] = []
        for value, place in found:
            child = value.get(name) if isinstance(value, dict) else None
            if isinstance(child, list):
                step += [(item, f"{place}.{name}[{at}]") for at, item in enumerate(child)]
            elif child is not None:
                step.append((child, f"{place}.{name}"))
        found = step
    return found
