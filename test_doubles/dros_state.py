"""The state of the DROS double as ``/control/state/dros`` shows and takes it.

Source: nsp 3.8 (validation levels), 10 (switches); design 3.5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from test_doubles import ebrim
from test_doubles.clock import iso
from test_doubles.errors import BadRequest
from test_doubles.form import is_cpr, is_flag, is_text
from test_doubles.holdings import StoredEntry
from test_doubles.metadata_checks import SHARED_NOTE_CODES, AllowedCodes
from test_doubles.registry import Registry
from test_doubles.world import JsonObject

_LEVELS = ("OFF", "LOG", "WARNING", "REJECT")
_PATIENT_LEVELS = ("OFF", "WARNING", "REJECT")
_READ_ONLY = frozenset({"counts", "entries", "submission_sets", "oddities", "replayed"})


@dataclass(frozen=True, slots=True)
class DrosSwitches:
    """What can be set. Names are those of the state.

    ``validation``: of the value rules. ``patient_check``: of CPR existence,
    for those in ``unknown_patients``. ``busy``: XDSRegistryBusy to every
    submission; ``error_code``: any other code. ``glued_boundary``: answers as
    in nsp 3.6, 5. ``old_replace_code``: XDSReplaceFailed for a bad RPLC target.
    ``allowed_cvrs``: None lets every organisation in. ``codes``: value sets
    as ``{"attribute": [["code", "scheme"], ...]}``.
    """

    validation: str = "REJECT"
    patient_check: str = "REJECT"
    unknown_patients: frozenset[str] = frozenset()
    busy: bool = False
    error_code: str | None = None
    glued_boundary: bool = False
    old_replace_code: bool = False
    max_card_age_minutes: int = 1440
    allowed_cvrs: frozenset[str] | None = None
    codes: AllowedCodes = field(default_factory=lambda: SHARED_NOTE_CODES)


def read_switches(state: JsonObject, present: DrosSwitches) -> tuple[bool, DrosSwitches]:
    """Read what a PUT wants.

    Args:
        state: members to change; the members of ``full_state`` that cannot be
            set are passed over, so that a state can be put back.
        present: for what is not named.

    Returns:
        Whether to empty the store, and the switches.

    Raises:
        BadRequest: unknown member, or a value that does not fit.
    """
    clear = state.get("clear", False)
    if not is_flag(clear):
        raise BadRequest("member clear must be true or false")
    changes: dict[str, Any] = {}
    for name, value in state.items():
        if name in _READ_ONLY or name == "clear":
            continue
        if name not in _READERS:
            raise BadRequest(f"unknown member {name}", known=sorted(_READERS))
        changes[name] = _READERS[name](name, value)
    return clear, replace(present, **changes)


def full_state(
    registry: Registry, switches: DrosSwitches, oddities: Counter[str], replayed: int
) -> JsonObject:
    """Everything but document bytes."""
    held = registry.held
    return {
        **_switches_json(switches),
        **_counts(registry, oddities, replayed),
        "entries": [
            _entry_json(entry, held.stored_count[entry.unique_id])
            for entry in held.entries.values()
        ],
        "submission_sets": [
            {
                "unique_id": s.unique_id,
                "entry_uuid": s.entry_uuid,
                "source_id": s.source_id,
                "operation": s.operation,
                "stored_at": iso(s.stored_at),
                "entries": list(s.entries),
            }
            for s in held.sets.values()
        ],
    }


def brief_state(
    registry: Registry, switches: DrosSwitches, oddities: Counter[str], replayed: int
) -> JsonObject:
    """Switches and counts only."""
    return {**_switches_json(switches), **_counts(registry, oddities, replayed)}


def _counts(registry: Registry, oddities: Counter[str], replayed: int) -> JsonObject:
    held = registry.held
    statuses = Counter(entry.status for entry in held.entries.values())
    return {
        "counts": {
            "entries": len(held.entries),
            "approved": statuses[ebrim.APPROVED],
            "deprecated": statuses[ebrim.DEPRECATED],
            "submission_sets": len(held.sets),
            "documents_kept": len(registry.documents),
            # uniqueIds that stand in more than one entry: one document stored twice.
            "stored_twice": sorted(u for u, times in held.stored_count.items() if times > 1),
        },
        "replayed": replayed,
        "oddities": dict(oddities),
    }


def _entry_json(entry: StoredEntry, stored_count: int) -> JsonObject:
    return {
        "entry_uuid": entry.entry_uuid,
        "unique_id": entry.unique_id,
        "status": entry.status.rpartition(":")[2],
        "hash": entry.hash,
        "size": entry.size,
        "sha256": entry.sha256,
        "mime_type": entry.mime_type,
        "patient_id": entry.patient_id,
        "title": entry.title,
        "submission_set": entry.submission_set,
        "replaces": entry.replaces,
        "stored_count": stored_count,
        "history": [[iso(at), status.rpartition(":")[2]] for at, status in entry.history],
    }


def _switches_json(switches: DrosSwitches) -> JsonObject:
    document: JsonObject = {}
    for member in fields(switches):
        value = getattr(switches, member.name)
        if isinstance(value, frozenset):
            value = sorted(value)
        elif isinstance(value, Mapping):
            value = {name: sorted(map(list, pairs)) for name, pairs in value.items()}
        document[member.name] = value
    return document


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadRequest(f"member {name} must be true or false")
    return value


def _level(name: str, value: Any) -> str:
    levels = _LEVELS if name == "validation" else _PATIENT_LEVELS
    if value not in levels:
        raise BadRequest(f"member {name} must be one of {', '.join(levels)}")
    return str(value)


def _numbers(name: str, value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(is_cpr(v) for v in value):
        raise BadRequest(f"member {name} must be a list of CPR numbers")
    return frozenset(value)


def _cvrs(name: str, value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(is_text(v) for v in value):
        raise BadRequest(f"member {name} must be null or a list of CVR numbers")
    return frozenset(value)


def _code(name: str, value: Any) -> str | None:
    if value is not None and not is_text(value):
        raise BadRequest(f"member {name} must be null or an error code")
    return None if value is None else str(value)


def _minutes(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadRequest(f"member {name} must be a whole number of minutes")
    return value


def _codes(name: str, value: Any) -> AllowedCodes:
    good = isinstance(value, dict) and set(value) <= set(ebrim.ENTRY_CODES)
    if not good or not all(_is_pairs(pairs) for pairs in value.values()):
        raise BadRequest(f"member {name} must map attributes to lists of [code, scheme]")
    named = {attribute: frozenset(map(tuple, pairs)) for attribute, pairs in value.items()}
    return {**SHARED_NOTE_CODES, **named}


def _is_pairs(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(t, str) for t in pair)
        for pair in value
    )


_READERS = {
    "validation": _level,
    "patient_check": _level,
    "unknown_patients": _numbers,
    "busy": _flag,
    "error_code": _code,
    "glued_boundary": _flag,
    "old_replace_code": _flag,
    "max_card_age_minutes": _minutes,
    "allowed_cvrs": _cvrs,
    "codes": _codes,
}
