"""Judge XDS metadata of shared notes on the wire; all faults at once, each with its line.

The judge of what we emit. It reads the wire by itself and not by the client's
reader, so a fault of the writer shows; the names of schemes and the forms of ids
and times are those the writer has too.

Source: xds-metadata-dk 2 to 8, 12 (rules in :mod:`mappers.xds_rules`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from mappers.issues import Issue
from mappers.note import JournalNote
from mappers.xds_entry_checks import check_entry, check_set
from mappers.xds_findings import MetadataFindings
from mappers.xds_reading import (
    Unreadable,
    WireAssociation,
    WireObject,
    WireObjects,
    parse_xml,
    read_objects,
)
from nsp_client.identifiers import comparable_unique_id, is_urn_uuid
from nsp_client.xds.metadata import AssociationType, AvailabilityStatus, ObjectType
from nsp_client.xds.namespaces import QUERY_NS, RIM_NS, XDS_NS

_R = f"{{{RIM_NS}}}"
_FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
_FIND_BY_REFERENCE = "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492"
_FROM_ENTRY = frozenset(
    {
        AssociationType.RPLC,
        AssociationType.APND,
        AssociationType.XFRM,
        AssociationType.XFRM_RPLC,
        AssociationType.SIGNS,
    }
)
_REPLACING = frozenset({AssociationType.RPLC, AssociationType.XFRM_RPLC})


@dataclass(frozen=True, slots=True)
class Registered:
    """What the registry already holds of one document."""

    entry_uuid: str
    unique_id: str
    patient_id: str = field(repr=False)
    availability_status: str
    hash: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the metadata can be compared with; None is not compared.

    Attributes:
        note: the note that the document is of.
        document: the document's exact bytes.
        registered: all that the registry holds of this patient and of the targets.
    """

    note: JournalNote | None = None
    document: bytes | None = field(default=None, repr=False)
    registered: tuple[Registered, ...] | None = None


NOTHING_KNOWN = Known()


def metadata_issues(message: bytes, known: Known = NOTHING_KNOWN) -> tuple[Issue, ...]:
    """Judge the entries, set and associations of a message.

    Args:
        message: ebRIM in any wrapping: a submission, an update, a query's answer or
            a single object.
        known: what the metadata is of and what is registered already.

    Returns:
        Every breach, as issues with the attribute and the line; empty for none.
        Paths read ``DocumentEntry.title@line 12``.
    """
    findings = MetadataFindings()
    try:
        objects = read_objects(parse_xml(message))
    except Unreadable:
        findings.add("XDS-XML", "$")
        return findings.issues()
    if not (objects.entries or objects.submission_sets or objects.associations):
        findings.add("XDS-NOTHING", "$")
    for entry in objects.entries:
        check_entry(entry, findings, note=known.note, document=known.document)
        _check_reuse(entry, known, findings)
    if objects.submission_sets or objects.associations:
        _check_submission(objects, known, findings)
    return findings.issues()


def query_issues(message: bytes) -> tuple[Issue, ...]:
    """Judge whether a query (ITI-18) can find notes registered on demand.

    Source: xds-metadata-dk 7, query side; M22.
    """
    findings = MetadataFindings()
    try:
        root = parse_xml(message)
    except Unreadable:
        findings.add("XDS-XML", "$")
        return findings.issues()
    queries = [
        each
        for each in root.iter(f"{_R}AdhocQuery")
        if each.get("id") in (_FIND_DOCUMENTS, _FIND_BY_REFERENCE)
    ]
    if not queries and root.find(f".//{{{QUERY_NS}}}AdhocQueryRequest") is None:
        findings.add("XDS-NOTHING", "$")
    for query in queries:
        types = "".join(
            "".join(slot.itertext())
            for slot in query.findall(f"{_R}Slot")
            if slot.get("name") == "$XDSDocumentEntryType"
        )
        if ObjectType.ON_DEMAND not in types:
            path = f"AdhocQuery.$XDSDocumentEntryType@line {query.sourceline}"
            findings.add("XDS-QUERY-ON-DEMAND", path)
    return findings.issues()


