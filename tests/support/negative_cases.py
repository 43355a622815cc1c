"""The guide's skeleton of a correct note, and documents that are wrong in one thing.

The cases are data, so that several judges can be asked about the same documents:
each mutation takes a fresh :func:`skeleton` and breaks one rule in place. Nothing
here is made by the product, so that it cannot share the product's mistakes.

Source: medcom-shared-notes 20 (negative cases N1 to N55), 21 (skeleton).
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]
Mutation = Callable[[Json], None]

XHTML: Final = "http://www.w3.org/1999/xhtml"
NOTES: Final = "http://medcomfhir.dk/ig/notes/StructureDefinition/"
DOCUMENT: Final = "http://medcomfhir.dk/ig/document/StructureDefinition/"
ATTACHMENT: Final = (
    "http://medcomfhir.dk/ig/core/StructureDefinition/medcom-observation-value-attachment-extension"
)
SNOMED: Final = "http://snomed.info/sct"
CLASS_CODES: Final = "http://medcomfhir.dk/ig/xdsmetadata/CodeSystem/MedCom-ihe-classcode-CS"
ROLES: Final = (
    "http://medcomfhir.dk/ig/terminology/CodeSystem/medcom-core-PractitionerRolesSKSadministrativ"
)
URI: Final = "urn:ietf:rfc:3986"
CPR: Final = "3001749995"
SOR: Final = "61741000016007"
CREATED: Final = "2026-12-10T10:00:00+01:00"
UPDATED: Final = "2026-12-10T14:50:00+01:00"

COMPOSITION_ID, OBSERVATION_ID, PATIENT_ID, ORGANIZATION_ID, PRACTITIONER_ID, ROLE_ID = (
    f"1a2b3c4d-000{at}-5000-8000-00000000000{at}" for at in range(1, 7)
)
NOWHERE: Final = {"reference": "urn:uuid:00000000-0000-4000-8000-00000000dead"}


@dataclass(frozen=True, slots=True)
class NegativeCase:
    """A document that is right except for one thing.

    ``id`` is the guide's number with a letter where a row holds several cases.
    ``expected_code`` is our rule's id, ``""`` when the fault does not show in a
    document by itself. ``is_inbound`` is False for what is no inbound document or is
    accepted there and only never emitted. ``by`` is the guide's own column: ``V`` a
    profile validator must refuse it, ``G`` only the gateway can, ``VG`` either may.
    """

    id: str
    mutate: Mutation
    expected_code: str
    is_inbound: bool = True
    by: str = "V"


# The skeleton


def skeleton() -> Json:
    """Give a fresh copy of the guide's skeleton, its narratives made real."""
    return copy.deepcopy(_SKELETON)


def narrative(*facts: str, status: str = "generated") -> Json:
    """A narrative that shows the facts, each a paragraph of plain words."""
    escaped = (fact.replace("&", "&amp;").replace("<", "&lt;") for fact in facts)
    inner = "".join(f"<p>{fact}</p>" for fact in escaped)
    return {"status": status, "div": f'<div xmlns="{XHTML}">{inner}</div>'}


def urn(resource_id: str) -> Json:
    """A reference to an entry of the skeleton."""
    return {"reference": f"urn:uuid:{resource_id}"}


def _entry(resource: Json) -> Json:
    return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}


def _composition() -> Json:
    return {
        "resourceType": "Composition",
        "id": COMPOSITION_ID,
        "meta": {"profile": [f"{NOTES}medcom-notes-composition|1.0.0"]},
        "language": "da",
        "text": narrative(
            f"Id: {COMPOSITION_ID}",
            f"Profil: {NOTES}medcom-notes-composition|1.0.0",
            "Sprog: da",
            "Status: final",
            f"Type: {SNOMED} 866144008 Encounter note",
            f"Kategori: {CLASS_CODES} 001 Klinisk rapport",
            f"Patient: {PATIENT_ID}",
            f"Dato: {UPDATED}",
            f"Forfatter: {ORGANIZATION_ID}, {PRACTITIONER_ID}",
            f"Titel: Journalnotat for {CPR}",
            "Fortrolighed: N",
            f"Periode: {CREATED}",
            f"Notat: {OBSERVATION_ID}",
        ),
        "identifier": {"system": URI, "value": "urn:uuid:1a2b3c4d-0001-5000-8000-00000000000a"},
        "status": "final",
        "type": {"coding": [{"system": SNOMED, "code": "866144008", "display": "Encounter note"}]},
        "category": [
            {"coding": [{"system": CLASS_CODES, "code": "001", "display": "Klinisk rapport"}]}
        ],
        "subject": urn(PATIENT_ID),
        "date": UPDATED,
        "author": [urn(ORGANIZATION_ID), urn(PRACTITIONER_ID)],
        "title": f"Journalnotat for {CPR}",
        "confidentiality": "N",
        "event": [{"period": {"start": CREATED}}],
        "section": [{"title": "Journalnotat", "entry": [urn(OBSERVATION_ID)]}],
    }


