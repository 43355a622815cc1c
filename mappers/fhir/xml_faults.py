"""What can be wrong with a document as XML, each fault as an issue with its line.

That the content is right is for the profile checks to say; here stands only what
has no counterpart in the JSON form, or would be lost on the way to it.

Source: FHIR R4 XML; XML 1.0; design.md 3.1 (codes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from mappers.fhir.rules import RULES
from mappers.issues import Issue

MOST_PLACES: Final = 100
"""So many places are told of each kind of fault."""

_NAME: Final = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,39}")
_TAIL: Final = re.compile(r"@[^@]*$")
_STEP: Final = re.compile(r"\.[^.]*$|\[[0-9]+\]$")
_R4: Final = "FHIR R4 XML"

UNKNOWN: Final = "PROFILE-ELEMENT-UNKNOWN"
NAMESPACE: Final = "PROFILE-XML-NAMESPACE"
ORDER: Final = "PROFILE-XML-ORDER"
REPEATED: Final = "PROFILE-XML-REPEATED"
EMPTY: Final = "PROFILE-XML-EMPTY"
VALUE: Final = "PROFILE-XML-VALUE"
TEXT: Final = "PROFILE-XML-TEXT"

WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        UNKNOWN: (RULES[UNKNOWN].message_da, RULES[UNKNOWN].message_en),
        NAMESPACE: (
            "Elementet har et forkert navnerum. FHIR-elementer har http://hl7.org/fhir,"
            " og text.div har http://www.w3.org/1999/xhtml.",
            "The element has a wrong namespace. FHIR elements have http://hl7.org/fhir,"
            " and text.div has http://www.w3.org/1999/xhtml.",
        ),
        ORDER: (
            "Elementet står på en forkert plads. Skriv elementerne i den rækkefølge, FHIR giver.",
            "The element stands in a wrong place. Write the elements in the order FHIR gives.",
        ),
        REPEATED: (
            "Elementet må kun stå én gang her. Fjern gentagelsen.",
            "The element may stand here only once. Remove the repetition.",
        ),
        EMPTY: (
            "Elementet er tomt. Giv det en værdi, eller udelad det.",
            "The element is empty. Give it a value, or leave it out.",
        ),
        VALUE: (
            "Værdien er ikke true eller false eller et tal, som typen kræver. Ret den.",
            "The value is not true or false or a number as the type demands. Correct it.",
        ),
        TEXT: (
            "Her må ikke stå tekst uden for attributten value. Fjern teksten.",
            "No text may stand here outside the attribute value. Remove the text.",
        ),
    }
)
"""Danish and English of each fault, with the remedy."""


def malformed(rule: str, message_da: str, message_en: str, line: int | None = None) -> Issue:
    """The issue BODY-MALFORMED about the whole body; a line is told in the words too."""
    if line is not None:
        message_da, message_en = f"{message_da} (linje {line})", f"{message_en} (line {line})"
    return Issue("BODY-MALFORMED", "$", rule, f"{message_da}.", f"{message_en}.", line)


@dataclass(slots=True)
class XmlFaults:
    """Collects faults, each once per place and at most :data:`MOST_PLACES` times."""

    _issues: dict[tuple[str, str], Issue] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, path: str, line: int | None) -> None:
        """Note a fault of :data:`WORDS` at a place."""
        told = self._counts.get(code, 0)
        if told < MOST_PLACES and (code, path) not in self._issues:
            self._counts[code] = told + 1
            message_da, message_en = WORDS[code]
            self._issues[code, path] = Issue(code, path, _R4, message_da, message_en, line)

    def __iter__(self) -> Iterator[Issue]:
        return iter(self._issues.values())


def printable(name: str) -> str:
    """Name an unknown element without letting content into an issue."""
    return name if _NAME.fullmatch(name) else "?"


def line_of(path: str, lines: Mapping[str, int]) -> int | None:
    """Find the line of a place, of its first repetition, or of what holds it.

    Args:
        path: the ``path`` of an issue, by the names that JSON and XML use.
        lines: as in :attr:`mappers.fhir.xml_reader.XmlReading.lines`.
    """
    place = _TAIL.sub("", path)
    while place:
        for name in (place, f"{place}[0]"):
            if name in lines:
                return lines[name]
        shorter = _STEP.sub("", place)
        if shorter == place:
            return None
        place = shorter
    return None


def with_line(issue: Issue, lines: Mapping[str, int]) -> Issue:
    """Give an issue its line; one that has a line, or no place in the document, stays."""
    if issue.line is not None or not lines:
        return issue
    line = line_of(issue.path, lines)
    return issue if line is None else replace(issue, line=line)
