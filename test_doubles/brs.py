"""BRS: how likely it is that a professional has a patient in treatment.

A table of relations. A row may become known only later, as the registers
behind the real service lag. Sources: sharing-rules 10, nsp 6 and 10.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from test_doubles.clock import iso, parse_instant
from test_doubles.errors import BadRequest
from test_doubles.form import Check, cpr_member, is_cpr, is_instant, is_text, misfits, optional
from test_doubles.personas import HOSPITAL_1
from test_doubles.world import (
    JsonObject,
    Route,
    World,
    json_refusal,
    json_response,
    read_object,
    text_member,
)

CATEGORIES = ("A+", "A", "B", "C", "D", "E")
"""Best first. Only A+, A and B are named publicly; the rest stand for the weaker ones."""

_FIELDS: Mapping[str, Check] = {
    "patient_cpr": is_cpr,
    "professional_cpr": is_cpr,
    "organization_sor": optional(is_text),
    "category": lambda value: value is None or value in CATEGORIES,
    "known_from": optional(is_instant),
}

_Key = tuple[str, str, str | None, str | None]


class TreatmentRelations:
    """The relation table.

    State is ``{"relations": [{patient_cpr, professional_cpr, organization_sor,
    category, known_from}]}``; ``organization_sor`` null means at any unit,
    ``known_from`` null always. ``put_state`` adds rows, replaces those with
    the same first three members and ``known_from``, and removes them where
    ``category`` is null.
    """

    name = "brs"

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows: dict[_Key, JsonObject] = self._seed()

    def _seed(self) -> dict[_Key, JsonObject]:
        cpr_of = self._world.personas.cpr_of
        rows = [
            {
                "patient_cpr": cpr_of(patient),
                "professional_cpr": cpr_of("doctor-1"),
                "organization_sor": HOSPITAL_1.sor,
                "category": "A",
                "known_from": None,
            }
            for patient in ("patient-1", "teen-16")
        ]
        return {_key(row): row for row in rows}

    def routes(self) -> list[Route]:
        """See ``Double``."""
        return [Route("POST", "/brs/relation", "relation", self.relation)]

    def state(self) -> JsonObject:
        """See ``Double``."""
        return {"relations": copy.deepcopy(list(self._rows.values()))}

    def put_state(self, state: JsonObject) -> None:
        """See ``Double``."""
        changes = state.get("relations")
        if set(state) != {"relations"} or not isinstance(changes, list):
            raise BadRequest("state must be an object with the one member relations")
        rows = dict(self._rows)
        for change in changes:
            if not isinstance(change, dict):
                raise BadRequest("a relation must be an object")
            row = {"organization_sor": None, "known_from": None, **change}
            wrong = misfits(row, _FIELDS)
            if wrong:
                raise BadRequest("a relation does not fit", members=wrong)
            rows[_key(row)] = row
        self._rows = {key: row for key, row in rows.items() if row["category"] is not None}

    def reset(self) -> None:
        """See ``Double``."""
        self._rows = self._seed()

    def refusal(self, operation: str, code: str | None) -> web.StreamResponse:
        """See ``Double``."""
        return json_refusal(code)

    async def relation(self, request: web.Request) -> web.Response:
        """The best category known by now, or null."""
        document = await read_object(request)
        patient = cpr_member(document, "patient_cpr")
        professional = cpr_member(document, "professional_cpr")
        unit = (
            text_member(document, "organization_sor")
            if document.get("organization_sor") is not None
            else None
        )
        return json_response(
            {
                "category": self._best(patient, professional, unit),
                "reference": str(uuid.uuid4()),
                "answered_at": iso(self._world.clock.now()),
            }
        )

    def _best(self, patient: str, professional: str, unit: str | None) -> str | None:
        now = self._world.clock.now()
        found: list[str] = [
            row["category"]
            for row in self._rows.values()
            if row["patient_cpr"] == patient
            and row["professional_cpr"] == professional
            and (unit is None or row["organization_sor"] in (None, unit))
            and (row["known_from"] is None or parse_instant(row["known_from"]) <= now)
        ]
        return min(found, key=CATEGORIES.index, default=None)


def _key(row: Mapping[str, Any]) -> _Key:
    return (
        row["patient_cpr"],
        row["professional_cpr"],
        row["organization_sor"],
        row["known_from"],
    )
