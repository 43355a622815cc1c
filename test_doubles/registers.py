"""The simple registers: authorization, CPR with custody, mandates.

Each answers JSON over POST, so that no CPR number stands in a URL, and is
seeded from the personas. A person the register does not know is answered
``found`` false with nothing in it. Sources: sharing-rules 3.1, nsp 8.1 (empty
names for the unknown), 8.5, 8.6, nsp 10.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import ClassVar
from zoneinfo import ZoneInfo

from aiohttp import web

from test_doubles.clock import iso
from test_doubles.errors import BadRequest
from test_doubles.form import (
    Check,
    cpr_member,
    is_cpr,
    is_date,
    is_flag,
    is_instant,
    is_text,
    is_texts,
    list_of,
    misfits,
    optional,
)
from test_doubles.personas import Persona
from test_doubles.world import (
    JsonObject,
    Route,
    World,
    json_refusal,
    json_response,
    read_object,
    text_member,
)

COPENHAGEN = ZoneInfo("Europe/Copenhagen")


class Register(ABC):
    """Records by CPR number, seeded from the personas.

    State is ``{"records": {cpr: record}}``. ``put_state`` merges member by
    member into the record of the same number, starting from ``blank`` where
    there is none; null in place of a record removes it.
    """

    name: ClassVar[str]
    fields: ClassVar[Mapping[str, Check]]
    """Members of a record, each with its check."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.records: dict[str, JsonObject] = self.seed()

    @abstractmethod
    def seed(self) -> dict[str, JsonObject]:
        """The records after the start."""

    @abstractmethod
    def blank(self, cpr: str) -> JsonObject:
        """The record of a person about whom nothing is noted."""

    @abstractmethod
    def routes(self) -> list[Route]:
        """See ``Double``."""

    def state(self) -> JsonObject:
        """See ``Double``."""
        return {"records": copy.deepcopy(self.records)}

    def put_state(self, state: JsonObject) -> None:
        """See ``Double``."""
        changes = state.get("records")
        if set(state) != {"records"} or not isinstance(changes, dict):
            raise BadRequest("state must be an object with the one member records")
        merged = dict(self.records)
        for cpr, change in changes.items():
            if not is_cpr(cpr):
                raise BadRequest("records must be keyed by CPR number")
            if change is None:
                merged.pop(cpr, None)
                continue
            if not isinstance(change, dict):
                raise BadRequest("a record must be an object or null")
            record = {**merged.get(cpr, self.blank(cpr)), **copy.deepcopy(change)}
            wrong = misfits(record, self.fields)
            if wrong:
                raise BadRequest("a record does not fit", members=wrong)
            merged[cpr] = record
        self.records = merged

    def reset(self) -> None:
        """See ``Double``."""
        self.records = self.seed()

    def refusal(self, operation: str, code: str | None) -> web.StreamResponse:
        """See ``Double``."""
        return json_refusal(code)

    def answer(self, document: JsonObject) -> web.Response:
        """Answer with the doubles' time on it."""
        return json_response({**document, "answered_at": iso(self.world.clock.now())})

    def persons(self) -> list[tuple[str, Persona]]:
        """The personas that are persons, with their numbers."""
        return [(p.cpr, p) for p in self.world.personas if p.cpr is not None]