def _observation() -> Json:
    return {
        "resourceType": "Observation",
        "id": OBSERVATION_ID,
        "meta": {"profile": [f"{NOTES}medcom-notes-observation"]},
        "text": narrative(
            f"Id: {OBSERVATION_ID}",
            "Status: final",
            f"Kode: {SNOMED} 866144008 Encounter note",
            f"Patient: {PATIENT_ID}",
            f"Oprettet: {CREATED}",
            f"Udført af: {ORGANIZATION_ID}, {PRACTITIONER_ID}",
            "Indholdstype: text/html",
            "Årskontrol: BT 138/82",
            status="extensions",
        ),
        "extension": [
            {
                "url": ATTACHMENT,
                "valueAttachment": {
                    "contentType": "text/html",
                    "data": "PHA+w4Vyc2tvbnRyb2w6IDxiPkJUIDEzOC84MjwvYj48L3A+",
                },
            }
        ],
        "identifier": [{"system": URI, "value": "urn:uuid:1a2b3c4d-0002-5000-8000-00000000000b"}],
        "status": "final",
        "code": {"coding": [{"system": SNOMED, "code": "866144008", "display": "Encounter note"}]},
        "subject": urn(PATIENT_ID),
        "effectiveDateTime": CREATED,
        "performer": [urn(ORGANIZATION_ID), urn(PRACTITIONER_ID)],
    }


def _patient() -> Json:
    return {
        "resourceType": "Patient",
        "id": PATIENT_ID,
        "meta": {"profile": [f"{DOCUMENT}medcom-document-patient"]},
        "text": narrative(
            f"Id: {PATIENT_ID}",
            f"CPR: urn:oid:1.2.208.176.1.2 {CPR}",
            "Navn (official): Vendelboe, Niels Test",
            "Køn: male",
            "Født: 1974-01-30",
        ),
        "identifier": [{"system": "urn:oid:1.2.208.176.1.2", "value": CPR}],
        "name": [{"use": "official", "family": "Vendelboe", "given": ["Niels", "Test"]}],
        "gender": "male",
        "birthDate": "1974-01-30",
    }


def _organization() -> Json:
    return {
        "resourceType": "Organization",
        "id": ORGANIZATION_ID,
        "meta": {"profile": [f"{DOCUMENT}medcom-document-organization"]},
        "text": narrative(
            f"Id: {ORGANIZATION_ID}",
            f"SOR: urn:oid:1.2.208.176.1.1 {SOR}",
            "Navn: Lægerne Testby",
        ),
        "identifier": [
            {"system": "urn:oid:1.2.208.176.1.1", "value": SOR},
            {"system": "urn:oid:1.2.208.176.1.4", "value": "069701"},
        ],
        "name": "Lægerne Testby",
    }


def _practitioner() -> Json:
    return {
        "resourceType": "Practitioner",
        "id": PRACTITIONER_ID,
        "meta": {"profile": [f"{DOCUMENT}medcom-document-practitioner"]},
        "text": narrative(f"Id: {PRACTITIONER_ID}", "Navn: Andersen, Sidsel"),
        "identifier": [{"system": URI, "value": "urn:uuid:1a2b3c4d-0005-5000-8000-00000000000c"}],
        "name": [{"family": "Andersen", "given": ["Sidsel"]}],
    }


