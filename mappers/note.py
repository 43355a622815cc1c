"""The canonical note: what every inbound format is read into, and its stored bytes.

Plain frozen records, checked by the readers in :mod:`mappers.practice` and not
again here. Nothing of a person, and no text, shows in a ``repr``.

Source: design.md 4 (fields), 3.1 (same content); sharing-rules 3.2, 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, Literal

import orjson

from mappers.errors import MappingError

Status = Literal["draft", "final"]
JsonValue = bool | str | list[str] | dict[str, str] | None
"""What a marking may look like as JSON."""

MARKING_NAMES: Final = (
    "do_not_share",
    "hide_from_professionals",
    "third_party_confidential",
    "delay_until",
    "hide_from_patient",
    "hide_from_guardian",
    "sensitive",
    "guardian_ok",
    "patient_confirmed_feed",
)
"""The keys of ``markings`` in the order of design.md 4."""


@dataclass(frozen=True, slots=True)
class Patient:
    """The person the note is about. ``cpr`` is ten digits; ``gender`` as in FHIR."""

    cpr: str = field(repr=False)
    given: tuple[str, ...] = field(repr=False)
    family: str = field(repr=False)
    birth_date: date = field(repr=False)
    gender: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Organization:
    """The clinic. ``name`` is shown as it stands, never one looked up in SOR."""

    sor_code: str
    provider_number: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote the note.

    ``id`` is a stable ``urn:uuid:``; ``role`` a code of :mod:`mappers.codes`;
    ``role_text`` stands for a role without a code, never beside ``role``.
    Names are empty when the person is known by role alone.
    """

    id: str | None
    given: tuple[str, ...] = field(repr=False)
    family: str | None = field(repr=False)
    role: str | None
    role_text: str | None = None
    authorization_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NoteText:
    """The body. ``html`` is what :func:`mappers.html.clean_html` made: p br b i u tt only."""

    content_type: Literal["text/html"]
    html: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Markings:
    """The clinic's wishes about one note; ``named`` are the keys the sender wrote.

    A posted version never changes a marking that it does not name.
    ``hide_from_patient`` is the legal basis; ``delay_until`` belongs to the
    version, the rest to the note.
    """

    do_not_share: bool = False
    hide_from_professionals: bool = False
    third_party_confidential: bool = False
    delay_until: datetime | None = None
    hide_from_patient: str | None = None
    hide_from_guardian: bool = False
    sensitive: tuple[str, ...] = ()
    guardian_ok: bool = False
    patient_confirmed_feed: bool = False
    named: frozenset[str] = frozenset()

    def value_of(self, name: str) -> JsonValue:
        """Give one marking in the form that design.md 4 gives it.

        Raises:
            KeyError: ``name`` is none of :data:`MARKING_NAMES`.
        """
        if name == "delay_until":
            return None if self.delay_until is None else self.delay_until.isoformat()
        if name == "hide_from_patient":
            return None if self.hide_from_patient is None else {"basis": self.hide_from_patient}
        if name == "sensitive":
            return list(self.sensitive)
        if name not in MARKING_NAMES:
            raise KeyError(name)
        return bool(getattr(self, name))


@dataclass(frozen=True, slots=True)
class JournalNote:
    """One version of one note, as the practice system sent it.

    All times are aware and keep the offset they came with. ``created_at`` is
    when the documented event began, ``completed_at`` when this version was
    finished, ``last_entry_at`` the last entry in the patient's record here.
    """

    source_note_id: str
    version: int
    status: Status
    patient: Patient
    organization: Organization
    author: Author | None
    author_name_protected: bool
    encounter_id: str | None
    contact_type: str
    icpc2: tuple[str, ...] = field(repr=False)
    ai_assisted: bool
    created_at: datetime
    ended_at: datetime | None
    completed_at: datetime
    last_entry_at: datetime | None
    safety_correction: bool
    text: NoteText
    markings: Markings


def note_to_bytes(note: JournalNote) -> bytes:
    """Write a note as canonical JSON: sorted keys, UTF-8, times with their offsets."""
    tree = _content_tree(note, datetime.isoformat)
    tree["markings"] = {name: note.markings.value_of(name) for name in MARKING_NAMES}
    tree["named"] = sorted(note.markings.named)
    return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)