class AuthorizationRegister(Register):
    """Who is authorized as what. ``POST /authorization/lookup``."""

    name = "authorization"
    fields: ClassVar[Mapping[str, Check]] = {
        "given": is_texts,
        "family": lambda value: isinstance(value, str),
        "authorizations": list_of(
            {
                "authorization_id": is_text,
                "profession": is_text,
                "education_code": is_text,
                "valid": is_flag,
            }
        ),
    }

    def seed(self) -> dict[str, JsonObject]:
        """Every persona with an authorization."""
        return {
            cpr: {
                "given": list(persona.given),
                "family": persona.family or "",
                "authorizations": [
                    {
                        "authorization_id": persona.authorization_id,
                        "profession": persona.profession,
                        "education_code": persona.education_code,
                        "valid": True,
                    }
                ],
            }
            for cpr, persona in self.persons()
            if persona.authorization_id is not None
        }

    def blank(self, cpr: str) -> JsonObject:
        """A person without authorizations."""
        persona = self.world.personas.by_cpr(cpr)
        return {
            "given": list(persona.given) if persona else [],
            "family": (persona.family or "") if persona else "",
            "authorizations": [],
        }

    def routes(self) -> list[Route]:
        """See ``Double``."""
        return [Route("POST", "/authorization/lookup", "lookup", self.lookup)]

    async def lookup(self, request: web.Request) -> web.Response:
        """By ``cpr`` or by ``authorization_id``; exactly one of them."""
        document = await read_object(request)
        if set(document) == {"cpr"}:
            cpr: str | None = cpr_member(document, "cpr")
        elif set(document) == {"authorization_id"}:
            cpr = self._holder(text_member(document, "authorization_id"))
        else:
            raise BadRequest("give either cpr or authorization_id")
        record = self.records.get(cpr) if cpr is not None else None
        if record is None:
            # Empty names for the unknown, on purpose: the register does not say who exists.
            nobody: JsonObject = {"cpr": None, "given": [], "family": "", "authorizations": []}
            return self.answer({"found": False, **nobody})
        return self.answer({"found": True, "cpr": cpr, **record})

    def _holder(self, authorization_id: str) -> str | None:
        for cpr, record in self.records.items():
            if any(a["authorization_id"] == authorization_id for a in record["authorizations"]):
                return cpr
        return None


class CprRegister(Register):
    """Persons and custody. ``POST /cpr/person``, ``POST /cpr/custody``."""

    name = "cpr"
    fields: ClassVar[Mapping[str, Check]] = {
        "cpr_type": lambda value: value in ("CPR", "ECPR"),
        "birth_date": optional(is_date),
        "death_date": optional(is_date),
        "address_protected": is_flag,
        "given": is_texts,
        "family": lambda value: isinstance(value, str),
        "gender": lambda value: value in ("male", "female", "other", "unknown"),
        "guardians": list_of(
            {
                "cpr": is_cpr,
                "custody_from": is_instant,
                "custody_to": optional(is_instant),
                "same_address": is_flag,
            }
        ),
    }

    def seed(self) -> dict[str, JsonObject]:
        """Every persona that is a person, with the custody ties of design 3.5."""
        records = {cpr: self._of_persona(persona) for cpr, persona in self.persons()}
        for child_id, guardian_id, same_address in (
            ("teen-14", "parent-1", True),
            ("teen-16", "parent-1", True),
            ("child-9", "parent-1", True),
            ("child-9", "parent-3", False),
        ):
            child = self.world.personas.get(child_id)
            if child.birth_date is None:
                raise AssertionError(child_id)
            records[self.world.personas.cpr_of(child_id)]["guardians"].append(
                {
                    "cpr": self.world.personas.cpr_of(guardian_id),
                    "custody_from": _midnight(child.birth_date).isoformat(),
                    "custody_to": None,
                    "same_address": same_address,
                }
            )
        return records

    def blank(self, cpr: str) -> JsonObject:
        """A living person without a name."""
        return {
            "cpr_type": "CPR" if cpr.isdigit() and 1 <= int(cpr[:2]) <= 31 else "ECPR",
            "birth_date": None,
            "death_date": None,
            "address_protected": False,
            "given": [],
            "family": "",
            "gender": "unknown",
            "guardians": [],
        }

    def _of_persona(self, persona: Persona) -> JsonObject:
        cpr = self.world.personas.cpr_of(persona.persona_id)
        return {
            **self.blank(cpr),
            "birth_date": persona.birth_date.isoformat() if persona.birth_date else None,
            "given": list(persona.given),
            "family": persona.family or "",
            "gender": persona.gender or "unknown",
        }

    def routes(self) -> list[Route]:
        """See ``Double``."""
        return [
            Route("POST", "/cpr/person", "person", self.person),
            Route("POST", "/cpr/custody", "custody", self.custody),
        ]

    def knows(self, cpr: str) -> bool:
        """Whether the number is in use."""
        return cpr in self.records

    async def person(self, request: web.Request) -> web.Response:
        """What the register holds on one person, guardians included."""
        cpr = cpr_member(await read_object(request), "cpr")
        record = self.records.get(cpr)
        if record is None:
            return self.answer({"found": False})
        return self.answer({"found": True, "cpr": cpr, **record})

    async def custody(self, request: web.Request) -> web.Response:
        """The children over whom a person holds or held custody, whatever their age now."""
        guardian_cpr = cpr_member(await read_object(request), "guardian_cpr")
        children = [
            {
                "cpr": cpr,
                "given": record["given"],
                "family": record["family"],
                "custody_from": tie["custody_from"],
                "custody_to": tie["custody_to"],
            }
            for cpr, record in self.records.items()
            for tie in record["guardians"]
            if tie["cpr"] == guardian_cpr
        ]
        return self.answer({"found": self.knows(guardian_cpr), "children": children})