def _role() -> Json:
    return {
        "resourceType": "PractitionerRole",
        "id": ROLE_ID,
        "meta": {"profile": [f"{DOCUMENT}medcom-document-practitionerrole"]},
        "text": narrative(
            f"Id: {ROLE_ID}",
            f"Person: {PRACTITIONER_ID}",
            f"Organisation: {ORGANIZATION_ID}",
            f"Rolle: {ROLES} speciallaegeipraksis",
        ),
        "identifier": [{"system": URI, "value": "urn:uuid:1a2b3c4d-0006-5000-8000-00000000000d"}],
        "practitioner": urn(PRACTITIONER_ID),
        "organization": urn(ORGANIZATION_ID),
        "code": [{"coding": [{"system": ROLES, "code": "speciallaegeipraksis"}]}],
    }


_SKELETON: Final[Json] = {
    "resourceType": "Bundle",
    "id": "0f0e7c54-5d0a-5d0b-9a53-3f2f5b1f6a01",
    "meta": {"profile": [f"{NOTES}medcom-notes-bundle"]},
    "identifier": {"system": URI, "value": "urn:uuid:6f0d2f5e-2d0c-4a83-9e5e-4c1b7f1d9a02"},
    "type": "document",
    "timestamp": "2026-12-11T08:15:30Z",
    "entry": [
        _entry(make())
        for make in (_composition, _observation, _patient, _organization, _practitioner)
    ],
}


# How to break or vary a document


def resource(bundle: Json, kind: str) -> Json:
    """The first resource of a type."""
    found: Json = next(
        each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == kind
    )
    return found


def put(kind: str, *path: str | int, to: Any) -> Mutation:
    """Set one value; ``kind`` is a resource type or Bundle."""

    def mutate(bundle: Json) -> None:
        node: Any = bundle if kind == "Bundle" else resource(bundle, kind)
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = to

    return mutate


def drop(kind: str, *path: str | int) -> Mutation:
    """Remove one value."""

    def mutate(bundle: Json) -> None:
        node: Any = bundle if kind == "Bundle" else resource(bundle, kind)
        for step in path[:-1]:
            node = node[step]
        del node[path[-1]]

    return mutate


def add(kind: str, *path: str | int, value: Any) -> Mutation:
    """Append one value to an array."""

    def mutate(bundle: Json) -> None:
        node: Any = bundle if kind == "Bundle" else resource(bundle, kind)
        for step in path:
            node = node[step]
        node.append(copy.deepcopy(value))

    return mutate


def both(*mutations: Mutation) -> Mutation:
    """Several changes that make one fault, or that make room for one."""

    def mutate(bundle: Json) -> None:
        for each in mutations:
            each(bundle)

    return mutate


def with_role(bundle: Json) -> None:
    """Add the practitioner's role, as a correct document may have it."""
    bundle["entry"].append(_entry(_role()))
    resource(bundle, "Observation")["performer"].append(urn(ROLE_ID))


def without_person(bundle: Json) -> None:
    """Leave the organization as the only author, as a correct document may."""
    bundle["entry"] = [
        each for each in bundle["entry"] if each["resource"]["resourceType"] != "Practitioner"
    ]
    resource(bundle, "Composition")["author"] = [urn(ORGANIZATION_ID)]
    resource(bundle, "Observation")["performer"] = [urn(ORGANIZATION_ID)]


def body(octets: bytes) -> Mutation:
    """Put other octets into the attachment."""
    data = base64.b64encode(octets).decode()
    return put("Observation", "extension", 0, "valueAttachment", "data", to=data)


def div(kind: str, inner: str) -> Mutation:
    """Add markup to a narrative that has all it needs."""

    def mutate(bundle: Json) -> None:
        text = resource(bundle, kind)["text"]
        text["div"] = text["div"].replace("</div>", f"{inner}</div>")

    return mutate


def _without_words(kind: str, words: str) -> Mutation:
    def mutate(bundle: Json) -> None:
        text = resource(bundle, kind)["text"]
        text["div"] = text["div"].replace(words, "")

    return mutate


def _cpr(value: str) -> Mutation:
    """Another number everywhere it stands, so that only the number itself is wrong."""

    def mutate(bundle: Json) -> None:
        resource(bundle, "Patient")["identifier"][0]["value"] = value
        resource(bundle, "Composition")["title"] = f"Journalnotat for {value}"
        for kind in ("Patient", "Composition"):
            text = resource(bundle, kind)["text"]
            text["div"] = text["div"].replace(CPR, value)

    return mutate


def _other_patient(bundle: Json) -> None:
    resource(bundle, "Composition")["title"] = "Journalnotat for 0101010001"


