"""Read the markings of a note, posted with it or changed later.

Source: design.md 3.1 (merge patch), 4; sharing-rules 3.3.
"""

from __future__ import annotations

from typing import Any, Final

from mappers.codes import SENSITIVE_CATEGORIES
from mappers.note import MARKING_NAMES, Markings
from mappers.practice.fields import MOST_TOLD, Checks, JsonObject

_KNOWN: Final = frozenset(MARKING_NAMES)
_BASIS: Final = frozenset({"basis"})


def read_markings(
    checks: Checks, given: Any, path: str = "$.markings", *, null_clears: bool = False
) -> Markings:
    """Read an object of markings; ``named`` holds the keys written.

    Args:
        checks: takes the faults.
        given: the parsed value.
        path: its place.
        null_clears: a merge patch, where null stands for a marking's default.
    """
    if type(given) is not dict:
        checks.wrong(path, "et objekt", "an object")
        return Markings()
    checks.known_fields(given, _KNOWN, path)
    named = _KNOWN.intersection(given)
    if null_clears:
        given = {name: value for name, value in given.items() if value is not None}
    return Markings(
        do_not_share=checks.boolean(given, "do_not_share", path),
        hide_from_professionals=checks.boolean(given, "hide_from_professionals", path),
        third_party_confidential=checks.boolean(given, "third_party_confidential", path),
        delay_until=checks.moment(given, "delay_until", path),
        hide_from_patient=_read_basis(checks, given, path),
        hide_from_guardian=checks.boolean(given, "hide_from_guardian", path),
        sensitive=_read_sensitive(checks, given, path),
        guardian_ok=checks.boolean(given, "guardian_ok", path),
        patient_confirmed_feed=checks.boolean(given, "patient_confirmed_feed", path),
        named=named,
    )


def _read_basis(checks: Checks, given: JsonObject, path: str) -> str | None:
    basis = checks.record(given, "hide_from_patient", path)
    if basis is None:
        return None
    place = f"{path}.hide_from_patient"
    checks.known_fields(basis, _BASIS, place)
    # A basis that the law does not know holds the note and asks the practice
    # (P-HOLD-BASIS-MISSING); to refuse it would lose the wish to hide.
    return checks.text(basis, "basis", place, required=True)


def _read_sensitive(checks: Checks, given: JsonObject, path: str) -> tuple[str, ...]:
    values = checks.texts(given, "sensitive", path)
    wrong = [index for index, value in enumerate(values) if value not in SENSITIVE_CATEGORIES]
    listed = ", ".join(SENSITIVE_CATEGORIES)
    for index in wrong[:MOST_TOLD]:
        checks.wrong(f"{path}.sensitive[{index}]", f"en af: {listed}", f"one of: {listed}")
    return values
