"""DROS: the national service that takes documents in (ITI-41) and status changes (ITI-57).

Per request: read (plain or MTOM), DGWS checks, duplicate memory, schemas,
value rules, registry; the answer has the caller's SOAP version and form and
echoes the caller's card. Nothing awaits between a check and its commit.

Switches are members of the state, see ``DrosSwitches``.

Source: nsp 1.5-1.8, 3.1, 3.2, 3.8-3.10, 10; ihe-xds 2.2-2.4, 4, 9.1, 10.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter, OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509

from test_doubles import ebrim, mtom
from test_doubles.dgws_checks import Caller, DgwsPolicy, check_dgws
from test_doubles.dros_spool import DrosSpool
from test_doubles.dros_state import DrosSwitches, brief_state, full_state, read_switches
from test_doubles.dros_wire import (
    ITI41,
    ITI57,
    Answer,
    body_digest,
    check_addressing,
    message_id_of,
    read_body,
    registry_response,
    render,
)
from test_doubles.errors import UnknownName
from test_doubles.metadata_checks import Problem, entry_problems, set_problems
from test_doubles.pki import ensure_pki
from test_doubles.registry import Registry
from test_doubles.schemas import Schemas
from test_doubles.soap import (
    Message,
    SoapFault,
    SoapVersion,
    envelope_text,
    fault_body,
    linking_header,
    read_message,
    response,
    serialized,
    timestamp_header,
)
from test_doubles.world import JsonObject, Route, World, json_response

REMEMBERED_MESSAGES = 50_000
REMEMBERED_FOR = timedelta(hours=24)
_EBRS_CODES = ("XDS", "UnresolvedReference", "ReferencesExist", "InvalidDocument")
DEFAULT_REFUSAL = "processing_problem"


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What a MessageID was used for, and the answer it got."""

    digest: bytes
    answer: Answer