def _swap(bundle: Json) -> None:
    bundle["entry"][0], bundle["entry"][1] = bundle["entry"][1], bundle["entry"][0]


def _second(kind: str) -> Mutation:
    def mutate(bundle: Json) -> None:
        other = copy.deepcopy(resource(bundle, kind))
        other["id"] = "1a2b3c4d-0009-5000-8000-000000000009"
        bundle["entry"].append(_entry(other))

    return mutate


def _second_author(bundle: Json) -> None:
    _second("Organization")(bundle)
    resource(bundle, "Composition")["author"] = [
        urn(ORGANIZATION_ID),
        urn("1a2b3c4d-0009-5000-8000-000000000009"),
    ]


def _two_practitioners(bundle: Json) -> None:
    _second("Practitioner")(bundle)
    resource(bundle, "Observation")["performer"].append(urn("1a2b3c4d-0009-5000-8000-000000000009"))


def _base64_shown(bundle: Json) -> None:
    data = resource(bundle, "Observation")["extension"][0]["valueAttachment"]["data"]
    div("Observation", f"<p>{data}</p>")(bundle)


def _same_address(bundle: Json) -> None:
    """The practitioner's entry twice: nothing else is wrong with it."""
    bundle["entry"].append(copy.deepcopy(bundle["entry"][4]))


def _protected_but_named(bundle: Json) -> None:
    name = resource(bundle, "Patient")["name"][0]
    name["family"], name["given"] = "ADRESSEBESKYTTET", ["ADRESSEBESKYTTET"]


def _nothing(_: Json) -> None:
    """The fault is not in the document."""


_PROFILE = f"{NOTES}medcom-notes-composition"
_EXTENSION = ("extension", 0, "valueAttachment")
_PERIOD = ("event", 0, "period")

