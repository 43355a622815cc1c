"""MinSpærring: the patient's blocks and consents.

Wire: ``POST {base}/minspaerring/registrations``, JSON. One registration that
can't be read makes the whole answer unusable: it might be the one that blocks.

Source: sharing-rules 7.1 (fields); nsp 4 (the service).
"""

from __future__ import annotations

from dataclasses import replace

from consent.facts_json import registration_from_json
from consent.model import Registration, RegistrationType, WhoKind
from consent.sources import JsonPoster, PersonId, RegistrationsAnswer
from consent.wire import Member, ask

SOURCE = "minspaerring"
_TYPES = frozenset(RegistrationType)


class MinSpaerringClient:
    """Answers as ``ConsentService``."""

    def __init__(self, poster: JsonPoster, base_url: str, person_id: PersonId) -> None:
        self._poster = poster
        self._url = f"{base_url.rstrip('/')}/minspaerring/registrations"
        self._person_id = person_id

    async def registrations_of(self, cpr: str) -> RegistrationsAnswer:
        """See ``ConsentService``."""
        answer = await ask(self._poster, SOURCE, self._url, {"cpr": cpr})
        return RegistrationsAnswer(
            tuple(self._registration(each) for each in answer.objects("registrations")),
            answer.instant("answered_at"),
        )

    def _registration(self, entry: Member) -> Registration:
        registration = registration_from_json(entry.raw())
        if registration.unreadable:
            raise entry.fault(min(registration.unreadable))
        if registration.type not in _TYPES:
            raise entry.fault("type")
        if registration.what.include_sub is None or registration.who.include_sub is None:
            raise entry.fault("include_sub")
        entry.text("id")
        entry.text("registered_by")
        who = registration.who
        if who.kind == WhoKind.PERSON and who.person is not None:
            registration = replace(
                registration, who=replace(who, person=self._person_id(who.person))
            )
        return registration
