"""All profile checks of an inbound document at once.

What the checks refuse and what they only warn of is listed in docs/intake-rules.md.

Source: medcom-shared-notes 3 to 15, 18 (readings), 20 (negative cases).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from mappers.codes import normal_role_in
from mappers.fhir import profiles
from mappers.fhir.entries import Entries, Entry, check_references, read_entries
from mappers.fhir.findings import Findings
from mappers.fhir.structure import check_structure, decoded, full_time
from mappers.fhir.texts import check_duty, check_text
from mappers.practice.fields import Checks
from nsp_client.identifiers import is_urn_uuid

Json = dict[str, Any]

_UUID: Final = (
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[45][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
)
_BARE_UUID: Final = re.compile(_UUID)
_URN_UUID: Final = re.compile("urn:uuid:" + _UUID)
_COMPOSITION_PROFILE: Final = re.compile(
    re.escape(profiles.NOTES_COMPOSITION)
    + r"\|1\.[0-9]+(?:\.[0-9]+)?(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
)
_PROVIDER: Final = re.compile(r"[0-9]{6}")
_CODE_SYSTEMS: Final = profiles.EXTRA_CODE_SYSTEMS | {profiles.SNOMED}
_GENDERS: Final = ("male", "female", "other", "unknown")


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome: findings, and the entries for a reader to go on with."""

    findings: Findings
    entries: Entries


def check_document(bundle: object) -> Checked:
    """Check a parsed document against every rule; nothing is raised for bad input.

    Args:
        bundle: the JSON value of the body.

    Returns:
        All breaches and warnings with their places. Only when there is no breach
        may the entries be read as a note.
    """
    findings = Findings()
    check_structure(bundle, "Bundle", "Bundle", findings)
    if not isinstance(bundle, dict):
        return Checked(findings, Entries((), {}))
    entries = read_entries(bundle, findings)
    check_references(entries, findings)
    bundle_id = bundle.get("id")
    if isinstance(bundle_id, str) and _BARE_UUID.fullmatch(bundle_id) is None:
        findings.add("PROFILE-BUNDLE-ID-UUID", "Bundle.id")
    _check_times(bundle, entries, findings)
    data = attachment_of(entries).get("data")
    for entry in entries.entries:
        path = f"{entry.path}.resource"
        check_text(entry.resource, path, data if isinstance(data, str) else None, findings)
        _check_meta(entry.resource, entry.kind, path, findings)
        _OWN_CHECKS[entry.kind](entry, entries, findings)
    _check_meta(bundle, "Bundle", "Bundle", findings)
    return Checked(findings, entries)


def attachment_of(entries: Entries) -> Json:
    """Give the attachment of the note, or an empty object."""
    observation = entries.one("Observation")
    extension = first(observation.resource.get("extension")) if observation else {}
    attachment = extension.get("valueAttachment")
    return attachment if isinstance(attachment, dict) else {}


def first(value: object) -> Json:
    """Give the first object of an array, or an empty object."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return value[0]
    return {}


def objects(value: object) -> list[Json]:
    """Give the objects of an array."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _check_meta(resource: Json, kind: str, path: str, findings: Findings) -> None:
    meta = resource.get("meta")
    listed = meta.get("profile") if isinstance(meta, dict) else None
    if not isinstance(listed, list):
        return
    canonical = profiles.PROFILE_OF[kind]
    for at, profile in enumerate(listed):
        place = f"{path}.meta.profile[{at}]"
        if not isinstance(profile, str):
            continue
        if kind == "Composition":
            if _COMPOSITION_PROFILE.fullmatch(profile) is None:
                findings.add("PROFILE-COMPOSITION-PROFILE", place)
            continue
        name, _, version = profile.partition("|")
        newest = "1.0.0" if kind in ("Bundle", "Observation") else "2.0.2"
        if name != canonical or version not in ("", newest):
            findings.add("PROFILE-META-VERSION", place)


def _check_times(bundle: Json, entries: Entries, findings: Findings) -> None:
    composition, observation = entries.one("Composition"), entries.one("Observation")
    if composition is None:
        return
    path = f"{composition.path}.resource"
    updated = full_time(composition.resource.get("date"))
    assembled = full_time(bundle.get("timestamp"))
    if assembled and updated and assembled < updated:
        findings.add("PROFILE-TIMESTAMP-ORDER", "Bundle.timestamp")
    period = first(composition.resource.get("event")).get("period")
    start = full_time(period.get("start")) if isinstance(period, dict) else None
    end = full_time(period.get("end")) if isinstance(period, dict) else None
    if start and end and end < start:
        findings.add("PROFILE-PERIOD-ORDER", f"{path}.event[0].period.end")
    created = full_time(observation.resource.get("effectiveDateTime")) if observation else None
    if created and updated and updated < created:
        findings.add("PROFILE-DATE-ORDER", f"{path}.date")
    if created and start and start != created:
        findings.add("PROFILE-PERIOD-START", f"{path}.event[0].period.start")