CASES: Final[list[NegativeCase]] = [
    NegativeCase("N1", put("Composition", "meta", "profile", 0, to=_PROFILE),
                 "PROFILE-COMPOSITION-PROFILE"),
    NegativeCase("N2", put("Composition", "meta", "profile", 0, to=f"{_PROFILE}|2.0.0"),
                 "PROFILE-COMPOSITION-PROFILE"),
    NegativeCase("N3", add("Composition", "meta", "profile", value=f"{_PROFILE}|1.0"),
                 "PROFILE-COMPOSITIONMETA-PROFILE"),
    NegativeCase("N4", put("Bundle", "id", to="urn:uuid:9521a7f0-bad4-4a46-8c51-cd8378b24106"),
                 "PROFILE-BUNDLE-ID"),
    NegativeCase("N5a", put("Bundle", "id", to="9521a7f0-bad4-1a46-8c51-cd8378b24106"),
                 "PROFILE-BUNDLE-ID-UUID"),
    NegativeCase("N5b", put("Bundle", "id", to="019521a7-bad4-7a46-8c51-cd8378b24106"),
                 "PROFILE-BUNDLE-ID-UUID"),
    NegativeCase("N6", drop("Bundle", "identifier", "system"), "PROFILE-IDENTIFIER-SYSTEM"),
    NegativeCase("N7", put("Bundle", "timestamp", to="2026-12-10"), "PROFILE-BUNDLE-TIMESTAMP"),
    NegativeCase("N8", _swap, "PROFILE-ENTRY-FIRST"),
    NegativeCase("N9", _second("Composition"), "PROFILE-ENTRY-COUNT"),
    NegativeCase("N10", put("Composition", "identifier", "value",
                            to="1a2b3c4d-0001-5000-8000-00000000000a"),
                 "PROFILE-COMPOSITION-IDENTIFIER-UUID"),
    NegativeCase("N11", put("Composition", "status", to="amended"), "PROFILE-COMPOSITION-STATUS"),
    NegativeCase("N12", put("Composition", "type", "coding", 0, to={
        "system": "http://loinc.org", "code": "34109-9", "display": "Note"}),
                 "PROFILE-TYPECODING-SYSTEM"),
    NegativeCase("N13", put("Composition", "type", "coding", 0, "display", to="Encounter Note"),
                 "PROFILE-TYPECODING-DISPLAY"),
    NegativeCase("N14", put("Composition", "category", 0, "coding", 0, "system",
                            to="urn:oid:1.2.208.184.100.9"), "PROFILE-CATEGORYCODING-SYSTEM"),
    NegativeCase("N15", put("Composition", "language", to="da-DK"),
                 "PROFILE-COMPOSITION-LANGUAGE"),
    NegativeCase("N16", put("Composition", "confidentiality", to="R"),
                 "PROFILE-COMPOSITION-CONFIDENTIALITY"),
    NegativeCase("N17", both(with_role, put("Composition", "author", 1, to=urn(ROLE_ID))),
                 "PROFILE-REFERENCE-TYPE"),
    NegativeCase("N18", _second_author, "PROFILE-COMPOSITION-INSTITUTION"),
    NegativeCase("N19", drop("Composition", "author", 0), "PROFILE-COMPOSITION-INSTITUTION"),
    NegativeCase("N20a", put("Composition", "title", to="Journalnotat for 300174-9995"),
                 "PROFILE-COMPOSITION-TITLE-CPR", by="G"),
    NegativeCase("N20b", _other_patient, "PROFILE-COMPOSITION-TITLE-CPR", by="G"),
    NegativeCase("N20c", put("Composition", "title", to=f'"Journalnotat for {CPR}"'),
                 "PROFILE-COMPOSITION-TITLE-CPR", by="G"),
    NegativeCase("N21a", put("Composition", *_PERIOD, to={"end": UPDATED}),
                 "PROFILE-PERIOD-START"),
    NegativeCase("N21b", put("Composition", *_PERIOD, "start", to="2026-12-10T10:00:00"),
                 "PROFILE-PERIOD-START"),
    NegativeCase("N22", put("Composition", *_PERIOD, "end", to="2026-12-10T08:59:59Z"),
                 "PROFILE-PERIOD-ORDER", by="G"),
    NegativeCase("N23a", add("Composition", "section", value={"entry": [urn(OBSERVATION_ID)]}),
                 "PROFILE-COMPOSITION-SECTION"),
    NegativeCase("N23b", add("Composition", "section", 0, "entry", value=urn(OBSERVATION_ID)),
                 "PROFILE-SECTION-ENTRY"),
    NegativeCase("N24", put("Composition", "section", 0, "entry", 0, to=NOWHERE),
                 "PROFILE-REFERENCE-RESOLVES", by="VG"),
    NegativeCase("N25", both(drop("Observation", "extension"),
                             put("Observation", "valueString", to="Årskontrol: BT 138/82")),
                 "PROFILE-OBSERVATION-EXTENSION"),
    NegativeCase("N26a", put("Observation", *_EXTENSION, "contentType",
                             to="text/html; charset=utf-8"), "PROFILE-ATTACHMENT-CONTENTTYPE"),
    NegativeCase("N26b", put("Observation", *_EXTENSION, "contentType", to="text/plain"),
                 "PROFILE-ATTACHMENT-CONTENTTYPE"),
    NegativeCase("N27", put("Observation", *_EXTENSION, to={
        "contentType": "text/html", "url": "https://example.org/notat"}),
                 "PROFILE-ATTACHMENT-DATA"),
    NegativeCase("N28", body(b" "), "TEXT-EMPTY", by="G"),
    NegativeCase("N29", body("årskontrol".encode("iso-8859-1")), "PROFILE-BODY-UTF8", by="G"),
    NegativeCase("N30a", body(b"<p>a</p><script>alert(1)</script>"), "HTML-ACTIVE-CONTENT",
                 by="G"),
    NegativeCase("N30b", body(b'<p>a <img src="https://example.org/1.png"/></p>'),
                 "PROFILE-BODY-SUBSET", by="G"),
    NegativeCase("N30c", body(b'<p onclick="x()">a</p>'), "HTML-ACTIVE-CONTENT", by="G"),
    NegativeCase("N30d", body(b"<x:p>a</x:p>"), "", is_inbound=False, by="G"),
    NegativeCase("N31", both(drop("Observation", "effectiveDateTime"),
                             put("Observation", "effectivePeriod", to={"start": CREATED})),
                 "PROFILE-OBSERVATION-EFFECTIVEDATETIME"),
    NegativeCase("N32", put("Observation", "effectiveDateTime", to="2026-12-10T10:00+01:00"),
                 "PROFILE-OBSERVATION-EFFECTIVEDATETIME"),
    NegativeCase("N33", put("Composition", "date", to="2026-12-10T09:59:59+01:00"),
                 "PROFILE-DATE-ORDER", by="G"),
    NegativeCase("N34", put("Composition", *_PERIOD, "start", to="2026-12-10T10:00:00Z"),
                 "PROFILE-PERIOD-START", by="G"),
    NegativeCase("N35a", put("Observation", "performer", to=[urn(PRACTITIONER_ID)]),
                 "PROFILE-PERFORMER"),
    NegativeCase("N35b", _two_practitioners, "PROFILE-PERFORMER"),
    NegativeCase("N35c", add("Observation", "performer", value=urn(PATIENT_ID)),
                 "PROFILE-REFERENCE-TYPE"),
    NegativeCase("N36", _cpr("300174-9995"), "CPR-INVALID"),
    NegativeCase("N37", put("Patient", "identifier", 0, to={
        "system": "urn:oid:1.2.208.176.1.6.1.1", "value": "3001747AB5"}), "P-REJ-IDENTITY"),
    NegativeCase("N38", _cpr("3001747AB5"), "P-REJ-IDENTITY"),
    NegativeCase("N39", _cpr("9001749995"), "P-REJ-IDENTITY"),
    NegativeCase("N40a", drop("Patient", "gender"), "PROFILE-PATIENT-GENDER"),
    NegativeCase("N40b", put("Patient", "name", 0, "use", to="usual"),
                 "PROFILE-PATIENTNAME-USE"),
    NegativeCase("N40c", add("Patient", "name", value={
        "use": "official", "family": "Vendelboe", "given": ["Niels"]}), "PROFILE-PATIENT-NAME"),
    NegativeCase("N41", drop("Organization", "identifier", 0), "PROFILE-ORGANIZATION-SOR"),
    NegativeCase("N42", both(put("Organization", "identifier", 0, "value", to="6174100001"),
                             div("Organization", "<p>6174100001</p>")), "PROFILE-SOR-DIGITS"),
    NegativeCase("N43", both(with_role, put("PractitionerRole", "code", 0, "text", to="Læge")),
                 "PROFILE-ROLE-CODE-XOR-TEXT"),
    NegativeCase("N44", both(with_role, drop("PractitionerRole", "organization")),
                 "PROFILE-PRACTITIONERROLE-ORGANIZATION"),
    NegativeCase("N45", add("Practitioner", "identifier", value={
        "system": URI, "value": "urn:uuid:1a2b3c4d-0005-5000-8000-0000000000ff"}),
                 "PROFILE-PRACTITIONER-IDENTIFIER"),
    NegativeCase("N46a", drop("Patient", "text"), "PROFILE-PATIENT-TEXT"),
    NegativeCase("N46b", put("Patient", "text", "div", to=f'<div xmlns="{XHTML}"> \n </div>'),
                 "PROFILE-TEXT-DIV"),
    NegativeCase("N47", put("Patient", "text", "status", to="empty"), "PROFILE-TEXT-STATUS",
                 by="G"),
    NegativeCase("N48", _base64_shown, "PROFILE-TEXT-BASE64", by="G"),
    NegativeCase("N49a", _without_words("Patient", CPR), "PROFILE-TEXT-INCOMPLETE", by="G"),
    NegativeCase("N49b", _without_words("Organization", SOR), "PROFILE-TEXT-INCOMPLETE", by="G"),
    NegativeCase("N50a", div("Patient", "<p><u>vigtigt</u></p>"), "PROFILE-TEXT-DIV"),
    NegativeCase("N50b", div("Patient", "<script>a</script>"), "PROFILE-TEXT-DIV"),
    NegativeCase("N51", _same_address, "PROFILE-FULLURL-UNIQUE"),
    NegativeCase("N52", put("Bundle", "entry", 0, "request", to={
        "method": "POST", "url": "Composition"}), "PROFILE-ELEMENT-UNKNOWN"),
    NegativeCase("N53", _protected_but_named, "", is_inbound=False, by="G"),
    NegativeCase("N54", put("Practitioner", "identifier", 0, "value",
                            to="urn:uuid:1a2b3c4d-0005-5000-8000-0000000000ff"), "",
                 is_inbound=False, by="G"),
    NegativeCase("N55", _nothing, "", is_inbound=False, by="G"),
]  # fmt: skip
"""Every row of the guide's list; a row with several documents has one case for each."""


