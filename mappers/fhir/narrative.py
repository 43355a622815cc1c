"""The readable part of each resource: XHTML in Danish, from facts given as XHTML text.

Every argument is already escaped (:func:`escape`) or made by us. No narrative
holds base64; the note's body stands in the observation's as XHTML.

Source: medcom-shared-notes 12 (what shall be readable, which elements are
allowed); FHIR R4 narrative, txt-1 and txt-2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mappers.fhir import profiles

OPEN: Final = f'<div xmlns="{profiles.XHTML}" lang="da" xml:lang="da">'
CLOSE: Final = "</div>"

GENDER_DISPLAY: Final = {
    "male": "mand",
    "female": "kvinde",
    "other": "andet",
    "unknown": "ukendt",
}

_TYPE: Final = f"{profiles.NOTE_TYPE_DISPLAY} ({profiles.SNOMED} {profiles.NOTE_TYPE_CODE})"
_CLASS: Final = (
    f"{profiles.CLASS_CODE_DISPLAY} ({profiles.CLASS_CODE_SYSTEM} {profiles.CLASS_CODE})"
)


def escape(text: str) -> str:
    """Escape character data for XHTML."""
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    return text


def readable_body(html: str) -> str:
    """Turn a clean body into narrative XHTML: ``u`` is deprecated there, a span is not.

    ``html`` is well-formed and its tags carry no attributes, so the two tags of
    ``u`` can be exchanged as text.
    """
    if "<u" not in html:
        return html
    return (
        html.replace("<u>", '<span style="text-decoration: underline">')
        .replace("</u>", "</span>")
        .replace("<u/>", "")
    )


def composition_text(
    *,
    own_id: str,
    title: str,
    patient: str,
    date: str,
    authors: Iterable[str],
    start: str,
    end: str | None,
    observation: str,
) -> str:
    """Write the narrative of the Composition; parties are names with their ids."""
    lines = "".join(f"<br/>Forfatter: {author}" for author in authors)
    stop = "" if end is None else f"<br/>Kontakt slut: {end}"
    return (
        f"{OPEN}<p><b>{title}</b></p>"
        f"<p>Patient: {patient}<br/>Sidst opdateret: {date}{lines}"
        f"<br/>Kontakt start: {start}{stop}</p>"
        f"<p>Type: {_TYPE}<br/>Kategori: {_CLASS}<br/>Status: final<br/>Fortrolighed: N"
        f"<br/>Sprog: da<br/>Profil: {profiles.COMPOSITION_PROFILE}"
        f"<br/>Notat: {observation}<br/>Id: {own_id}</p>{CLOSE}"
    )


def observation_text(
    *, own_id: str, patient: str, effective: str, performers: Iterable[str], body: str
) -> str:
    """Write the narrative of the Observation: the facts, then the note itself."""
    lines = "".join(f"<br/>Udført af: {performer}" for performer in performers)
    return (
        f"{OPEN}<p><b>Journalnotat</b></p>"
        f"<p>Patient: {patient}<br/>Oprettet: {effective}{lines}"
        f"<br/>Kode: {_TYPE}<br/>Status: final<br/>Indholdstype: text/html<br/>Id: {own_id}</p>"
        f"<div>{readable_body(body)}</div>{CLOSE}"
    )


def patient_text(
    *, own_id: str, cpr: str, given: str, family: str, gender: str, birth_date: str
) -> str:
    """Write the narrative of the Patient; a protected name comes in as its stand-in."""
    return (
        f"{OPEN}<p><b>Patient</b></p><p>Fornavn: {given}<br/>Efternavn: {family}"
        f"<br/>Navnetype: official<br/>CPR-nummer: {cpr} ({profiles.CPR_SYSTEM})"
        f"<br/>Køn: {GENDER_DISPLAY[gender]} ({gender})<br/>Født: {birth_date}"
        f"<br/>Id: {own_id}</p>{CLOSE}"
    )


def organization_text(*, own_id: str, name: str, sor_code: str, provider_number: str | None) -> str:
    """Write the narrative of the clinic."""
    provider = (
        ""
        if provider_number is None
        else f"<br/>Ydernummer: {provider_number} ({profiles.PROVIDER_SYSTEM})"
    )
    return (
        f"{OPEN}<p><b>Organisation</b></p><p>Navn: {name}"
        f"<br/>SOR-kode: {sor_code} ({profiles.SOR_SYSTEM}){provider}<br/>Id: {own_id}</p>{CLOSE}"
    )


def practitioner_text(*, own_id: str, given: str, family: str, authorization_id: str | None) -> str:
    """Write the narrative of the person who wrote the note."""
    authorization = "" if authorization_id is None else f"<br/>Autorisations-id: {authorization_id}"
    return (
        f"{OPEN}<p><b>Sundhedsperson</b></p><p>Fornavn: {given}<br/>Efternavn: {family}"
        f"{authorization}<br/>Id: {own_id}</p>{CLOSE}"
    )


def role_text(*, own_id: str, role: str, practitioner: str | None, organization: str) -> str:
    """Write the narrative of the role; ``role`` is text, or display, system and code."""
    person = "" if practitioner is None else f"<br/>Sundhedsperson: {practitioner}"
    return (
        f"{OPEN}<p><b>Rolle</b></p><p>Rolle: {role}{person}"
        f"<br/>Organisation: {organization}<br/>Id: {own_id}</p>{CLOSE}"
    )
