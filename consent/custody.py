"""The civil register (CPR): a person's status, birth, death, protection and custody.

Wire: ``POST {base}/cpr/person`` and ``POST {base}/cpr/custody``, JSON.

Source: sharing-rules 3.1; the register's own rules on custody: nsp 8.6.
"""

from __future__ import annotations

from consent.model import Guardian, Patient
from consent.sources import Child, ChildrenAnswer, JsonPoster, PersonAnswer, PersonId
from consent.wire import Member, ask

SOURCE = "cpr"
CUSTODY_SOURCE = "custody"


class CprClient:
    """Answers as ``PatientRegister`` and ``CustodyRegister``."""

    def __init__(self, poster: JsonPoster, base_url: str, person_id: PersonId) -> None:
        self._poster = poster
        self._base_url = base_url.rstrip("/")
        self._person_id = person_id

    async def person(self, cpr: str) -> PersonAnswer:
        """See ``PatientRegister``."""
        answer = await ask(self._poster, SOURCE, f"{self._base_url}/cpr/person", {"cpr": cpr})
        answered_at = answer.instant("answered_at")
        if not answer.flag("found"):
            return PersonAnswer(None, (), "", "unknown", answered_at)
        if answer.text("cpr") != cpr:
            raise answer.fault("cpr")
        patient = Patient(
            id=self._person_id(cpr),
            birth_date=answer.date_or_none("birth_date"),
            cpr_type=answer.text("cpr_type"),
            death_date=answer.date_or_none("death_date"),
            address_protected=answer.flag("address_protected"),
            guardians=tuple(self._guardian(each) for each in answer.objects("guardians")),
        )
        return PersonAnswer(
            patient,
            answer.texts("given"),
            answer.any_text("family"),
            answer.any_text("gender") or "unknown",
            answered_at,
        )

    def _guardian(self, entry: Member) -> Guardian:
        return Guardian(
            id=self._person_id(entry.text("cpr")),
            custody_from=entry.instant("custody_from"),
            custody_to=entry.instant_or_none("custody_to"),
            blocked=False,  # Only the practice knows; see facts.with_clinic_facts.
            same_address=entry.flag("same_address"),
        )

    async def children_of(self, guardian_cpr: str) -> ChildrenAnswer:
        """See ``CustodyRegister``."""
        answer = await ask(
            self._poster,
            CUSTODY_SOURCE,
            f"{self._base_url}/cpr/custody",
            {"guardian_cpr": guardian_cpr},
        )
        children = tuple(self._child(each) for each in answer.objects("children"))
        return ChildrenAnswer(children, answer.instant("answered_at"))

    def _child(self, entry: Member) -> Child:
        cpr = entry.text("cpr")
        return Child(
            cpr,
            self._person_id(cpr),
            entry.texts("given"),
            entry.any_text("family"),
            entry.instant("custody_from"),
            entry.instant_or_none("custody_to"),
        )