# What must stay accepted


def absolute_addresses(bundle: Json) -> None:
    """URLs as addresses and relative references, the guide's other way to write them."""
    base = "https://praksis.example.dk/fhir"
    kinds = {each["resource"]["id"]: each["resource"]["resourceType"] for each in bundle["entry"]}
    for each in bundle["entry"]:
        one = each["resource"]
        each["fullUrl"] = f"{base}/{one['resourceType']}/{one['id']}"
    _relative(bundle["entry"], kinds)


def _relative(node: Any, kinds: dict[str, str]) -> None:
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            _relative(child, kinds)
    if isinstance(node, dict) and isinstance(node.get("reference"), str):
        target = node["reference"].removeprefix("urn:uuid:")
        node["reference"] = f"{kinds[target]}/{target}"


def _role_alone(bundle: Json) -> None:
    without_person(bundle)
    with_role(bundle)
    role = resource(bundle, "PractitionerRole")
    del role["practitioner"]
    role["code"] = [{"text": "Sygeplejerske"}]


def _protected(bundle: Json) -> None:
    _protected_but_named(bundle)
    text = resource(bundle, "Patient")["text"]
    text["div"] = text["div"].replace("Vendelboe, Niels Test", "ADRESSEBESKYTTET, ADRESSEBESKYTTET")