_MANDATE: Mapping[str, Check] = {
    "id_cpr": is_cpr,
    "from": is_instant,
    "to": optional(is_instant),
    "revoked_at": optional(is_instant),
    "scope": is_texts,
}


class MandateRegister(Register):
    """Proxies and legal representatives of adults.

    ``POST /mandates/lookup`` asks whom a person has given power or been given
    as representative, ``POST /mandates/held`` whom a person may act for.
    """

    name = "mandates"
    fields: ClassVar[Mapping[str, Check]] = {
        "proxies": list_of(_MANDATE),
        "legal_reps": list_of(_MANDATE),
    }

    def seed(self) -> dict[str, JsonObject]:
        """Proxy-1 for patient-2, legalrep-1 for ward-1; the rest have none."""
        records = {cpr: self.blank(cpr) for cpr, _ in self.persons()}
        cpr_of = self.world.personas.cpr_of
        records[cpr_of("patient-2")]["proxies"].append(
            _mandate(cpr_of("proxy-1"), date(2026, 5, 1), "JOURNAL_NOTES")
        )
        records[cpr_of("ward-1")]["legal_reps"].append(
            _mandate(cpr_of("legalrep-1"), date(2024, 2, 1), "PERSONAL")
        )
        return records

    def blank(self, cpr: str) -> JsonObject:
        """Nobody acts for this person."""
        return {"proxies": [], "legal_reps": []}

    def routes(self) -> list[Route]:
        """See ``Double``."""
        return [
            Route("POST", "/mandates/lookup", "lookup", self.lookup),
            Route("POST", "/mandates/held", "held", self.held),
        ]

    async def lookup(self, request: web.Request) -> web.Response:
        """Who may act for a person; expired and revoked mandates are included."""
        cpr = cpr_member(await read_object(request), "cpr")
        record = self.records.get(cpr)
        return self.answer({"found": record is not None, **(record or self.blank(cpr))})

    async def held(self, request: web.Request) -> web.Response:
        """For whom a person may act: ``mandates[] {cpr, kind, from, to, revoked_at, scope}``."""
        holder = cpr_member(await read_object(request), "cpr")
        mandates = [
            {"cpr": cpr, "kind": kind, **{k: v for k, v in mandate.items() if k != "id_cpr"}}
            for cpr, record in self.records.items()
            for kind, member in (("PROXY", "proxies"), ("LEGAL_REP", "legal_reps"))
            for mandate in record[member]
            if mandate["id_cpr"] == holder
        ]
        return self.answer({"found": holder in self.records, "mandates": mandates})


def _mandate(holder_cpr: str, first_day: date, scope: str) -> JsonObject:
    return {
        "id_cpr": holder_cpr,
        "from": _midnight(first_day).isoformat(),
        "to": None,
        "revoked_at": None,
        "scope": [scope],
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), COPENHAGEN)