def _check_composition(entry: Entry, entries: Entries, findings: Findings) -> None:
    resource, path = entry.resource, f"{entry.path}.resource"
    identifier = resource.get("identifier")
    value = identifier.get("value") if isinstance(identifier, dict) else None
    if isinstance(value, str) and _URN_UUID.fullmatch(value) is None:
        findings.add("PROFILE-COMPOSITION-IDENTIFIER-UUID", f"{path}.identifier.value")
    kinds = _kinds(entry, resource.get("author"), entries)
    if kinds.count("Organization") != 1 or kinds.count("Practitioner") > 1:
        findings.add("PROFILE-COMPOSITION-INSTITUTION", f"{path}.author")
    patient = entries.one("Patient")
    cpr = first(patient.resource.get("identifier")).get("value") if patient else None
    title = resource.get("title")
    if isinstance(title, str) and isinstance(cpr, str) and title != profiles.TITLE_PREFIX + cpr:
        findings.add("PROFILE-COMPOSITION-TITLE-CPR", f"{path}.title")


def _check_observation(entry: Entry, entries: Entries, findings: Findings) -> None:
    resource, path = entry.resource, f"{entry.path}.resource"
    kinds = _kinds(entry, resource.get("performer"), entries)
    if (
        kinds.count("Organization") != 1
        or kinds.count("Practitioner") > 1
        or kinds.count("PractitionerRole") > 1
    ):
        findings.add("PROFILE-PERFORMER", f"{path}.performer")
    composition = entries.one("Composition")
    if composition is not None:
        authors = _kinds(composition, composition.resource.get("author"), entries)
        if ("Practitioner" in kinds) != ("Practitioner" in authors):
            findings.add("PROFILE-PERSON-DIFFERS", f"{path}.performer")
    _check_note_code(resource.get("code"), f"{path}.code", findings)
    data = attachment_of(entries).get("data")
    body = decoded(data) if isinstance(data, str) else None
    if body is not None and text_of(body) is None:
        findings.add("PROFILE-BODY-UTF8", f"{path}.extension[0].valueAttachment.data")


def _check_note_code(code: object, path: str, findings: Findings) -> None:
    codings = objects(code.get("coding")) if isinstance(code, dict) else []
    systems = [str(coding.get("system")) for coding in codings]
    ours = [coding for coding in codings if coding.get("system") == profiles.SNOMED]
    wanted = (profiles.NOTE_TYPE_CODE, profiles.NOTE_TYPE_DISPLAY)
    is_ours = [(coding.get("code"), coding.get("display")) for coding in ours] == [wanted]
    is_once_each = len(set(systems)) == len(systems)
    if not is_ours or not is_once_each or not set(systems) <= _CODE_SYSTEMS:
        findings.add("PROFILE-OBSERVATION-CODE-SNOMED", f"{path}.coding")
    elif len(codings) > 1 or (isinstance(code, dict) and "text" in code):
        findings.add("PROFILE-ELEMENT-DROPPED", path)


def text_of(body: bytes) -> str | None:
    """Decode the note's body, or None if it is not UTF-8."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _check_patient(entry: Entry, _: Entries, findings: Findings) -> None:
    resource, path = entry.resource, f"{entry.path}.resource"
    identifier = first(resource.get("identifier"))
    system, value = identifier.get("system"), identifier.get("value")
    place = f"{path}.identifier[0]"
    fields = Checks()
    if isinstance(system, str) and system.startswith(profiles.REPLACEMENT_CPR_SYSTEMS):
        fields.replacement_cpr(place)
    elif isinstance(system, str) and system != profiles.CPR_SYSTEM:
        findings.add("PROFILE-PATIENT-CPR-SYSTEM", f"{place}.system")
    elif isinstance(value, str) and fields.cpr_value(value, f"{place}.value") is not None:
        check_duty(resource, value, path, findings)
    findings.take(fields)
    _check_names(resource, path, findings)
    if isinstance(resource.get("gender"), str) and resource["gender"] not in _GENDERS:
        findings.add("PROFILE-GENDER", f"{path}.gender")


def _check_names(resource: Json, path: str, findings: Findings) -> None:
    """Refuse a name of blanks or dots: names are left out, not invented."""
    fields = Checks()
    for at, name in enumerate(objects(resource.get("name"))):
        place = f"{path}.name[{at}]"
        if isinstance(name.get("family"), str):
            fields.family(name, "family", place)
        given = name.get("given")
        if isinstance(given, list) and all(isinstance(each, str) for each in given):
            fields.names(name, "given", place)
    findings.take(fields)


def _check_organization(entry: Entry, _: Entries, findings: Findings) -> None:
    resource, path = entry.resource, f"{entry.path}.resource"
    identifiers = objects(resource.get("identifier"))
    place = f"{path}.identifier"
    sor = [item for item in identifiers if item.get("system") == profiles.SOR_SYSTEM]
    value = sor[0].get("value") if len(sor) == 1 else None
    if not isinstance(value, str) or sor[0].get("use", "official") != "official":
        findings.add("PROFILE-ORGANIZATION-SOR", place)
    else:
        fields = Checks()
        if fields.sor_code_value(value, place) is not None:
            check_duty(resource, value, path, findings)
        findings.take(fields)
    provider = [item for item in identifiers if item.get("system") == profiles.PROVIDER_SYSTEM]
    if len(provider) > 1:
        findings.add("PROFILE-PROVIDER-NUMBER", place)
    elif provider and _PROVIDER.fullmatch(str(provider[0].get("value"))) is None:
        findings.add("PROFILE-PROVIDER-NUMBER-FORM", place)
    known = (profiles.SOR_SYSTEM, profiles.PROVIDER_SYSTEM)
    for at, item in enumerate(identifiers):
        if item.get("system") not in known:
            findings.add("PROFILE-ELEMENT-DROPPED", f"{place}[{at}]")


def cpr_of(patient: Json) -> str | None:
    """Give a Patient's CPR number if it is one."""
    identifier = first(patient.get("identifier"))
    value = identifier.get("value")
    if identifier.get("system") != profiles.CPR_SYSTEM or not isinstance(value, str):
        return None
    return Checks().cpr_value(value, "")


