"""Powers of attorney (Digital Fuldmagt) and legal representatives.

Wire: ``POST {base}/mandates/lookup`` and ``POST {base}/mandates/held``, JSON.

Source: sharing-rules 3.1 (``proxies``, ``legal_reps``), R25.
"""

from __future__ import annotations

from consent.model import Mandate
from consent.sources import (
    HeldMandate,
    HeldMandatesAnswer,
    JsonPoster,
    MandatesAnswer,
    PersonId,
)
from consent.wire import Member, ask

SOURCE = "mandates"
_ROLES = ("PROXY", "LEGAL_REP")


class MandateClient:
    """Answers as ``MandateRegister``."""

    def __init__(self, poster: JsonPoster, base_url: str, person_id: PersonId) -> None:
        self._poster = poster
        self._base_url = base_url.rstrip("/")
        self._person_id = person_id

    async def mandates_of(self, cpr: str) -> MandatesAnswer:
        """See ``MandateRegister``."""
        answer = await ask(self._poster, SOURCE, f"{self._base_url}/mandates/lookup", {"cpr": cpr})
        return MandatesAnswer(
            tuple(self._given(each) for each in answer.objects("proxies")),
            tuple(self._given(each) for each in answer.objects("legal_reps")),
            answer.instant("answered_at"),
        )

    def _given(self, entry: Member) -> Mandate:
        return _mandate(entry, self._person_id(entry.text("id_cpr")))

    async def held_by(self, holder_cpr: str) -> HeldMandatesAnswer:
        """See ``MandateRegister``."""
        answer = await ask(
            self._poster, SOURCE, f"{self._base_url}/mandates/held", {"cpr": holder_cpr}
        )
        holder_id = self._person_id(holder_cpr)
        held = tuple(self._held(each, holder_id) for each in answer.objects("mandates"))
        return HeldMandatesAnswer(held, answer.instant("answered_at"))

    def _held(self, entry: Member, holder_id: str) -> HeldMandate:
        role, cpr = entry.text("kind"), entry.text("cpr")
        if role not in _ROLES:
            raise entry.fault("kind")
        return HeldMandate(cpr, self._person_id(cpr), role, _mandate(entry, holder_id))


def _mandate(entry: Member, holder_id: str) -> Mandate:
    return Mandate(
        holder_id,
        entry.instant("from"),
        entry.instant_or_none("to"),
        entry.instant_or_none("revoked_at"),
        frozenset(entry.texts("scope")),
    )