def retrieve_issues(message: bytes) -> tuple[Issue, ...]:
    """Judge the ids of an on-demand retrieve's answer (ITI-43).

    Source: xds-metadata-dk 7, retrieve; M23.
    """
    findings = MetadataFindings()
    try:
        root = parse_xml(message)
    except Unreadable:
        findings.add("XDS-XML", "$")
        return findings.issues()
    for answer in root.iter(f"{{{XDS_NS}}}DocumentResponse"):
        asked = _text(answer, "DocumentUniqueId")
        new = _text(answer, "NewDocumentUniqueId")
        if new is not None and comparable_unique_id(new) == comparable_unique_id(asked or ""):
            path = f"DocumentResponse.NewDocumentUniqueId@line {answer.sourceline}"
            findings.add("XDS-NEW-UNIQUE-ID", path)
    return findings.issues()


def _text(element: etree._Element, name: str) -> str | None:
    found = element.findtext(f"{{{XDS_NS}}}{name}")
    return None if found is None else found.strip()


def _check_reuse(entry: WireObject, known: Known, findings: MetadataFindings) -> None:
    """A uniqueId is used once: only the very same entry may come again."""
    unique_id, digest = entry.one("uniqueId"), entry.one("hash")
    for each in known.registered or ():
        if comparable_unique_id(each.unique_id) != comparable_unique_id(unique_id or ""):
            continue
        if each.entry_uuid != entry.id or (each.hash or "").lower() != (digest or "").lower():
            findings.at(entry, "XDS-UNIQUE-ID-REUSED", "uniqueId")


def _check_submission(objects: WireObjects, known: Known, findings: MetadataFindings) -> None:
    if len(objects.submission_sets) != 1:
        findings.add("XDS-SET-COUNT", "SubmissionSet")
    for submission_set in objects.submission_sets:
        check_set(submission_set, findings)
        for entry in objects.entries:
            if entry.one("patientId") != submission_set.one("patientId"):
                findings.at(submission_set, "XDS-PATIENT-DIFFERS", "patientId")
    for entry in objects.entries:
        if not any(_is_membership(each, entry, objects) for each in objects.associations):
            findings.at(entry, "XDS-MEMBER", "HasMember")
    for association in objects.associations:
        _check_association(association, objects, known, findings)


def _is_membership(each: WireAssociation, entry: WireObject, objects: WireObjects) -> bool:
    return (
        each.type == AssociationType.HAS_MEMBER
        and each.target == entry.id
        and each.source in {found.id for found in objects.submission_sets}
        and each.slots.get("SubmissionSetStatus") == ("Original",)
    )


def _check_association(
    association: WireAssociation, objects: WireObjects, known: Known, findings: MetadataFindings
) -> None:
    kind, target = association.type, association.target
    path = f"Association.{kind.rpartition(':')[2] or 'associationType'}@line {association.line}"
    own = {each.id: each for each in objects.entries}
    if kind in _FROM_ENTRY:
        if association.source not in own or target == association.source or not is_urn_uuid(target):
            findings.add("XDS-ASSOCIATION", path)
    elif kind == AssociationType.UPDATE_AVAILABILITY_STATUS:
        expected = ((AvailabilityStatus.APPROVED,), (AvailabilityStatus.DEPRECATED,))
        slots = association.slots
        if (slots.get("OriginalStatus"), slots.get("NewStatus")) != expected or not is_urn_uuid(
            target
        ):
            findings.add("XDS-ASSOCIATION", path)
    if kind in _REPLACING and known.registered is not None:
        _check_replaced(association, own.get(association.source), known.registered, path, findings)


def _check_replaced(
    association: WireAssociation,
    entry: WireObject | None,
    registered: tuple[Registered, ...],
    path: str,
    findings: MetadataFindings,
) -> None:
    old = next((each for each in registered if each.entry_uuid == association.target), None)
    if old is None:
        findings.add("XDS-REPLACE-UNKNOWN", path)
        return
    if old.availability_status != AvailabilityStatus.APPROVED:
        findings.add("XDS-REPLACE-DEPRECATED", path)
    if entry is not None and entry.one("patientId") != old.patient_id:
        findings.add("XDS-REPLACE-PATIENT", path)
