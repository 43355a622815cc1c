"""Mapping a note to its document: ours over the least program that writes the same.

``python -m tests.bench.mapping`` measures this alone. The least program takes the note
as a plain dict and ids as text, knows where everything goes, checks nothing, and writes
JSON by orjson and XML by a string writer of twenty lines. Both must give what we give:
the JSON equal when parsed, the XML byte for byte. A second figure, without a limit,
starts from the finished tree, so that nothing but the last step is left.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

import orjson

from mappers.codes import role_code
from mappers.fhir import profiles
from mappers.fhir.bundle import assemble_bundle, assemble_xml, bundle_tree
from mappers.fhir.ids import document_ids, texts_of
from mappers.note import Author, JournalNote, Markings, NoteText, Organization, Patient

Json = dict[str, Any]

MUST: Final = 0.5
TEXT_BYTES: Final = 2_000
ASSEMBLED_AT: Final = datetime(2026, 12, 11, 8, 15, 30, tzinfo=UTC)
ROLE: Final = role_code("speciallaegeipraksis")
_SENTENCE: Final = "Årskontrol: <b>BT 138/82</b> mmHg, vægt uændret &lt; 80 kg.<br/>"


def sample_note() -> JournalNote:
    """An ordinary note of 2 kB with a named author and a role."""
    winter = timezone(timedelta(hours=1))
    html = f"<p>{_SENTENCE * (TEXT_BYTES // len(_SENTENCE.encode()))}</p>"
    return JournalNote(
        source_note_id="bench-1",
        version=1,
        status="final",
        patient=Patient("3001749995", ("Niels", "Test"), "Vendelboe", date(1974, 1, 30), "male"),
        organization=Organization("61741000016007", "077410", "Lægerne Hasseris Bymidte"),
        author=Author(
            "urn:uuid:0ee2db70-d972-4497-a156-0a8109aaa771", ("Sidsel",), "Andersen", ROLE.code
        ),
        author_name_protected=False,
        encounter_id=None,
        contact_type="consultation",
        icpc2=(),
        ai_assisted=False,
        created_at=datetime(2026, 12, 10, 10, 0, tzinfo=winter),
        ended_at=None,
        completed_at=datetime(2026, 12, 10, 10, 12, tzinfo=winter),
        last_entry_at=None,
        safety_correction=False,
        text=NoteText("text/html", html),
        markings=Markings(),
    )


def plain_note(note: JournalNote, ids: Any) -> Json:
    """The same as a plain dict: names, times and ids as text."""
    author = note.author
    assert author is not None
    return {
        "cpr": note.patient.cpr,
        "given": note.patient.given,
        "family": note.patient.family,
        "gender": note.patient.gender,
        "birth_date": note.patient.birth_date.isoformat(),
        "sor": note.organization.sor_code,
        "provider": note.organization.provider_number,
        "clinic": note.organization.name,
        "author_given": author.given,
        "author_family": author.family,
        "created": note.created_at.isoformat(),
        "updated": note.completed_at.isoformat(),
        "timestamp": "2026-12-11T08:15:30Z",
        "html": note.text.html,
        **{name: getattr(ids, name) for name in type(ids).__slots__},
    }


def _esc(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _head(kind: str, own_id: str, profile: str, status: str, div: str) -> Json:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml" lang="da" xml:lang="da">{div}</div>'
    return {
        "resourceType": kind,
        "id": own_id,
        "meta": {"profile": [profile]},
        **({"language": "da"} if kind == "Composition" else {}),
        "text": {"status": status, "div": div},
    }


def _ref(target: str) -> Json:
    return {"reference": f"urn:uuid:{target}"}


def _id(value: str) -> Json:
    return {"system": profiles.URI_SYSTEM, "value": f"urn:uuid:{value}"}


def least_tree(n: Json) -> Json:
    """The document of a plain note, written down straight; elements in FHIR's order."""
    patient = f"{_esc(' '.join(n['given']))} {_esc(n['family'])} ({n['patient_id']})"
    clinic = f"{_esc(n['clinic'])} ({n['organization_id']})"
    person = (
        f"{_esc(' '.join(n['author_given']))} {_esc(n['author_family'])} ({n['practitioner_id']})"
    )
    role = f"{ROLE.display} ({ROLE.system} {ROLE.code})"
    kind = {
        "system": profiles.SNOMED,
        "code": profiles.NOTE_TYPE_CODE,
        "display": profiles.NOTE_TYPE_DISPLAY,
    }
    class_code = {
        "system": profiles.CLASS_CODE_SYSTEM,
        "code": profiles.CLASS_CODE,
        "display": profiles.CLASS_CODE_DISPLAY,
    }
    kind_text = f"{kind['display']} ({kind['system']} {kind['code']})"
    class_text = f"{class_code['display']} ({class_code['system']} {class_code['code']})"
    title = f"Journalnotat for {n['cpr']}"
    composition = {
        **_head(
            "Composition",
            n["composition_id"],
            profiles.COMPOSITION_PROFILE,
            "generated",
            f"<p><b>{title}</b></p><p>Patient: {patient}<br/>Sidst opdateret: {n['updated']}"
            f"<br/>Forfatter: {clinic}<br/>Forfatter: {person}"
            f"<br/>Kontakt start: {n['created']}</p>"
            f"<p>Type: {kind_text}<br/>Kategori: {class_text}<br/>Status: final"
            f"<br/>Fortrolighed: N<br/>Sprog: da<br/>Profil: {profiles.COMPOSITION_PROFILE}"
            f"<br/>Notat: {n['observation_id']}<br/>Id: {n['composition_id']}</p>",
        ),
        "identifier": _id(n["composition_identifier"]),
        "status": "final",
        "type": {"coding": [kind]},
        "category": [{"coding": [class_code]}],
        "subject": _ref(n["patient_id"]),
        "date": n["updated"],
        "author": [_ref(n["organization_id"]), _ref(n["practitioner_id"])],
        "title": title,
        "confidentiality": "N",
        "event": [{"period": {"start": n["created"]}}],
        "section": [{"title": "Journalnotat", "entry": [_ref(n["observation_id"])]}],
    }
    observation = {
        **_head(
            "Observation",
            n["observation_id"],
            profiles.NOTES_OBSERVATION,
            "extensions",
            f"<p><b>Journalnotat</b></p><p>Patient: {patient}<br/>Oprettet: {n['created']}"
            f"<br/>Udført af: {clinic}<br/>Udført af: {person}<br/>Udført af: {role}"
            f" ({n['role_id']})<br/>Kode: {kind_text}<br/>Status: final"
            f"<br/>Indholdstype: text/html<br/>Id: {n['observation_id']}</p>"
            f"<div>{n['html']}</div>",
        ),
        "extension": [
            {
                "url": profiles.ATTACHMENT_EXTENSION,
                "valueAttachment": {
                    "contentType": "text/html",
                    "data": b64encode(n["html"].encode()).decode(),
                },
            }
        ],
        "identifier": [_id(n["observation_identifier"])],
        "status": "final",
        "code": {"coding": [kind]},
        "subject": _ref(n["patient_id"]),
        "effectiveDateTime": n["created"],
        "performer": [
            _ref(n["organization_id"]),
            _ref(n["practitioner_id"]),
            _ref(n["role_id"]),
        ],
    }
    people = _least_people(n, clinic, person, role)
    entries = [(n["composition_id"], composition), (n["observation_id"], observation), *people]
    return {
        "resourceType": "Bundle",
        "id": n["bundle_id"],
        "meta": {"profile": [profiles.NOTES_BUNDLE]},
        "identifier": _id(n["bundle_identifier"]),
        "type": "document",
        "timestamp": n["timestamp"],
        "entry": [
            {"fullUrl": f"urn:uuid:{own_id}", "resource": resource} for own_id, resource in entries
        ],
    }