def sor_code_of(organization: Json) -> str | None:
    """Give an Organization's SOR code if it has one and no more."""
    identifiers = objects(organization.get("identifier"))
    sor = [item.get("value") for item in identifiers if item.get("system") == profiles.SOR_SYSTEM]
    if len(sor) != 1 or not isinstance(sor[0], str):
        return None
    return Checks().sor_code_value(sor[0], "")


def _check_practitioner(entry: Entry, _: Entries, findings: Findings) -> None:
    resource, path = entry.resource, f"{entry.path}.resource"
    identifier = first(resource.get("identifier"))
    if identifier.get("system") == profiles.CPR_SYSTEM:
        findings.add("PROFILE-PRACTITIONER-CPR", f"{path}.identifier[0]")
    elif identifier and author_id(identifier) is None:
        findings.add("PROFILE-PERSON-ID-UUID", f"{path}.identifier[0]")
    _check_names(resource, path, findings)
    for at in range(1, len(objects(resource.get("name")))):
        findings.add("PROFILE-ELEMENT-DROPPED", f"{path}.name[{at}]")
    qualifications = objects(resource.get("qualification"))
    for at, qualification in enumerate(qualifications):
        if at or authorization_of(qualification) is None:
            findings.add("PROFILE-ELEMENT-DROPPED", f"{path}.qualification[{at}]")
        elif qualification.get("code") != {"text": profiles.AUTHORIZATION_TEXT}:
            findings.add("PROFILE-ELEMENT-DROPPED", f"{path}.qualification[{at}].code")


def author_id(identifier: Json) -> str | None:
    """Give an identifier's value if it is ``urn:uuid:`` and a UUID, in lower case."""
    value = identifier.get("value")
    is_ours = identifier.get("system") == profiles.URI_SYSTEM
    return value.lower() if is_ours and isinstance(value, str) and is_urn_uuid(value) else None


def authorization_of(qualification: Json) -> str | None:
    """Give the authorisation id of a qualification whose only identifier it is."""
    identifiers = objects(qualification.get("identifier"))
    if [item.get("system") for item in identifiers] != [profiles.AUTHORIZATION_SYSTEM]:
        return None
    value = identifiers[0].get("value")
    return value if isinstance(value, str) else None


def _check_role(entry: Entry, entries: Entries, findings: Findings) -> None:
    resource, path = entry.resource, f"{entry.path}.resource"
    identifier = first(resource.get("identifier"))
    if entries.one("Practitioner") is None and identifier and author_id(identifier) is None:
        findings.add("PROFILE-PERSON-ID-UUID", f"{path}.identifier[0]")
    if "code" not in resource:
        if entries.one("Practitioner") is None:
            findings.add("PROFILE-ELEMENT-DROPPED", path)
        return
    codes = objects(resource["code"])
    codings = [coding for code in codes for coding in objects(code.get("coding"))]
    has_coding = any(coding.get("system") and coding.get("code") for coding in codings)
    texts = [code["text"] for code in codes if "text" in code]
    if has_coding == bool(texts):
        findings.add("PROFILE-ROLE-CODE-XOR-TEXT", f"{path}.code")
        return
    if len(codings) + len(texts) > 1:
        findings.add("PROFILE-ELEMENT-DROPPED", f"{path}.code[1]")
    if codings and role_of(codings[0]) is None:
        findings.add("PROFILE-ROLE-UNKNOWN", f"{path}.code")


def role_of(coding: Json) -> str | None:
    """Give the role code of a coding that MedCom's lists have, in its right spelling."""
    return normal_role_in(str(coding.get("system")), str(coding.get("code")))


def _kinds(entry: Entry, references: object, entries: Entries) -> list[str]:
    """Name the types that references point to; what does not resolve counts as nothing."""
    targets = [entries.target(entry, reference) for reference in objects(references)]
    return [target.kind for target in targets if target is not None]


_OWN_CHECKS: Final = {
    "Composition": _check_composition,
    "Observation": _check_observation,
    "Patient": _check_patient,
    "Organization": _check_organization,
    "Practitioner": _check_practitioner,
    "PractitionerRole": _check_role,
}
