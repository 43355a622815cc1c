"""The JSON form of the facts, read into records without ever raising.

What is missing or of the wrong type becomes "not known" in the record, and the
rules say what follows: a restrictive flag that is not understood counts as
set, a permissive one as not set, a block still blocks, a consent opens
nothing.

Source: sharing-rules 3 (fields and what an unknown one means), 7.1, 19.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from consent.model import (
    Guardian,
    HideFromPatient,
    Mandate,
    Markings,
    NoteFacts,
    Override,
    Patient,
    Practice,
    Registration,
    Request,
    Sources,
    Successor,
    What,
    WhatKind,
    Who,
    WhoKind,
)
from consent.times import FOREVER, date_from_text, instant_from_text

JsonObject = Mapping[str, Any]
NOT_UNDERSTOOD = "?"
_NOTHING: JsonObject = {}
_CRITERIA = ("origin_org", "data_from", "data_to", "document_id")


def _object(value: object) -> JsonObject:
    return value if isinstance(value, Mapping) else _NOTHING


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _seconds(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _texts(value: object) -> frozenset[str]:
    return frozenset(each for each in _list(value) if isinstance(each, str))


def _end(value: object) -> tuple[datetime | None, bool]:
    """An optional instant, and whether it could be read (null can)."""
    instant = instant_from_text(value)
    return instant, value is None or instant is not None


def patient_from_json(value: object) -> Patient:
    """A patient; entries of guardians and mandates that can't be read are left out."""
    given = _object(value)
    return Patient(
        id=_text(given.get("id")),
        birth_date=date_from_text(given.get("birth_date")),
        cpr_type=_text(given.get("cpr_type")),
        death_date=date_from_text(given.get("death_date")),
        address_protected=_flag(given.get("address_protected")),
        incapacity_39b=_flag(given.get("incapacity_39b")),
        adoption_date=date_from_text(given.get("adoption_date")),
        guardians=_readable(map(guardian_from_json, _list(given.get("guardians")))),
        proxies=_readable(map(mandate_from_json, _list(given.get("proxies")))),
        legal_reps=_readable(map(mandate_from_json, _list(given.get("legal_reps")))),
    )


def guardian_from_json(value: object) -> Guardian | None:
    """A custody holder; None when id, start or end can't be read."""
    given = _object(value)
    guardian_id, start = _text(given.get("id")), instant_from_text(given.get("custody_from"))
    end, is_read = _end(given.get("custody_to"))
    if guardian_id is None or start is None or not is_read:
        return None
    return Guardian(
        guardian_id, start, end, _flag(given.get("blocked")), _flag(given.get("same_address"))
    )


def mandate_from_json(value: object) -> Mandate | None:
    """A mandate; None when id, start, end or revocation can't be read."""
    given = _object(value)
    holder, start = _text(given.get("id")), instant_from_text(given.get("from"))
    end, end_is_read = _end(given.get("to"))
    revoked_at, revocation_is_read = _end(given.get("revoked_at"))
    if holder is None or start is None or not end_is_read or not revocation_is_read:
        return None
    return Mandate(holder, start, end, revoked_at, _texts(given.get("scope")))


def note_from_json(value: object) -> NoteFacts:
    """A note version with its markings."""
    given = _object(value)
    version = given.get("version")
    practice, successor = given.get("practice"), given.get("successor")
    return NoteFacts(
        id=_text(given.get("id")),
        version=version if isinstance(version, int) and not isinstance(version, bool) else None,
        author_org=_text(given.get("author_org")),
        practice=_practice(practice) if isinstance(practice, Mapping) else None,
        contact_type=_text(given.get("contact_type")),
        status=_text(given.get("status")),
        created_at=instant_from_text(given.get("created_at")),
        completed_at=instant_from_text(given.get("completed_at")),
        last_entry_at=instant_from_text(given.get("last_entry_at")),
        successor=None if successor is None else _successor(_object(successor)),
        author_name_protected=_flag(given.get("author_name_protected")),
        markings=markings_from_json(given.get("markings")),
    )


def _practice(given: JsonObject) -> Practice:
    return Practice(
        _flag(given.get("enrolled")),
        instant_from_text(given.get("sharing_start")),
        _flag(given.get("share_history")),
    )


def _successor(given: JsonObject) -> Successor:
    # A delay that can't be read is dropped: the old version must not stay longer for it.
    return Successor(
        _text(given.get("status")),
        instant_from_text(given.get("completed_at")),
        instant_from_text(given.get("delay_until")),
        _flag(given.get("safety_correction", False)),
    )


