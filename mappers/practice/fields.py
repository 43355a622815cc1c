"""Check the fields of a submission one by one, gathering every fault.

:class:`Checks` reads values out of parsed JSON. A reader asks for each field,
goes on whatever it gets, and looks at ``issues`` last, so that all faults are
told at once. No issue repeats a value, and a field's name only when it is a
plain word.

Source: design.md 3.1 (codes), 4 (fields); medcom-shared-notes 7 to 10, 14.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Final

from mappers.issues import Issue
from nsp_client.errors import InvalidIdentifier
from nsp_client.identifiers import Cpr, SorCode, is_replacement_cpr, is_urn_uuid

JsonObject = dict[str, Any]

LONGEST_VALUE: Final = 1000
"""Characters that a value other than the note's text may have."""

MOST_TOLD: Final = 20
"""So many unknown fields of one object, or wrong items of one list, are named."""

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_]{1,40}[0-9]{0,2}")
_MOMENT: Final = re.compile(
    r"(?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"
)
_DAY: Final = re.compile(r"(?:18|19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}")


class Checks:
    """Reads fields and gathers what is wrong with them.

    Each method gives the value, or None (or a harmless stand-in of the right
    type) after adding an issue; a missing optional field adds none. ``path`` is
    the place of the object, as ``$.patient``.
    """

    __slots__ = ("issues",)

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def add(self, code: str, path: str, rule: str, message_da: str, message_en: str) -> None:
        """Add a fault."""
        self.issues.append(Issue(code, path, rule, message_da, message_en))

    def missing(self, path: str) -> None:
        """Add FIELD-MISSING."""
        self.add(
            "FIELD-MISSING",
            path,
            "design 4: required field",
            "Feltet mangler. Tilføj det.",
            "The field is missing. Add it.",
        )

    def wrong(self, path: str, shape_da: str, shape_en: str) -> None:
        """Add FIELD-TYPE: the value is not what it should be."""
        self.add(
            "FIELD-TYPE",
            path,
            f"design 4: {shape_en}",
            f"Feltet har en forkert type eller værdi. Send {shape_da}.",
            f"The field has a wrong type or value. Send {shape_en}.",
        )

    def known_fields(self, given: JsonObject, known: frozenset[str], path: str) -> None:
        """Add FIELD-UNKNOWN for each key outside ``known``, with the nearest name."""
        if known.issuperset(given):
            return
        unknown = [key for key in given if key not in known]
        for key in unknown[:MOST_TOLD]:
            near = get_close_matches(key[:60], known, n=1)
            hint_da = f" Mente du {near[0]}?" if near else ""
            hint_en = f" Did you mean {near[0]}?" if near else ""
            # A key may hold anything, a CPR number too.
            shown = key if _PLAIN_NAME.fullmatch(key) else "*"
            self.add(
                "FIELD-UNKNOWN",
                f"{path}.{shown}",
                "design 4: no other fields",
                f"Feltet er ukendt.{hint_da} Ret eller fjern det.",
                f"The field is unknown.{hint_en} Correct or remove it.",
            )

    def record(
        self, given: JsonObject, name: str, path: str, *, required: bool = False
    ) -> JsonObject | None:
        """Read an object; null counts as absent when the field is not required."""
        value = given.get(name)
        if type(value) is dict:
            return value
        if value is not None or (required and name in given):
            self.wrong(f"{path}.{name}", "et objekt", "an object")
        elif required:
            self.missing(f"{path}.{name}")
        return None

    def text(
        self, given: JsonObject, name: str, path: str, *, required: bool = False
    ) -> str | None:
        """Read a string: not blank, no control characters, at most 1000 characters."""
        value = given.get(name)
        if type(value) is str and value and len(value) <= LONGEST_VALUE and value.isprintable():
            if not value.isspace():
                return value
        elif value is None and not (required and name in given):
            if required:
                self.missing(f"{path}.{name}")
            return None
        elif type(value) is str and _is_fair(value):
            return value
        self.wrong(
            f"{path}.{name}",
            "en tekst, som ikke er tom og ikke har styretegn",
            "a string, not blank and without control characters",
        )
        return None

    def names(
        self, given: JsonObject, name: str, path: str, *, required: bool = False
    ) -> tuple[str, ...]:
        """Read given names: a list of strings with a letter in each, else PROFILE-NAME."""
        value = given.get(name)
        place = f"{path}.{name}"
        if value is None and not (required and name in given):
            if required:
                self.missing(place)
            return ()
        if type(value) is not list or any(type(each) is not str for each in value):
            self.wrong(place, "en liste af tekster", "a list of strings")
            return ()
        if not value and required:
            self.bad_name(place)
        wrong = [index for index, each in enumerate(value) if not _is_name(each)]
        for index in wrong[:MOST_TOLD]:
            self.bad_name(f"{place}[{index}]")
        return tuple(value)

    def family(
        self, given: JsonObject, name: str, path: str, *, required: bool = False
    ) -> str | None:
        """Read a name as one string with a letter in it, else PROFILE-NAME."""
        value = given.get(name)
        if value is None and not (required and name in given):
            if required:
                self.missing(f"{path}.{name}")
            return None
        if type(value) is not str:
            self.wrong(f"{path}.{name}", "en tekst", "a string")
            return None
        if not _is_name(value):
            self.bad_name(f"{path}.{name}")
            return None
        return value

    def bad_name(self, path: str) -> None:
        """Add PROFILE-NAME."""
        self.add(
            "PROFILE-NAME",
            path,
            "medcom-shared-notes 7 to 9: a name is no blank and no dots",
            "Navnet er tomt eller uden bogstaver. Send navnet; er det beskyttet, så"
            " ADRESSEBESKYTTET.",
            "The name is empty or without letters. Send the name; if it is protected,"
            " ADRESSEBESKYTTET.",
        )

    def boolean(self, given: JsonObject, name: str, path: str) -> bool:
        """Read true or false; False when absent."""
        value = given.get(name, False)
        if value is True or value is False:
            return bool(value)
        self.wrong(f"{path}.{name}", "true eller false", "true or false")
        return False

    def positive(self, given: JsonObject, name: str, path: str) -> int:
        """Read a required whole number from 1 to 2147483647; 0 after an issue."""
        value = given.get(name)
        if type(value) is int and 1 <= value <= 2_147_483_647:
            return value
        if name in given:
            self.wrong(f"{path}.{name}", "et helt tal fra 1", "a whole number from 1")
        else:
            self.missing(f"{path}.{name}")
        return 0

    def one_of(
        self, given: JsonObject, name: str, path: str, choices: Collection[str]
    ) -> str | None:
        """Read a required string out of a closed list."""
        value = given.get(name)
        if type(value) is str and value in choices:
            return value
        if name not in given:
            self.missing(f"{path}.{name}")
        else:
            listed = ", ".join(choices)
            self.wrong(f"{path}.{name}", f"en af: {listed}", f"one of: {listed}")
        return None

    def texts(self, given: JsonObject, name: str, path: str) -> tuple[str, ...]:
        """Read a list of strings, each not blank; empty when absent."""
        value = given.get(name, ())
        if not value and type(value) in (list, tuple):
            return ()
        if type(value) is list and all(type(each) is str and _is_fair(each) for each in value):
            return tuple(value)
        self.wrong(f"{path}.{name}", "en liste af tekster", "a list of strings")
        return ()

    def moment(
        self, given: JsonObject, name: str, path: str, *, required: bool = False
    ) -> datetime | None:
        """Read a time with date, clock and offset; it keeps the offset."""
        value = given.get(name)
        if value is None and not (required and name in given):
            if required:
                self.missing(f"{path}.{name}")
            return None
        found = _MOMENT.fullmatch(value) if type(value) is str else None
        if found is not None:
            if found[1] is None:
                self.no_offset(f"{path}.{name}")
                return None
            try:
                return datetime.fromisoformat(found[0])
            except ValueError:
                pass  # a day or hour that does not exist: told below
        self.wrong(
            f"{path}.{name}",
            "et tidspunkt som 2026-12-10T10:00:00+01:00",
            "a time like 2026-12-10T10:00:00+01:00",
        )
        return None

    def no_offset(self, path: str) -> None:
        """Add TIME-NO-OFFSET."""
        self.add(
            "TIME-NO-OFFSET",
            path,
            "design 3: times carry an offset",
            "Tidspunktet mangler tidszone. Tilføj +01:00 (vinter), +02:00 (sommer) eller Z.",
            "The time has no offset. Add +01:00 (winter), +02:00 (summer) or Z.",
        )

    def day(self, given: JsonObject, name: str, path: str) -> date | None:
        """Read a required date."""
        value = given.get(name)
        if type(value) is str and _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass  # a day that does not exist: told below
        if name in given:
            self.wrong(f"{path}.{name}", "en dato som 1974-01-30", "a date like 1974-01-30")
        else:
            self.missing(f"{path}.{name}")
        return None

    def cpr(self, given: JsonObject, name: str, path: str) -> str | None:
        """Read a required CPR number; the string itself, checked."""
        value = given.get(name)
        if type(value) is not str:
            if name in given:
                self.wrong(f"{path}.{name}", "en tekst", "a string")
            else:
                self.missing(f"{path}.{name}")
            return None
        return self.cpr_value(value, f"{path}.{name}")

    def cpr_value(self, value: str, path: str) -> str | None:
        """Check a CPR number: P-REJ-IDENTITY for a replacement number, else CPR-INVALID."""
        try:
            return Cpr(value).value
        except InvalidIdentifier:
            pass  # its text is for developers: the sender gets the remedy
        if is_replacement_cpr(value.upper()):
            self.replacement_cpr(path)
        else:
            self.add(
                "CPR-INVALID",
                path,
                "medcom-shared-notes 7, rule cpr: ten digits, valid day and month",
                "CPR-nummeret er ugyldigt. Send ti cifre uden bindestreg.",
                "The CPR number is invalid. Send ten digits without a dash.",
            )
        return None

    def replacement_cpr(self, path: str) -> None:
        """Add P-REJ-IDENTITY."""
        self.add(
            "P-REJ-IDENTITY",
            path,
            "medcom-shared-notes 7: no replacement numbers",
            "Notater på erstatnings-CPR kan ikke deles. Send notatet, når patientens"
            " CPR-nummer kendes.",
            "Notes on a replacement number cannot be shared. Send the note when the"
            " patient's CPR number is known.",
        )

    def sor_code_value(self, value: str, path: str) -> str | None:
        """Check a SOR code, else PROFILE-SOR-DIGITS."""
        try:
            return SorCode(value).value
        except InvalidIdentifier:
            self.add(
                "PROFILE-SOR-DIGITS",
                path,
                "medcom-shared-notes 8: digits only, at least 11",
                "SOR-koden skal være mindst 11 cifre. Send klinikkens SOR-kode, ikke ydernummeret.",
                "The SOR code must be at least 11 digits. Send the clinic's SOR code, not the"
                " provider number.",
            )
        return None

    def urn_uuid(self, given: JsonObject, name: str, path: str) -> str | None:
        """Read an optional ``urn:uuid:``, given in lower case; else PROFILE-UUID."""
        value = given.get(name)
        if value is None:
            return None
        if type(value) is not str:
            self.wrong(f"{path}.{name}", "en tekst", "a string")
            return None
        if not is_urn_uuid(value):
            self.add(
                "PROFILE-UUID",
                f"{path}.{name}",
                "medcom-shared-notes 9, rule medcom-uuid: urn:uuid: and a UUID",
                "Id'et skal være urn:uuid: fulgt af et UUID. Ret det.",
                "The id must be urn:uuid: and a UUID. Correct it.",
            )
            return None
        return value.lower()


def _is_fair(value: str) -> bool:
    return (
        0 < len(value) <= LONGEST_VALUE
        and not value.isspace()
        and (value.isprintable() or _CONTROL.search(value) is None)
    )


def _is_name(value: str) -> bool:
    return _is_fair(value) and (value.isalpha() or any(letter.isalpha() for letter in value))
