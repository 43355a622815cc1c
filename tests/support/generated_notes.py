"""Notes as practices may send them, for tests that must hold for every note.

A generated note is plain JSON that the plain reader has read, so that it is what the
gateway really holds: HTML with every allowed tag in any nesting, plain text, Danish
letters and markup characters everywhere, authors of every kind, times in any zone.
:func:`expected_back` says, by the table in docs/documents.md and not by the mapper,
what of a note can be read back from its document.

Source: design.md 4; medcom-shared-notes 7 to 10, 13, 14; docs/documents.md.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st

from mappers.codes import CONTACT_TYPES, GENDERS, REGISTER_ROLES, SENSITIVE_CATEGORIES, SKS_ROLES
from mappers.fhir.ids import DocumentIds
from mappers.html import clean_html
from mappers.note import MARKING_NAMES, Author, JournalNote
from mappers.practice.plain import read_plain_note

Json = dict[str, Any]

ROLES: Final = sorted({code for code, _ in (*REGISTER_ROLES, *SKS_ROLES)})

_AUTHORIZATION: Final = re.compile(r"[B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z0-9]{5}")
_WORD: Final = st.text(
    st.characters(
        categories=["Lu", "Ll", "Lo", "Nd", "Pd", "Zs", "Sm", "So"],
        include_characters="æøåÆØÅ&<>\"'.,;:/\u00ad\u200b",
        exclude_characters="\u2028\u2029",
    ),
    max_size=12,
)
NAMES: Final = st.tuples(st.sampled_from("ABÆØÅéÿ"), _WORD).map("".join)
_ANY: Final = st.characters(categories=["Lu", "Ll", "Nd", "Po", "Sm", "Sc", "So", "Zs"])
_TEXT: Final = st.lists(
    st.sampled_from(["\n", "\r\n", "\t", " ", "  ", "æ", "Ø", "å", "<", "&", ">", '"', "'", "BT "])
    | st.sampled_from(["\u00a0", "\u2028", "\ufeff", "&amp;", "]]>", "140/90", "\x07", "\x85"])
    | _ANY,
    max_size=12,
).map("".join)
TAGS: Final = ("p", "div", "b", "strong", "i", "em", "u", "ins", "tt", "code", "pre", "kbd", "samp")
"""Every tag that stands around text; ``br`` and an ``x:`` prefix come beside them."""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _element(made: tuple[str, str, list[str]]) -> str:
    prefix, tag, inner = made
    return f"<{prefix}{tag}>{''.join(inner)}</{prefix}{tag}>"


HTML: Final = st.lists(
    st.recursive(
        _TEXT.map(_escaped) | st.sampled_from(["<br>", "<br/>", "<x:br/>", "&aelig;", "&nbsp;"]),
        lambda inner: st.tuples(
            st.sampled_from(["", "", "x:"]), st.sampled_from(TAGS), st.lists(inner, max_size=4)
        ).map(_element),
        max_leaves=15,
    ),
    max_size=4,
).map("".join)

_MOMENTS: Final = st.builds(
    lambda moment, minutes: moment.replace(tzinfo=UTC).astimezone(
        timezone(timedelta(minutes=minutes))
    ),
    st.datetimes(datetime(1950, 1, 2), datetime(2099, 12, 30)),
    st.sampled_from([0, 60, 120, -300, 330, 840]),
)
_CPR: Final = st.builds(
    lambda day, month, rest: f"{day:02}{month:02}{rest:06}",
    st.integers(1, 28),
    st.integers(1, 12),
    st.integers(0, 999_999),
)
_URNS: Final = st.uuids().map(lambda value: f"urn:uuid:{value}")


@st.composite
def _bodies(draw: st.DrawFn) -> Json:
    """A text that shows something: HTML, HTML without tags, or plain."""
    visible = draw(st.sampled_from(["BT <140/90", "Årskontrol", "Æ & Ø", "x"]))
    if draw(st.booleans()):
        text = draw(_TEXT) + visible + draw(_TEXT)
        return {"content_type": "text/plain", "text": text}
    around = draw(st.sampled_from([HTML, HTML, _TEXT.map(_escaped)]))
    html = draw(around) + _escaped(visible) + draw(around)
    return {"content_type": "text/html", "html": html}


@st.composite
def _authors(draw: st.DrawFn) -> Json | None:
    """Nobody, a person with or without a role, or a role alone; half a name is refused."""
    kind = draw(st.sampled_from(["none", "person", "person", "role"]))
    if kind == "none":
        return None
    author: Json = {}
    if draw(st.booleans()):
        author["id"] = draw(_URNS)
    if kind == "person":
        author["given"] = draw(st.lists(NAMES, min_size=1, max_size=3))
        author["family"] = draw(NAMES)
    says = draw(st.sampled_from(["code", "text", "nothing"][: 3 if kind == "person" else 2]))
    if says == "code":
        author["role"] = draw(st.sampled_from(ROLES))
    elif says == "text":
        author["role_text"] = draw(NAMES)
    if draw(st.booleans()):
        author["authorization_id"] = draw(st.sampled_from(["ZTB01", "12345", "for lang", "ÆØÅ12"]))
    return author


@st.composite
def _markings(draw: st.DrawFn) -> Json:
    values: Json = {
        "do_not_share": draw(st.booleans()),
        "third_party_confidential": draw(st.booleans()),
        "delay_until": draw(_MOMENTS).isoformat(),
        "hide_from_guardian": draw(st.booleans()),
        "sensitive": draw(st.lists(st.sampled_from(SENSITIVE_CATEGORIES), unique=True)),
    }
    return {name: value for name, value in values.items() if draw(st.booleans())}


@st.composite
def plain_notes(draw: st.DrawFn) -> Json:
    """A note as plain JSON, right in every field."""
    created = draw(_MOMENTS)
    updated = created + timedelta(seconds=draw(st.integers(0, 10_000_000)))
    ended = None
    if draw(st.booleans()):
        ended = (created + timedelta(seconds=draw(st.integers(0, 9_000)))).isoformat()
    organization = {"sor": str(draw(st.integers(10**13, 10**14 - 1))), "name": draw(NAMES)}
    if draw(st.booleans()):
        organization["provider_number"] = f"{draw(st.integers(0, 999_999)):06}"
    return {
        "source_note_id": draw(NAMES),
        "version": draw(st.integers(1, 2_147_483_647)),
        "status": "final",
        "patient": {
            "cpr": draw(_CPR),
            "given": draw(st.lists(NAMES, min_size=1, max_size=3)),
            "family": draw(NAMES),
            "birth_date": draw(st.dates(date(1900, 1, 1), date(2099, 1, 1))).isoformat(),
            "gender": draw(st.sampled_from(GENDERS)),
        },
        "organization": organization,
        "author": draw(_authors()),
        "author_name_protected": draw(st.sampled_from([False, False, False, True])),
        "encounter_id": draw(st.none() | _URNS),
        "contact_type": draw(st.sampled_from(CONTACT_TYPES)),
        "icpc2": draw(st.lists(st.sampled_from(["T90", "K86", "P76"]), max_size=2)),
        "ai_assisted": draw(st.booleans()),
        "created_at": created.isoformat(),
        "completed_at": updated.isoformat(),
        "ended_at": ended,
        "last_entry_at": draw(st.none() | _MOMENTS.map(datetime.isoformat)),
        "safety_correction": draw(st.booleans()),
        "text": draw(_bodies()),
        "markings": draw(_markings()),
    }


def as_received(plain: Json) -> JournalNote:
    """The note that the plain reader makes of it."""
    reading = read_plain_note(json.dumps(plain, ensure_ascii=False).encode())
    assert reading.issues == ()
    assert reading.note is not None
    return reading.note


NOTES: Final = plain_notes().map(as_received)


SIZES: Final = st.sampled_from([1, 1, 1, 1, 1, 1, 1, 1, 1, 200_000])
"""How many bytes of text a note gets at least: one in ten is long."""


def lengthened(note: JournalNote, size_bytes: int) -> JournalNote:
    """The note with its text again and again, until it is so long."""
    html = note.text.html
    times = -(-size_bytes // len(html.encode()))
    clean = clean_html(html * times)
    assert clean.issues == ()
    return replace(note, text=replace(note.text, html=clean.html))


def context_of(note: JournalNote) -> bytes:
    """The header ``Note-Context`` with all that a document cannot say of a note."""
    last_entry = note.last_entry_at
    context: Json = {
        "source_note_id": note.source_note_id,
        "version": note.version,
        "contact_type": note.contact_type,
        "author_name_protected": note.author_name_protected,
        "icpc2": list(note.icpc2),
        "ai_assisted": note.ai_assisted,
        "safety_correction": note.safety_correction,
        "markings": {
            name: note.markings.value_of(name)
            for name in MARKING_NAMES
            if name in note.markings.named
        },
    }
    if note.encounter_id is not None:
        context["encounter_id"] = note.encounter_id
    if last_entry is not None:
        context["last_entry_at"] = last_entry.isoformat()
    return json.dumps(context).encode()


def expected_back(note: JournalNote, ids: DocumentIds) -> JournalNote:
    """What is read back from the document of a note and its context."""
    ended = note.ended_at
    return replace(
        note,
        author=_author_back(note, ids),
        created_at=note.created_at.replace(microsecond=0),
        completed_at=note.completed_at.replace(microsecond=0),
        ended_at=None if ended is None else ended.replace(microsecond=0),
    )


def _author_back(note: JournalNote, ids: DocumentIds) -> Author | None:
    author = note.author
    if author is None:
        return None
    role_id = _urn(ids.role_identifier)
    if note.author_name_protected:
        # Only a coded role names nobody.
        return None if author.role is None else Author(role_id, (), None, author.role)
    if author.given and author.family:
        authorization = author.authorization_id
        if authorization is not None and _AUTHORIZATION.fullmatch(authorization) is None:
            authorization = None
        return replace(
            author,
            id=_urn(ids.practitioner_identifier),
            authorization_id=authorization,
        )
    return Author(role_id, (), None, author.role, author.role_text)


def _urn(value: UUID) -> str:
    return f"urn:uuid:{value}"