def _least_people(n: Json, clinic: str, person: str, role: str) -> list[tuple[str, Json]]:
    patient = {
        **_head(
            "Patient",
            n["patient_id"],
            profiles.DOCUMENT_PATIENT,
            "generated",
            f"<p><b>Patient</b></p><p>Fornavn: {_esc(' '.join(n['given']))}<br/>Efternavn: "
            f"{_esc(n['family'])}<br/>Navnetype: official<br/>CPR-nummer: {n['cpr']} "
            f"({profiles.CPR_SYSTEM})<br/>Køn: mand ({n['gender']})<br/>Født: {n['birth_date']}"
            f"<br/>Id: {n['patient_id']}</p>",
        ),
        "identifier": [{"system": profiles.CPR_SYSTEM, "value": n["cpr"]}],
        "name": [{"use": "official", "family": n["family"], "given": n["given"]}],
        "gender": n["gender"],
        "birthDate": n["birth_date"],
    }
    organization = {
        **_head(
            "Organization",
            n["organization_id"],
            profiles.DOCUMENT_ORGANIZATION,
            "generated",
            f"<p><b>Organisation</b></p><p>Navn: {_esc(n['clinic'])}<br/>SOR-kode: {n['sor']} "
            f"({profiles.SOR_SYSTEM})<br/>Ydernummer: {n['provider']} "
            f"({profiles.PROVIDER_SYSTEM})<br/>Id: {n['organization_id']}</p>",
        ),
        "identifier": [
            {"system": profiles.SOR_SYSTEM, "value": n["sor"]},
            {"system": profiles.PROVIDER_SYSTEM, "value": n["provider"]},
        ],
        "name": n["clinic"],
    }
    practitioner = {
        **_head(
            "Practitioner",
            n["practitioner_id"],
            profiles.DOCUMENT_PRACTITIONER,
            "generated",
            f"<p><b>Sundhedsperson</b></p><p>Fornavn: {_esc(' '.join(n['author_given']))}"
            f"<br/>Efternavn: {_esc(n['author_family'])}<br/>Id: {n['practitioner_id']}</p>",
        ),
        "identifier": [_id(n["practitioner_identifier"])],
        "name": [{"family": n["author_family"], "given": n["author_given"]}],
    }
    practitioner_role = {
        **_head(
            "PractitionerRole",
            n["role_id"],
            profiles.DOCUMENT_PRACTITIONER_ROLE,
            "generated",
            f"<p><b>Rolle</b></p><p>Rolle: {role}<br/>Sundhedsperson: {person}"
            f"<br/>Organisation: {clinic}<br/>Id: {n['role_id']}</p>",
        ),
        "identifier": [_id(n["role_identifier"])],
        "practitioner": _ref(n["practitioner_id"]),
        "organization": _ref(n["organization_id"]),
        "code": [{"coding": [{"system": ROLE.system, "code": ROLE.code, "display": ROLE.display}]}],
    }
    return [
        (n["patient_id"], patient),
        (n["organization_id"], organization),
        (n["practitioner_id"], practitioner),
        (n["role_id"], practitioner_role),
    ]