def _title_of_the_attachment(bundle: Json) -> None:
    resource(bundle, "Observation")["extension"][0]["valueAttachment"]["title"] = "Årskontrol"


VARIATIONS: Final[dict[str, Mutation]] = {
    "as it is": _nothing,
    "a role": with_role,
    "a role alone": _role_alone,
    "an organization alone": without_person,
    "absolute addresses": absolute_addresses,
    "absolute addresses and a role": both(with_role, absolute_addresses),
    "profile by major and minor": put("Composition", "meta", "profile", 0, to=f"{_PROFILE}|1.0"),
    "profile of a later minor": put("Composition", "meta", "profile", 0, to=f"{_PROFILE}|1.3"),
    "profile of trial use": put(
        "Composition", "meta", "profile", 0, to=f"{_PROFILE}|1.0.0-trial-use"
    ),
    "document profile with version": put(
        "Patient", "meta", "profile", 0, to=f"{DOCUMENT}medcom-document-patient|2.0.0"
    ),
    "no profile on the Bundle": drop("Bundle", "meta"),
    "Bundle.id in capitals": put("Bundle", "id", to="9521A7F0-BAD4-4A46-8C51-CD8378B24106"),
    "never updated": put("Composition", "date", to=CREATED),
    "the same instant in UTC": put("Composition", *_PERIOD, "start", to="2026-12-10T09:00:00Z"),
    "a fraction of a second": put("Bundle", "timestamp", to="2026-12-11T08:15:30.250Z"),
    "an end": put("Composition", *_PERIOD, "end", to=UPDATED),
    "assembled before the update": put("Bundle", "timestamp", to="2026-12-10T09:15:30Z"),
    "no title on the section": drop("Composition", "section", 0, "title"),
    "text in the section": put("Composition", "section", 0, "text", to=narrative("Årskontrol")),
    "performers in another order": put(
        "Observation", "performer", to=[urn(PRACTITIONER_ID), urn(ORGANIZATION_ID)]
    ),
    "29 February": _cpr("2902991234"),
    "a five-digit provider number": put(
        "Organization", "identifier", 1, "value", to="77410"
    ),
    "no provider number": drop("Organization", "identifier", 1),
    "a protected name": _protected,
    "a title on the attachment": _title_of_the_attachment,
    "an id that is no UUID": both(
        put("Bundle", "entry", 1, "fullUrl", to=f"urn:uuid:{OBSERVATION_ID}"),
        put("Observation", "id", to="i9c0b1a2"),
        div("Observation", "<p>i9c0b1a2</p>"),
    ),
    "formatting that is accepted": body(
        "<div>Årskontrol <strong>BT</strong> <em>over</em> <code>138/82</code></div>".encode()
    ),
    "every formatting, nested": body(
        b"<p>a <b>b <i>c <u>d <tt>e</tt></u></i></b><br/>f</p>"
    ),
    "plain text as body": body("Årskontrol\r\nBT 138/82".encode()),
}  # fmt: skip
"""Changes after which the skeleton is still right, at most with a warning."""
