"""The sharing markings of a note: what they are, how a change is merged, checked.

A posted version never changes a marking it does not name; in a merge patch an
absent key is unchanged and null clears. ``delay_until`` belongs to the
version, all others to the note.

Source: design.md 3.1 and 4; sharing-rules 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from consent.model import HideFromPatient, Markings, Sensitive
from mappers.issues import Issue

DEFAULT_MARKINGS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "do_not_share": False,
        "hide_from_professionals": False,
        "third_party_confidential": False,
        "hide_from_patient": None,
        "hide_from_guardian": False,
        "sensitive": [],
        "guardian_ok": False,
        "patient_confirmed_feed": False,
    }
)
VERSION_MARKING: Final = "delay_until"
_SENSITIVE: Final = frozenset(member.value for member in Sensitive)
_BASES: Final = frozenset({"SL37_4_PRE2010", "OTHER"})
# Setting one of these narrows who may read; such a change goes by the stop lane.
RESTRICTIVE: Final = frozenset(
    {
        "do_not_share",
        "hide_from_professionals",
        "third_party_confidential",
        "hide_from_patient",
        "hide_from_guardian",
        "sensitive",
        VERSION_MARKING,
    }
)


def merge_markings(current: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Apply what was named to what holds; null puts a marking back to its default."""
    merged = dict(current)
    for name, value in named.items():
        if name != VERSION_MARKING:
            merged[name] = DEFAULT_MARKINGS[name] if value is None else value
    return merged


def check_patch(patch: object) -> list[Issue]:
    """All faults of a merge patch, each with its place.

    Codes: ``FIELD-TYPE``, ``FIELD-UNKNOWN``, ``TIME-NO-OFFSET`` (design.md 3.1).
    """
    if not isinstance(patch, dict):
        return [
            _issue("FIELD-TYPE", "$", "object", "et JSON-objekt med markeringer", "a JSON object")
        ]
    issues = []
    for name, value in patch.items():
        if name not in DEFAULT_MARKINGS and name != VERSION_MARKING:
            known = ", ".join((*DEFAULT_MARKINGS, VERSION_MARKING))
            issues.append(
                Issue(
                    "FIELD-UNKNOWN",
                    f"$.{name}",
                    "markings",
                    f"Markeringen findes ikke. Brug en af: {known}.",
                    f"There is no such marking. Use one of: {known}.",
                )
            )
        elif value is not None:
            issues.extend(_check_value(name, value))
    return issues


def _check_value(name: str, value: object) -> list[Issue]:
    path = f"$.{name}"
    if name == VERSION_MARKING:
        return _check_instant(path, value)
    if name == "hide_from_patient":
        if isinstance(value, dict) and value.get("basis") in _BASES and len(value) == 1:
            return []
        wanted = '{"basis": "SL37_4_PRE2010" | "OTHER"}'
        return [_issue("FIELD-TYPE", path, "basis", wanted, wanted)]
    if name == "sensitive":
        if isinstance(value, list) and all(item in _SENSITIVE for item in value):
            return []
        wanted = ", ".join(sorted(_SENSITIVE))
        return [
            _issue("FIELD-TYPE", path, "sensitive", f"en liste af {wanted}", f"a list of {wanted}")
        ]
    if isinstance(value, bool):
        return []
    return [_issue("FIELD-TYPE", path, "boolean", "true eller false", "true or false")]


def _check_instant(path: str, value: object) -> list[Issue]:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None:
        return [
            _issue(
                "FIELD-TYPE",
                path,
                "instant",
                "et tidspunkt som 2026-12-15T08:00:00+01:00",
                "an instant like 2026-12-15T08:00:00+01:00",
            )
        ]
    if instant.tzinfo is None:
        return [
            Issue(
                "TIME-NO-OFFSET",
                path,
                "instant",
                "Tidspunktet mangler tidszone. Skriv fx +01:00 efter klokkeslættet.",
                "The time has no offset. Write for instance +01:00 after it.",
            )
        ]
    return []


def _issue(code: str, path: str, rule: str, wanted_da: str, wanted_en: str) -> Issue:
    return Issue(
        code,
        path,
        rule,
        f"Værdien har forkert type. Her skal stå {wanted_da}.",
        f"The value has the wrong type. This must be {wanted_en}.",
    )


def narrows(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Does this change take the note away from anyone who could have read it?"""
    return any(
        after.get(name) != before.get(name) and bool(after.get(name)) for name in RESTRICTIVE
    ) or any(
        before.get(name) is True and after.get(name) is False
        for name in ("guardian_ok", "patient_confirmed_feed")
    )


def to_model(
    markings: Mapping[str, Any], delay_until: datetime | None, derived: tuple[str, ...]
) -> Markings:
    """The record the rules look at, with the derived categories added."""
    hidden = markings["hide_from_patient"]
    return Markings(
        do_not_share=markings["do_not_share"],
        hide_from_patient=HideFromPatient(hidden.get("basis")) if hidden is not None else None,
        hide_from_guardian=markings["hide_from_guardian"],
        hide_from_professionals=markings["hide_from_professionals"],
        third_party_confidential=markings["third_party_confidential"],
        delay_until=delay_until,
        sensitive=frozenset(markings["sensitive"]) | frozenset(derived),
        guardian_ok=markings["guardian_ok"],
        patient_confirmed_feed=markings["patient_confirmed_feed"],
    )
