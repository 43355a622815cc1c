"""What can go wrong while a note is turned into another form, and who acts.

One root, :class:`MappersError`. A fault in what a sender wrote is no error here
but an :class:`mappers.issues.Issue`; these errors tell that a note already
accepted cannot be mapped, and so wait for an operator. Messages carry codes and
places, never note text or a CPR number.

Source: style.md, "Errors: who has to act?".
"""

from __future__ import annotations

from typing import ClassVar, Literal

Retry = Literal["no", "later", "after_renewal"]
"""Whether to try the same again: never, after a while, after renewing a card."""

Actor = Literal["sender", "operator", "peer", "developer"]
"""Who has to act."""


class MappersError(Exception):
    """Root of everything this package raises on purpose."""

    code: ClassVar[str] = "MAPPERS"
    retry: ClassVar[Retry] = "no"
    actor: ClassVar[Actor] = "operator"


class MappingError(MappersError):
    """A note cannot be turned into the form asked for; it is parked and visible.

    Attributes:
        path: the place in the note, for instance ``$.author.role``.
        reason: what is wrong there, without the value.
    """

    code: ClassVar[str] = "MAPPING"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class UnknownCode(MappingError):
    """A code that no table of ours has."""

    code: ClassVar[str] = "UNKNOWN-CODE"


class MissingField(MappingError):
    """The target form demands something that the note lacks."""

    code: ClassVar[str] = "MISSING-FIELD"


class TextWouldBeLost(MappingError):
    """Going on would drop words of the note."""

    code: ClassVar[str] = "TEXT-WOULD-BE-LOST"