def string_writer(tree: Json) -> bytes:
    """Write a tree whose keys stand in FHIR's order; checks nothing."""
    parts = ['<Bundle xmlns="http://hl7.org/fhir">']
    _string_members(parts, tree)
    parts.append("</Bundle>")
    return "".join(parts).encode()


def _string_members(parts: list[str], node: Json) -> None:
    for name, value in node.items():
        if name in ("resourceType", "url"):
            continue
        for each in value if type(value) in (list, tuple) else (value,):
            if name == "div":
                parts.append(each.replace("<br/>", "<br></br>"))
            elif type(each) is str:
                text = each.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
                parts.append(f'<{name} value="{text}"></{name}>')
            else:
                kind = each.get("resourceType")
                url = f' url="{each["url"]}"' if "url" in each else ""
                parts.append(f"<{name}{url}><{kind}>" if kind else f"<{name}{url}>")
                _string_members(parts, each)
                parts.append(f"</{kind}></{name}>" if kind else f"</{name}>")


def _per_second(work: Callable[[], object], seconds: float = 0.15) -> float:
    done = 0
    start = time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for _ in range(20):
            work()
        done += 20
    return done / spent


def lines(rounds: int = 5) -> list[str]:
    """Measure in interleaved rounds; one line for each form, medians.

    Raises:
        RuntimeError: the programs compared do not write the same.
    """
    note = sample_note()
    ids = document_ids(
        note,
        id_namespace=b"a secret of the benchmark, 32 b.",
        patient_key=b"patient",
        bundle_identifier=UUID("6f0d2f5e-2d0c-4a83-9e5e-4c1b7f1d9a02"),
    )
    plain = plain_note(note, texts_of(ids))
    tree = bundle_tree(note, ids, assembled_at=ASSEMBLED_AT, name_protected=False)
    ordered = least_tree(plain)

    def ours_json() -> bytes:
        return assemble_bundle(note, ids, assembled_at=ASSEMBLED_AT, name_protected=False)

    def ours_xml() -> bytes:
        return assemble_xml(note, ids, assembled_at=ASSEMBLED_AT, name_protected=False)

    if json.loads(ours_json()) != json.loads(orjson.dumps(ordered)):
        raise RuntimeError("the JSON documents differ")
    if ours_xml() != string_writer(ordered):
        raise RuntimeError("the XML documents differ")
    forms: list[tuple[str, Callable[[], bytes], Callable[[], bytes], Callable[[], bytes]]] = [
        (
            "JSON",
            ours_json,
            lambda: orjson.dumps(least_tree(plain)),
            lambda: orjson.dumps(tree),
        ),
        (
            "XML",
            ours_xml,
            lambda: string_writer(least_tree(plain)),
            lambda: string_writer(ordered),
        ),
    ]
    measured: dict[str, list[tuple[float, float, float]]] = {name: [] for name, *_ in forms}
    for _ in range(rounds):
        for name, *works in forms:
            ours, least, last = (_per_second(work) for work in works)
            measured[name].append((ours, least, last))
    return [_line(name, measured[name], len(forms[at][1]())) for at, name in enumerate(measured)]


def _line(name: str, rows: list[tuple[float, float, float]], size: int) -> str:
    ratios = [ours / least for ours, least, _ in rows]
    median = statistics.median(ratios)
    ours, least, last = (statistics.median(column) for column in zip(*rows, strict=True))
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
    return (
        f"{f'(2) mapping, note to {name}':34} {median:5.2f}  {spread:11} {MUST:4.2f}"
        f"         {'must' if median >= MUST else 'BELOW':5}  ours {ours:.0f}/s, {size} bytes;"
        f" least program {least:.0f}/s; its last step alone {last:.0f}/s"
    )


if __name__ == "__main__":
    print("\n".join(lines()))
    sys.exit(0)