def content_key(note: JournalNote) -> bytes:
    """Give the bytes by which two posts are judged to hold the same content.

    All but the markings, which have their own life, so that a replayed post is
    the same whatever it says of them; times are compared as instants.

    Source: design.md 3.1, "same content".
    """
    return orjson.dumps(_content_tree(note, _as_instant), option=orjson.OPT_SORT_KEYS)


def note_from_bytes(data: bytes) -> JournalNote:
    """Read what :func:`note_to_bytes` wrote; the result equals the note written.

    Raises:
        MappingError: the bytes are not such a note.
    """
    try:
        tree = orjson.loads(data)
        return _note_from_tree(tree)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        # The cause may quote the content, so only its kind is told.
        raise MappingError("$", f"not a stored note ({type(error).__name__})") from None


def _as_instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _content_tree(note: JournalNote, time_text: Any) -> dict[str, Any]:
    patient, clinic, author = note.patient, note.organization, note.author
    ended_at, last_entry_at = note.ended_at, note.last_entry_at
    return {
        "source_note_id": note.source_note_id,
        "version": note.version,
        "status": note.status,
        "patient": {
            "cpr": patient.cpr,
            "given": patient.given,
            "family": patient.family,
            "birth_date": patient.birth_date.isoformat(),
            "gender": patient.gender,
        },
        "organization": {
            "sor_code": clinic.sor_code,
            "provider_number": clinic.provider_number,
            "name": clinic.name,
        },
        "author": None
        if author is None
        else {
            "id": author.id,
            "given": author.given,
            "family": author.family,
            "role": author.role,
            "role_text": author.role_text,
            "authorization_id": author.authorization_id,
        },
        "author_name_protected": note.author_name_protected,
        "encounter_id": note.encounter_id,
        "contact_type": note.contact_type,
        "icpc2": note.icpc2,
        "ai_assisted": note.ai_assisted,
        "created_at": time_text(note.created_at),
        "ended_at": None if ended_at is None else time_text(ended_at),
        "completed_at": time_text(note.completed_at),
        "last_entry_at": None if last_entry_at is None else time_text(last_entry_at),
        "safety_correction": note.safety_correction,
        "text": {"content_type": note.text.content_type, "html": note.text.html},
    }


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _note_from_tree(tree: dict[str, Any]) -> JournalNote:
    patient, clinic, author = tree["patient"], tree["organization"], tree["author"]
    marks = tree["markings"]
    basis = marks["hide_from_patient"]
    return JournalNote(
        source_note_id=tree["source_note_id"],
        version=tree["version"],
        status=tree["status"],
        patient=Patient(
            cpr=patient["cpr"],
            given=tuple(patient["given"]),
            family=patient["family"],
            birth_date=date.fromisoformat(patient["birth_date"]),
            gender=patient["gender"],
        ),
        organization=Organization(clinic["sor_code"], clinic["provider_number"], clinic["name"]),
        author=None
        if author is None
        else Author(
            id=author["id"],
            given=tuple(author["given"]),
            family=author["family"],
            role=author["role"],
            role_text=author["role_text"],
            authorization_id=author["authorization_id"],
        ),
        author_name_protected=tree["author_name_protected"],
        encounter_id=tree["encounter_id"],
        contact_type=tree["contact_type"],
        icpc2=tuple(tree["icpc2"]),
        ai_assisted=tree["ai_assisted"],
        created_at=datetime.fromisoformat(tree["created_at"]),
        ended_at=_moment(tree["ended_at"]),
        completed_at=datetime.fromisoformat(tree["completed_at"]),
        last_entry_at=_moment(tree["last_entry_at"]),
        safety_correction=tree["safety_correction"],
        text=NoteText(tree["text"]["content_type"], tree["text"]["html"]),
        markings=Markings(
            **{
                **marks,
                "delay_until": _moment(marks["delay_until"]),
                "hide_from_patient": None if basis is None else basis["basis"],
                "sensitive": tuple(marks["sensitive"]),
            },
            named=frozenset(tree["named"]),
        ),
    )
