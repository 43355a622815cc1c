"""Reading the registers' JSON answers strictly: a member fits, or the answer is unusable.

Faults name the source and the member, never the value: it may be a person's
number.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from consent.errors import ConsentUnavailable
from consent.sources import JsonPoster
from consent.times import date_from_text, instant_from_text
from nsp_client.errors import NspError


class Member:
    """One JSON object of an answer, read member by member.

    Every reader raises ``ConsentUnavailable`` when the member does not fit.
    """

    __slots__ = ("_object", "_source")

    def __init__(self, source: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise ConsentUnavailable(source, "the answer is not a JSON object")
        self._source = source
        self._object: Mapping[str, Any] = value

    def fault(self, name: str) -> ConsentUnavailable:
        """The error for a member that does not fit."""
        return ConsentUnavailable(self._source, f"member {name} is missing or malformed")

    def text(self, name: str) -> str:
        """A non-empty string."""
        value = self._object.get(name)
        if not isinstance(value, str) or not value:
            raise self.fault(name)
        return value

    def text_or_none(self, name: str) -> str | None:
        """A non-empty string, or None when absent or null."""
        return None if self._object.get(name) is None else self.text(name)

    def any_text(self, name: str) -> str:
        """A string that may be empty; empty when absent."""
        value = self._object.get(name, "")
        if not isinstance(value, str):
            raise self.fault(name)
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._object.get(name)
        if not isinstance(value, bool):
            raise self.fault(name)
        return value

    def instant(self, name: str) -> datetime:
        """An instant with offset, as UTC."""
        value = instant_from_text(self._object.get(name))
        if value is None:
            raise self.fault(name)
        return value

    def instant_or_none(self, name: str) -> datetime | None:
        """An instant, or None when absent or null."""
        return None if self._object.get(name) is None else self.instant(name)

    def date_or_none(self, name: str) -> date | None:
        """A date, or None when absent or null."""
        if self._object.get(name) is None:
            return None
        value = date_from_text(self._object.get(name))
        if value is None:
            raise self.fault(name)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; empty when absent."""
        value = self._object.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.fault(name)
        return tuple(value)

    def objects(self, name: str) -> tuple[Member, ...]:
        """A list of objects, which must be there."""
        value = self._object.get(name)
        if not isinstance(value, list):
            raise self.fault(name)
        return tuple(Member(self._source, each) for each in value)

    def raw(self) -> Mapping[str, Any]:
        """The object itself, for a reader with rules of its own."""
        return self._object


async def ask(poster: JsonPoster, source: str, url: str, question: Mapping[str, Any]) -> Member:
    """Send a question and give back the object that answers it.

    Raises:
        ConsentUnavailable: nobody answered, or not with an object.
    """
    try:
        answer = await poster.post_json(url, dict(question))
    except NspError as error:
        raise ConsentUnavailable(source, f"no answer ({type(error).__name__})") from error
    return Member(source, answer)
