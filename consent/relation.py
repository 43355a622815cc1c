"""The treatment relation service (BRS), and what its categories are worth.

Wire: ``POST {base}/brs/relation``, JSON.

Source: sharing-rules 10 (relation), R27; nsp 6 (categories).
"""

from __future__ import annotations

from consent.model import Relation
from consent.sources import JsonPoster, RelationAnswer
from consent.wire import ask

SOURCE = "brs"
# Best first. Only A+, A and B are named publicly; the letters after them are weaker.
CATEGORIES = ("A+", "A", "B", "C", "D", "E")


class RelationClient:
    """Answers as ``RelationService``."""

    def __init__(self, poster: JsonPoster, base_url: str) -> None:
        self._poster = poster
        self._url = f"{base_url.rstrip('/')}/brs/relation"

    async def relation(
        self, patient_cpr: str, professional_cpr: str, organization_sor: str | None
    ) -> RelationAnswer:
        """See ``RelationService``."""
        question = {
            "patient_cpr": patient_cpr,
            "professional_cpr": professional_cpr,
            "organization_sor": organization_sor,
        }
        answer = await ask(self._poster, SOURCE, self._url, question)
        return RelationAnswer(
            answer.text_or_none("category"),
            answer.text_or_none("reference"),
            answer.instant("answered_at"),
        )


def is_at_least(category: str | None, minimum: str) -> bool:
    """Is the category as good as the minimum? A category not in the list never is."""
    if category not in CATEGORIES or minimum not in CATEGORIES:
        return False
    return CATEGORIES.index(category) <= CATEGORIES.index(minimum)


def relation_from_evidence(
    category: str | None, minimum: str, *, attested: bool, confirmed_otherwise: bool = False
) -> Relation:
    """How well the relation is supported.

    Args:
        category: what the service found, None when nothing or no answer.
        minimum: the weakest category that confirms.
        attested: the user states the relation.
        confirmed_otherwise: the reader's is the patient's own GP practice, or
            its system holds an open contact.

    Source: sharing-rules 10, 7.5 (service down: as declared, if attested).
    """
    if confirmed_otherwise or is_at_least(category, minimum):
        return Relation.CONFIRMED
    return Relation.DECLARED if attested else Relation.NONE