class DrosDouble:
    """The double of DROS. Name ``dros``; operations ``iti41`` and ``iti57``."""

    def __init__(self, world: World, spool: Path | None = None) -> None:
        self._world = world
        self._sts_certificate: x509.Certificate | None = None
        self._schemas = Schemas(world.schemas_dir) if world.schemas_dir is not None else None
        spool = spool or world.spool_dir
        self._spool = DrosSpool(spool) if spool is not None else None
        self._cards: dict[str, str] = {}
        self.switches = DrosSwitches()
        self._empty()
        if self._spool is not None:
            for committed in self._spool.read():
                self.registry.restore(committed)

    @property
    def name(self) -> str:
        """``dros``."""
        return "dros"

    def routes(self) -> list[Route]:
        """The two transactions; health; state and documents for tests."""
        return [
            Route("POST", "/dros/iti41", "iti41", self.iti41),
            Route("POST", "/dros/iti57", "iti57", self.iti57),
            Route("GET", "/dros/health", "health", self.health, watched=False),
            # Before the general address of the control face, to offer the short form.
            Route("GET", "/control/state/dros", "state", self.show_state, watched=False),
            Route(
                "GET", "/control/documents/dros/{entry}", "document", self.document, watched=False
            ),
        ]

    def state(self) -> JsonObject:
        """Switches, counters, sets and entries; no document bytes."""
        return full_state(self.registry, self.switches, self.oddities, self.replayed)

    def put_state(self, state: JsonObject) -> None:
        """Set switches; members that are not named stay. ``{"clear": true}`` empties the store.

        Raises:
            BadRequest: unknown member, or a value that does not fit.
        """
        clear, switches = read_switches(state, self.switches)
        if clear:
            self._clear()
        self.switches = switches
        self.registry.held.old_replace_code = switches.old_replace_code

    def reset(self) -> None:
        """Empty store and memory, switches as at the start; the spool notes it."""
        self._clear()
        self.switches = DrosSwitches()

    def _clear(self) -> None:
        self._empty()
        if self._spool is not None:
            self._spool.mark_cleared()

    def _empty(self) -> None:
        self.registry = Registry()
        self.oddities: Counter[str] = Counter()
        self.replayed = 0
        self._memory: OrderedDict[tuple[str, str], _Remembered] = OrderedDict()

    def refusal(self, operation: str, code: str | None) -> web.StreamResponse:
        """A DGWS fault, or for codes of ebRS a RegistryResponse; SOAP 1.1, no linking ids."""
        code = code or DEFAULT_REFUSAL
        now = self._world.clock.now()
        if code.startswith(_EBRS_CODES):
            body = registry_response((Problem(code, "told to refuse"),))
            return response(SoapVersion.V11, envelope_text(SoapVersion.V11, "", body))
        return self._fault(None, SoapFault(code, "told to refuse"), now)

    async def iti41(self, request: web.Request) -> web.StreamResponse:
        """Provide and Register Document Set-b."""
        return await self._serve(request, ITI41)

    async def iti57(self, request: web.Request) -> web.StreamResponse:
        """Update Document Set."""
        return await self._serve(request, ITI57)

    async def health(self, _request: web.Request) -> web.Response:
        """That the double is up."""
        return json_response({"status": "UP", "version": "double"})

    async def show_state(self, request: web.Request) -> web.Response:
        """The state; with ``?brief=1`` only counts and what is odd about them."""
        if request.query.get("brief", "0") not in ("0", ""):
            return json_response(
                brief_state(self.registry, self.switches, self.oddities, self.replayed)
            )
        return json_response(self.state())

    async def document(self, request: web.Request) -> web.Response:
        """The stored bytes of an entry, by entryUUID.

        Raises:
            UnknownName: no such entry, or its bytes are no longer kept.
        """
        entry = self.registry.held.entries.get(request.match_info["entry"])
        content = self.registry.documents.get(request.match_info["entry"])
        if entry is None or content is None:
            raise UnknownName("no document of that entry is kept")
        return web.Response(body=content, content_type=entry.mime_type)

    async def _serve(self, request: web.Request, action: str) -> web.StreamResponse:
        now = self._world.clock.now()
        message: Message | None = None
        try:
            message = await read_message(request)
            self._count(message, action)
            return self._handle(message, action, now)
        except mtom.BadPackage as error:
            return self._fault(message, SoapFault("syntax_error", error.detail), now)
        except SoapFault as fault:
            return self._fault(message, fault, now)

    def _handle(self, message: Message, action: str, now: datetime) -> web.StreamResponse:
        # 1. The headers: security first every time, also for a message sent again.
        caller = check_dgws(message, self._policy(), now)
        if self._schemas is not None:
            self._schemas.check_header(message)
        relates_to = check_addressing(message, action)
        # 2. The body and its documents.
        if self._schemas is not None:
            self._schemas.check_submission(message.body, provide=action == ITI41)
        submission, documents = read_body(message, action)
        digest = body_digest(message.body, documents)
        # 3. Seen before?
        key = (caller.card.care_provider, caller.message_id)
        seen = self._remembered(key, now)
        if seen is not None:
            if seen.digest != digest:
                raise SoapFault(DEFAULT_REFUSAL, "the MessageID was used for another message")
            self.replayed += 1
            return self._send(seen.answer)
        # 4. Do it, remember the answer, give it.
        body = self._perform(submission, documents, action, now)
        answer = self._answer(
            message, caller, action=action, relates_to=relates_to, body=body, now=now
        )
        self._memory[key] = _Remembered(digest, answer)
        return self._send(answer)

    def _perform(
        self,
        submission: ebrim.Submission,
        documents: dict[str, bytes],
        action: str,
        now: datetime,
    ) -> str:
        code = self.switches.error_code or ("XDSRegistryBusy" if self.switches.busy else None)
        if code is not None:
            return registry_response((Problem(code, "Prøv igen senere"),))
        found = self._value_problems(submission)
        if action == ITI41:
            outcome = self.registry.submit(submission, documents, found, now)
        else:
            outcome = self.registry.update(submission, found, now)
        if outcome.committed is not None and self._spool is not None:
            self._spool.append(outcome.committed)
        return registry_response(outcome.problems)

    def _value_problems(self, submission: ebrim.Submission) -> tuple[Problem, ...]:
        """Value rules and unknown patients, with the severity the switches give them."""
        switches = self.switches
        problems: list[Problem] = []
        if switches.validation != "OFF":
            allowed = switches.codes
            found = [p for e in submission.entries for p in entry_problems(e, allowed)]
            found += [p for s in submission.sets for p in set_problems(s)]
            self.oddities.update(p.context for p in found)
            if switches.validation != "LOG":
                as_warning = switches.validation == "WARNING"
                problems += [replace(p, warning=as_warning) for p in found]
        if switches.patient_check != "OFF":
            for package in submission.sets:
                cpr = package.identifier(ebrim.SET_PATIENT_ID).partition("^")[0]
                if cpr in switches.unknown_patients:
                    problems.append(
                        Problem(
                            "XDSUnknownPatientId",
                            "Ukendt CPR-nummer",
                            package.id,
                            warning=switches.patient_check == "WARNING",
                        )
                    )
        return tuple(problems)

    def _remembered(self, key: tuple[str, str], now: datetime) -> _Remembered | None:
        while len(self._memory) > REMEMBERED_MESSAGES:
            self._memory.popitem(last=False)
        seen = self._memory.get(key)
        if seen is not None and abs(now - seen.answer.made_at) > REMEMBERED_FOR:
            del self._memory[key]
            return None
        return seen

    def _answer(
        self,
        message: Message,
        caller: Caller,
        *,
        action: str,
        relates_to: str,
        body: str,
        now: datetime,
    ) -> Answer:
        card = serialized(caller.card.element)
        # One card serves for hours: thousands of remembered answers share its text.
        shared = self._cards.setdefault(hashlib.sha256(card.encode()).hexdigest(), card)
        return Answer(
            message.version,
            message.packaged,
            f"{action}Response",
            relates_to,
            caller.message_id,
            caller.level,
            shared,
            body,
            str(uuid.uuid4()),
            f"urn:uuid:{uuid.uuid4()}",
            now,
        )

    def _send(self, answer: Answer) -> web.Response:
        return render(answer, glued=self.switches.glued_boundary)

    def _fault(self, message: Message | None, fault: SoapFault, now: datetime) -> web.Response:
        """A DGWS fault with HTTP status 500; linked to the request where it could be read."""
        version = SoapVersion.V11 if message is None else message.version
        in_response_to = message_id_of(message)
        header = timestamp_header(now) + linking_header(str(uuid.uuid4()), in_response_to)
        text = envelope_text(version, header, fault_body(version, fault))
        return response(
            version,
            text,
            status=500,
            packaged=message is not None and message.packaged,
            glued=self.switches.glued_boundary,
        )

    def _count(self, message: Message, action: str) -> None:
        oddities = list(message.oddities)
        if action == ITI41 and not message.packaged:
            oddities.append("ITI-41 without MTOM")
        self.oddities.update(oddities)

    def _policy(self) -> DgwsPolicy:
        if self._sts_certificate is None:
            if self._world.pki_dir is None:
                raise SoapFault(DEFAULT_REFUSAL, "the double was started without keys")
            self._sts_certificate = ensure_pki(self._world.pki_dir).certificate("sts/sts")
        switches = self.switches
        return DgwsPolicy(
            self._sts_certificate,
            timedelta(minutes=switches.max_card_age_minutes),
            switches.allowed_cvrs,
        )