def markings_from_json(value: object) -> Markings:
    """Markings with every key present; an absent or unreadable one is unknown."""
    given = _object(value)
    hide = given.get("hide_from_patient")
    delay, sensitive = given.get("delay_until"), given.get("sensitive")
    return Markings(
        do_not_share=_flag(given.get("do_not_share")),
        hide_from_patient=None
        if hide is None
        else HideFromPatient(_text(_object(hide).get("basis"))),
        hide_from_guardian=_flag(given.get("hide_from_guardian")),
        hide_from_professionals=_flag(given.get("hide_from_professionals")),
        third_party_confidential=_flag(given.get("third_party_confidential")),
        delay_until=None if delay is None else instant_from_text(delay) or FOREVER,
        sensitive=_categories(sensitive),
        guardian_ok=_flag(given.get("guardian_ok")),
        patient_confirmed_feed=_flag(given.get("patient_confirmed_feed")),
    )


def _categories(value: object) -> frozenset[str]:
    """Category codes; what is no code becomes one that the rules treat as the strictest."""
    if not isinstance(value, list | tuple | set | frozenset):
        return frozenset({NOT_UNDERSTOOD})
    return frozenset(each if isinstance(each, str) else NOT_UNDERSTOOD for each in value)


def registrations_from_json(value: object) -> tuple[Registration, ...] | None:
    """The patient's registrations; None (nobody could say) unless a list of objects."""
    if not isinstance(value, list | tuple):
        return None
    if not all(isinstance(each, Mapping) for each in value):
        return None
    return tuple(registration_from_json(each) for each in value)


def registration_from_json(given: JsonObject) -> Registration:
    """One registration; fields that can't be read are named in ``unreadable``."""
    unreadable = set()
    valid_from = instant_from_text(given.get("valid_from"))
    if valid_from is None:
        unreadable.add("valid_from")
    ends = {}
    for name in ("valid_to", "revoked_at", "registered_at"):
        ends[name], is_read = _end(given.get(name))
        if not is_read:
            unreadable.add(name)
    what, who = _what(given.get("what")), _who(given.get("who"))
    if what.kind == WhatKind.UNKNOWN:
        unreadable.add("what")
    if who.kind == WhoKind.UNKNOWN:
        unreadable.add("who")
    return Registration(
        type=_text(given.get("type")),
        valid_from=valid_from,
        valid_to=ends["valid_to"],
        revoked_at=ends["revoked_at"],
        what=what,
        who=who,
        registered_by=_text(given.get("registered_by")),
        registered_at=ends["registered_at"],
        id=_text(given.get("id")),
        unreadable=frozenset(unreadable),
    )


def _what(value: object) -> What:
    unknown = What(kind=WhatKind.UNKNOWN)
    if not isinstance(value, Mapping):
        return unknown
    criteria = [name for name in _CRITERIA if value.get(name) is not None]
    kind = value.get("kind")
    if kind == WhatKind.ALL and not criteria:
        return What()
    if kind is not None or not criteria:
        return unknown
    data_from, from_is_read = _end(value.get("data_from"))
    data_to, to_is_read = _end(value.get("data_to"))
    texts = [value.get(name) for name in ("origin_org", "document_id")]
    if not (from_is_read and to_is_read) or any(t is not None and _text(t) is None for t in texts):
        return unknown
    return What(
        WhatKind.FILTER,
        texts[0],
        _flag(value.get("include_sub", False)),
        data_from,
        data_to,
        texts[1],
    )


def _who(value: object) -> Who:
    given = _object(value)
    kind = given.get("kind")
    include_sub = _flag(given.get("include_sub", False))
    names = {name: _text(given.get(name)) for name in ("org", "person", "group")}
    if kind == WhoKind.ALL:
        return Who() if not any(names.values()) else Who(kind=WhoKind.UNKNOWN)
    if kind == WhoKind.ORG and names["org"]:
        return Who(WhoKind.ORG, org=names["org"], include_sub=include_sub)
    if kind == WhoKind.PERSON and names["person"]:
        return Who(WhoKind.PERSON, person=names["person"])
    if kind == WhoKind.GROUP and names["group"]:
        return Who(WhoKind.GROUP, group=names["group"])
    return Who(kind=WhoKind.UNKNOWN)


def request_from_json(value: object) -> Request:
    """Who asks. An assistant whose principal can't be read is kept as an assistant."""
    given = _object(value)
    on_behalf_of, override = given.get("on_behalf_of"), given.get("override")
    sources = _object(given.get("sources"))
    return Request(
        role=_text(given.get("role")),
        actor_id=_text(given.get("actor_id")),
        auth_level=_text(given.get("auth_level")),
        sources=Sources(
            _seconds(sources.get("consent_age_s")),
            _seconds(sources.get("custody_age_s")),
            _seconds(sources.get("proxy_age_s")),
            _flag(sources.get("audit_ok")),
        ),
        authorised=_flag(given.get("authorised")),
        profession=_text(given.get("profession")),
        acting_org=_text(given.get("acting_org")),
        on_behalf_of=None if on_behalf_of is None else _text(on_behalf_of) or "",
        purpose=_text(given.get("purpose")),
        relation=_text(given.get("relation")),
        override=None
        if override is None
        else Override(_text(_object(override).get("reason")), _text(_object(override).get("text"))),
    )


def _readable(entries: Any) -> tuple[Any, ...]:
    return tuple(entry for entry in entries if entry is not None)
