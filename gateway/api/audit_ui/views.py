"""From an audit entry to what compliance staff see of it.

Pure. Only the fields named here are taken, so whatever else an entry may hold
(a text, a title, a name) can't reach a page; free text that a person wrote is
passed through the redaction of the logs. Persons are pseudonyms here. Their
names are taken by :func:`reader_of` alone, for the one entry that is opened.

Source: sharing-rules 11.1 (fields), 11.3 (pseudonyms until opened).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from consent.texts import Text
from consent.times import COPENHAGEN
from gateway.api.audit_ui import words
from gateway.logs import redact

PSEUDONYM_DIGITS: Final = 8
NOTE_DIGITS: Final = 8
_GROUND_LENGTH: Final = 600


@dataclass(frozen=True, slots=True)
class Who:
    """Who acted, without a name. ``is_person``: there is something to open."""

    pseudonym: Text
    role: Text | None
    is_person: bool
    org_asserted: str | None = None
    org_verified: str | None = None
    level: Text | None = None
    client_system: str | None = None


@dataclass(frozen=True, slots=True)
class Duty:
    """An obligation and whether it was carried out."""

    name: Text
    state: Text


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided about one note version.

    ``meaning``: the code in words; ``told``: what the reader was told.
    """

    note: str | None
    version: int | None
    outcome: Text
    code: str
    detail: str | None
    meaning: Text | None
    told: Text | None
    destination: Text | None
    duties: tuple[Duty, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A named fact of an entry, the value already in words or language-neutral."""

    name: Text
    value: Text


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry as shown. ``seq`` is its number in the store, ``leaf_index`` its seal."""

    seq: int
    leaf_index: int | None
    entry_id: str
    at: str
    at_local: str
    action: Text
    action_code: str
    who: Who
    door: Text | None
    facts: tuple[Line, ...]
    rulings: tuple[Ruling, ...]
    request_id: str | None

    def to_json(self) -> dict[str, Any]:
        """The form of ``entries[]`` on the API."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OpenedReader:
    """Who stands behind the pseudonym of one entry."""

    name: str | None
    authorization_id: str | None
    profession: str | None
    person_id: str | None
    on_behalf_of: str | None


def pseudonym(person_id: str) -> Text:
    """How a person is called until opened; the same person, the same word."""
    short = f"{person_id[:PSEUDONYM_DIGITS]}…"
    return Text(f"Person {short}", f"Person {short}")


def entry_view(seq: int, leaf_index: int | None, body: Mapping[str, Any]) -> EntryView:
    """What is shown of one entry."""
    reader = _mapping(body, "reader")
    action = _text(body, "action") or ""
    return EntryView(
        seq=seq,
        leaf_index=leaf_index,
        entry_id=_text(body, "entry_id") or "",
        at=_text(body, "at") or "",
        at_local=_local(_text(body, "at")),
        action=words.word(words.ACTIONS, action),
        action_code=action,
        who=_who(body, reader),
        door=_word(words.DOORS, _text(body, "door")),
        facts=tuple(_facts(body)),
        rulings=tuple(_rulings(body, _text(reader, "role"))),
        request_id=_text(body, "request_id"),
    )


def reader_of(body: Mapping[str, Any]) -> OpenedReader | None:
    """The person behind an entry, None when no person acted."""
    reader = _mapping(body, "reader")
    person_id = _text(reader, "person_id")
    if person_id is None:
        return None
    return OpenedReader(
        name=_text(reader, "name"),
        authorization_id=_text(reader, "authorization_id"),
        profession=_text(reader, "profession"),
        person_id=person_id,
        on_behalf_of=_text(reader, "on_behalf_of"),
    )


def _who(body: Mapping[str, Any], reader: Mapping[str, Any]) -> Who:
    person_id = _text(reader, "person_id")
    if person_id is not None:
        return Who(
            pseudonym=pseudonym(person_id),
            role=_word(words.ROLES, _text(reader, "role")),
            is_person=True,
            org_asserted=_text(reader, "acting_org_asserted"),
            org_verified=_text(reader, "acting_org_verified"),
            level=_word(words.LEVELS, _text(reader, "auth_level")),
            client_system=_text(reader, "client_system"),
        )
    kind, _, name = (_text(body, "actor") or "").partition(":")
    if kind == "practice":
        short = f"{name[:PSEUDONYM_DIGITS]}…"
        sor_code = _text(_mapping(body, "note"), "author_org") or _text(body, "sor_code")
        return Who(Text(f"Klinik {short}", f"Practice {short}"), None, False, org_asserted=sor_code)
    if kind == "system":
        return Who(words.word(words.SYSTEMS, name), None, is_person=False)
    return Who(Text("Driften", "Operations"), None, is_person=False)


def _rulings(body: Mapping[str, Any], role: str | None) -> list[Ruling]:
    note = _mapping(body, "note")
    rulings = [
        _ruling({"note_id": note.get("note_id"), **decision}, role)
        for decision in _list(body, "decisions")
    ]
    closed = _mapping(body, "closed")
    if closed:
        rulings.insert(0, _ruling({"decision": "DENY", **closed}, role))
    return rulings


def _ruling(decision: Mapping[str, Any], role: str | None) -> Ruling:
    code = _text(decision, "code") or ""
    note_id = _text(decision, "note_id")
    version = decision.get("version")
    return Ruling(
        note=f"{note_id[:NOTE_DIGITS]}…" if note_id else None,
        version=version if isinstance(version, int) else None,
        outcome=words.word(words.OUTCOMES, _text(decision, "decision") or ""),
        code=code,
        detail=_text(decision, "detail"),
        meaning=words.meaning(code, _instant(_text(decision, "until"))),
        told=words.told(code, role),
        destination=_word(words.DESTINATIONS, _text(decision, "destination")),
        duties=tuple(
            Duty(words.word(words.OBLIGATIONS, name), words.word(words.DUTY_STATES, str(state)))
            for name, state in _mapping(decision, "obligations").items()
        ),
    )


def _facts(body: Mapping[str, Any]) -> list[Line]:
    """Ground, freshness and what else the action calls for, in that order."""
    return [
        *_note_lines(body),
        *_ground_lines(body),
        *_freshness_lines(body),
        *_change_lines(body),
        *_delivery_lines(body),
    ]


def _note_lines(body: Mapping[str, Any]) -> list[Line]:
    note = _mapping(body, "note")
    lines = []
    if _text(note, "note_id"):
        lines.append(
            _line("Notat", "Note", f"{note['note_id'][:NOTE_DIGITS]}… v{note.get('version', '?')}")
        )
    moves = [
        f"v{move.get('version')}: {move.get('from')} → {move.get('to')}"
        for move in _list(body, "moves")
    ]
    if moves:
        lines.append(_line("Tilstand", "State", "; ".join(moves)))
    codes = body.get("codes")
    if isinstance(codes, list) and codes:
        lines.append(_line("Koder", "Codes", ", ".join(map(str, codes))))
    return lines


def _ground_lines(body: Mapping[str, Any]) -> list[Line]:
    ground = _mapping(body, "ground")
    lines = []
    if case_number := _text(body, "case_number"):
        lines.append(_line("Sagsnummer", "Case number", case_number))
    if reason := _text(ground, "reason"):
        lines.append(Line(Text("Grund", "Ground"), words.word(words.REASONS, reason)))
    if explained := _text(ground, "text"):
        lines.append(_line("Begrundelse", "Explanation", explained))
    if purpose := _text(ground, "purpose"):
        lines.append(Line(Text("Formål", "Purpose"), words.word(words.PURPOSES, purpose)))
    if relation := _text(ground, "relation"):
        said = words.word(words.RELATIONS, relation)
        evidence = _text(ground, "relation_category")
        suffix = f" ({evidence})" if evidence else ""
        lines.append(Line(Text("Relation", "Relation"), Text(said.da + suffix, said.en + suffix)))
    override = ground.get("override")
    if isinstance(override, dict):
        why = words.word(words.OVERRIDES, _text(override, "reason") or "–")
        lines.append(Line(Text("Værdispring", "Override"), why))
        if text := _text(override, "text"):
            lines.append(_line("Begrundelse", "Explanation", text))
    return lines


def _freshness_lines(body: Mapping[str, Any]) -> list[Line]:
    freshness = _mapping(body, "freshness")
    ages = [
        (words.FRESHNESS[name], round(age))
        for name, age in freshness.items()
        if name in words.FRESHNESS and isinstance(age, int | float)
    ]
    lines = []
    if ages:
        lines.append(
            Line(
                Text("Oplysningernes alder", "Age of the facts"),
                Text(
                    ", ".join(f"{name.da} {age} s" for name, age in ages),
                    ", ".join(f"{name.en} {age} s" for name, age in ages),
                ),
            )
        )
    failures = _mapping(freshness, "failures")
    if failures:
        text = ", ".join(f"{source}: {code}" for source, code in failures.items())
        lines.append(_line("Intet svar fra", "No answer from", text))
    return lines


def _change_lines(body: Mapping[str, Any]) -> list[Line]:
    lines = []
    for name, change in _mapping(body, "changes").items():
        if isinstance(change, dict):
            before, after = _plain(change.get("from")), _plain(change.get("to"))
            lines.append(
                Line(
                    words.word(words.MARKINGS, name),
                    Text(f"{before.da} → {after.da}", f"{before.en} → {after.en}"),
                )
            )
    opened = _mapping(body, "opened").get("seq")
    if isinstance(opened, int):
        lines.append(_line("Åbnede post nr.", "Opened entry no.", str(opened)))
    before_seq = body.get("before")
    if isinstance(before_seq, int):
        lines.append(_line("Poster før nr.", "Entries before no.", str(before_seq)))
    return lines


def _delivery_lines(body: Mapping[str, Any]) -> list[Line]:
    states = _mapping(body, "states")
    if not states:
        return []
    parts = [_text(body, "operation"), _text(body, "verdict"), _text(body, "code")]
    move = f"{states.get('from')} → {states.get('to')}"
    text = ", ".join(part for part in (*parts, move) if part)
    return [_line("Levering", "Delivery", text)]


def _plain(value: Any) -> Text:
    """A marking's value in words: yes, no, or what it says."""
    if isinstance(value, bool):
        return Text("ja", "yes") if value else Text("nej", "no")
    if value is None or value == []:
        return Text("intet", "nothing")
    if isinstance(value, list):
        joined = ", ".join(map(str, value))
        return Text(joined, joined)
    text = str(value.get("basis", "")) if isinstance(value, dict) else str(value)
    return Text(text, text)


def _line(da: str, en: str, value: str) -> Line:
    return Line(Text(da, en), Text(value, value))


def _word(table: Mapping[str, Text], value: str | None) -> Text | None:
    return None if value is None else words.word(table, value)


def _instant(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None


def _local(text: str | None) -> str:
    """Danish local time to the second, written as in Denmark, with its zone."""
    instant = _instant(text)
    if instant is None:
        return text or ""
    local = instant.astimezone(COPENHAGEN)
    return f"{local.day}.{local.month}.{local.year} kl. {local:%H.%M.%S %Z}"


def _text(value: Mapping[str, Any], name: str) -> str | None:
    """A text field, with CPR numbers redacted; None when absent, empty or no text."""
    found = value.get(name)
    return redact(found)[:_GROUND_LENGTH] if isinstance(found, str) and found else None


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _list(value: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = value.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
