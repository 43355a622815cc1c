"""The authorization register: who is authorized as what.

Wire: ``POST {base}/authorization/lookup`` with ``cpr`` or ``authorization_id``.

Source: sharing-rules 3.5 (``authorised``, ``profession``), R01.
"""

from __future__ import annotations

from consent.sources import Authorization, AuthorizationAnswer, JsonPoster, PersonId
from consent.wire import Member, ask

SOURCE = "authorization"


class AuthorizationClient:
    """Answers as ``AuthorizationRegister``."""

    def __init__(self, poster: JsonPoster, base_url: str, person_id: PersonId) -> None:
        self._poster = poster
        self._url = f"{base_url.rstrip('/')}/authorization/lookup"
        self._person_id = person_id

    async def authorizations_of(self, cpr: str) -> AuthorizationAnswer:
        """See ``AuthorizationRegister``."""
        answer = await ask(self._poster, SOURCE, self._url, {"cpr": cpr})
        if answer.flag("found") and answer.text("cpr") != cpr:
            raise answer.fault("cpr")
        return self._read(answer)

    async def holder_of(self, authorization_id: str) -> AuthorizationAnswer:
        """See ``AuthorizationRegister``."""
        question = {"authorization_id": authorization_id}
        answer = self._read(await ask(self._poster, SOURCE, self._url, question))
        if answer.person_id is not None and all(
            each.authorization_id != authorization_id for each in answer.authorizations
        ):
            raise Member(SOURCE, question).fault("authorizations")
        return answer

    def _read(self, answer: Member) -> AuthorizationAnswer:
        answered_at = answer.instant("answered_at")
        if not answer.flag("found"):
            return AuthorizationAnswer(None, (), answered_at)
        return AuthorizationAnswer(
            self._person_id(answer.text("cpr")),
            tuple(_authorization(each) for each in answer.objects("authorizations")),
            answered_at,
        )


def _authorization(entry: Member) -> Authorization:
    return Authorization(
        entry.text("authorization_id"),
        entry.text("profession").upper(),
        entry.text_or_none("education_code"),
        entry.flag("valid"),
    )
