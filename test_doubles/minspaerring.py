"""MinSpærring: the citizen's blocks and consents, as a stateful JSON double.

Registrations have the JSON form of the sharing rules: ``what`` is
``{"kind": "ALL"}`` or any of ``origin_org`` + ``include_sub``, ``data_from``,
``data_to``, ``document_id``; ``who`` is of kind ``ALL``, ``ORG``, ``PERSON``
(a CPR number) or ``GROUP``. Sources: sharing-rules 7.1 and 19, nsp 4.1 (what
may be registered).
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from aiohttp import web

from test_doubles.clock import iso, parse_instant
from test_doubles.errors import BadRequest, DoubleError, UnknownName
from test_doubles.form import (
    Check,
    cpr_member,
    fits,
    is_cpr,
    is_flag,
    is_instant,
    is_text,
    misfits,
    optional,
)
from test_doubles.registers import AuthorizationRegister, CprRegister
from test_doubles.world import (
    JsonObject,
    Route,
    World,
    json_refusal,
    json_response,
    read_object,
    text_member,
)

GRACE = timedelta(seconds=60)
"""How far in the past a new registration may begin. Source: nsp 4.1."""

_WHAT_MEMBERS: Mapping[str, Check] = {
    "origin_org": is_text,
    "include_sub": is_flag,
    "data_from": is_instant,
    "data_to": is_instant,
    "document_id": is_text,
}
_WHO_FORMS: Mapping[str, Mapping[str, Check]] = {
    "ALL": {},
    "ORG": {"org": is_text, "include_sub": is_flag},
    "PERSON": {"person": is_cpr},
    "GROUP": {"group": is_text},
}


class RegistrationRefused(DoubleError):
    """The register does not take such a registration."""

    code = "REGISTRATION-REFUSED"
    status = 422


def is_what(value: Any) -> bool:
    """All data, or any combination of origin, period and document."""
    if not isinstance(value, dict) or not value:
        return False
    if value == {"kind": "ALL"}:
        return True
    if "include_sub" in value and "origin_org" not in value:
        return False
    return all(name in _WHAT_MEMBERS and _WHAT_MEMBERS[name](v) for name, v in value.items())


def is_who(value: Any) -> bool:
    """Everyone, an organization, a professional or a group."""
    if not isinstance(value, dict) or value.get("kind") not in _WHO_FORMS:
        return False
    rest = {name: v for name, v in value.items() if name != "kind"}
    return fits(rest, _WHO_FORMS[value["kind"]])


_FIELDS: Mapping[str, Check] = {
    "id": is_text,
    "type": lambda value: value in ("NEGATIVE", "POSITIVE"),
    "what": is_what,
    "who": is_who,
    "valid_from": is_instant,
    "valid_to": optional(is_instant),
    "revoked_at": optional(is_instant),
    "registered_by": lambda value: value in ("CITIZEN", "GUARDIAN", "HP", "SUPPORT_DESK"),
    "registered_at": is_instant,
}


class MinSpaerring:
    """The register. Nobody has registered anything after the start.

    State is ``{"registrations": {cpr: [registration]}}``. ``put_state``
    replaces the list of each number it names; it checks the form only, so
    that a test can seed history and the faulty rows of old data.
    """

    name = "minspaerring"

    def __init__(self, world: World) -> None:
        self._world = world
        self._registrations: dict[str, list[JsonObject]] = {}

    def routes(self) -> list[Route]:
        """See ``Double``."""
        return [
            Route("POST", "/minspaerring/registrations", "registrations", self.list_all),
            Route("POST", "/minspaerring/add", "add", self.add),
            Route("POST", "/minspaerring/revoke", "revoke", self.revoke),
        ]

    def state(self) -> JsonObject:
        """See ``Double``."""
        return {"registrations": copy.deepcopy(self._registrations)}

    def put_state(self, state: JsonObject) -> None:
        """See ``Double``."""
        changes = state.get("registrations")
        if set(state) != {"registrations"} or not isinstance(changes, dict):
            raise BadRequest("state must be an object with the one member registrations")
        ready: dict[str, list[JsonObject]] = {}
        for cpr, rows in changes.items():
            if not is_cpr(cpr) or not (rows is None or isinstance(rows, list)):
                raise BadRequest("registrations must be lists keyed by CPR number")
            ready[cpr] = [self._completed(row) for row in rows or []]
        self._registrations = {
            cpr: rows for cpr, rows in {**self._registrations, **ready}.items() if rows
        }

    def reset(self) -> None:
        """See ``Double``."""
        self._registrations = {}

    def refusal(self, operation: str, code: str | None) -> web.StreamResponse:
        """See ``Double``."""
        return json_refusal(code)

    async def list_all(self, request: web.Request) -> web.Response:
        """All registrations of a citizen, active and inactive."""
        cpr = cpr_member(await read_object(request), "cpr")
        return json_response(
            {
                "found": self._citizens.knows(cpr),
                "registrations": self._registrations.get(cpr, []),
                "answered_at": iso(self._world.clock.now()),
            }
        )

    async def add(self, request: web.Request) -> web.Response:
        """Register; 201 with the registration as stored."""
        document = await read_object(request)
        cpr = cpr_member(document, "cpr")
        given = document.get("registration")
        if isinstance(given, dict) and {"id", "revoked_at", "registered_at"} & set(given):
            raise BadRequest("id, revoked_at and registered_at are set by the register")
        registration = self._completed(given)
        self._judge(cpr, registration)
        self._registrations.setdefault(cpr, []).append(registration)
        return json_response(
            {"registration": registration, "answered_at": iso(self._world.clock.now())}, 201
        )

    async def revoke(self, request: web.Request) -> web.Response:
        """Nullify from now on; what is revoked already stays as it was."""
        document = await read_object(request)
        cpr, wanted = cpr_member(document, "cpr"), text_member(document, "id")
        for registration in self._registrations.get(cpr, []):
            if registration["id"] == wanted:
                now = iso(self._world.clock.now())
                registration["revoked_at"] = registration["revoked_at"] or now
                return json_response({"registration": registration, "answered_at": now})
        raise UnknownName("this citizen has no registration of that id")

    @property
    def _citizens(self) -> CprRegister:
        return cast("CprRegister", self._world.double("cpr"))

    def _completed(self, given: Any) -> JsonObject:
        """Fill in what a sender may leave out, and check the form."""
        if not isinstance(given, dict):
            raise BadRequest("a registration must be an object")
        now = iso(self._world.clock.now())
        valid_from = given.get("valid_from", now)
        registration = {
            "id": str(uuid.uuid4()),
            "what": {"kind": "ALL"},
            "who": {"kind": "ALL"},
            "valid_to": None,
            "revoked_at": None,
            "registered_by": "CITIZEN",
            "registered_at": valid_from if "valid_from" in given else now,
            **copy.deepcopy(given),
            "valid_from": valid_from,
        }
        wrong = misfits(registration, _FIELDS)
        if wrong:
            raise BadRequest("a registration does not fit", members=wrong)
        return registration

    def _judge(self, cpr: str, registration: JsonObject) -> None:
        """The register's own rules on a new registration. Source: nsp 4.1."""
        now = self._world.clock.now()
        registration["registered_at"] = iso(now)
        if not self._citizens.knows(cpr):
            raise RegistrationRefused("the citizen is not known")
        starts = parse_instant(registration["valid_from"])
        if starts < now - GRACE:
            raise RegistrationRefused("valid_from lies in the past")
        if registration["valid_to"] is None:
            if registration["type"] == "POSITIVE":
                raise RegistrationRefused("a positive registration needs valid_to")
        elif parse_instant(registration["valid_to"]) <= starts:
            raise RegistrationRefused("valid_to must come after valid_from")
        who = registration["who"]
        professionals = cast("AuthorizationRegister", self._world.double("authorization"))
        if who["kind"] == "PERSON" and who["person"] not in professionals.records:
            raise RegistrationRefused("the professional is not in the authorization register")
        for sor in (registration["what"].get("origin_org"), who.get("org")):
            # SOR codes have digits only, eleven or more.
            if sor is not None and not (sor.isascii() and sor.isdigit() and len(sor) >= 11):
                raise RegistrationRefused("an organization id is no SOR code")
