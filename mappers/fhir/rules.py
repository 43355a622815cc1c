"""The rules an inbound document is held to, as one table of path and rule.

Two kinds: elements, whose rule follows from their row (how often, which type,
which value), and rules that look further than one element. The row's id is the
public code of a fault; ids stay when wording changes.

Source: medcom-shared-notes 3 to 14, named by section in each row.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mappers.fhir.elements import STRUCTURE, Element


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: stable id, the place it speaks of, remedy in two languages, source."""

    id: str
    path: str
    message_da: str
    message_en: str
    source: str


def element_rule(kind: str, element: Element) -> Rule:
    """Put an element's row into words."""
    how_often_da, how_often_en = _how_often(element)
    value_da = value_en = ""
    if element.fixed is not None:
        value_da = f' med værdien "{element.fixed}"'
        value_en = f' with the value "{element.fixed}"'
    form_da = form_en = ""
    if element.fixed is None:
        form_da, form_en = _FORMS.get(element.kind, ("", ""))
    path = f"{kind}.{element.name}"
    return Rule(
        id=f"PROFILE-{kind}-{element.name}".upper(),
        path=path,
        message_da=f"{path} skal stå {how_often_da}{value_da}{form_da}.",
        message_en=f"{path} must occur {how_often_en}{value_en}{form_en}.",
        source=f"medcom-shared-notes {element.section}",
    )


_FORMS: Final = MappingProxyType(
    {
        "full_time": (
            " som dato og klokkeslæt med sekunder og tidszone",
            " as date and time with seconds and zone",
        ),
        "date": (" som hel dato, ÅÅÅÅ-MM-DD", " as a full date, YYYY-MM-DD"),
        "id": (
            " med 1-64 bogstaver, cifre, punktummer og bindestreger",
            " with 1-64 letters, digits, dots and dashes",
        ),
        "base64": (" som base64 uden linjeskift", " as base64 without line breaks"),
        "string": (" som tekst, der ikke er blank", " as text that is not blank"),
        "code": (" som kode uden blanke omkring", " as a code without blanks around"),
    }
)


def _how_often(element: Element) -> tuple[str, str]:
    low, high = element.low, element.high
    if (low, high) == (1, 1):
        return "præcis én gang", "exactly once"
    if high is None:
        return (
            ("mindst én gang", "at least once") if low else ("ingen eller flere gange", "any times")
        )
    if low == 0:
        return f"højst {high} gang(e)", f"at most {high} time(s)"
    return f"{low} til {high} gange", f"{low} to {high} times"


def _rule(name: str, path: str, da: str, en: str, section: str) -> Rule:
    return Rule(f"PROFILE-{name}", path, da, en, f"medcom-shared-notes {section}")


_FURTHER: Final = (
    _rule(
        "ELEMENT-UNKNOWN",
        "*",
        "Elementet kan ikke bæres videre og ville gå tabt; fjern det.",
        "The element cannot be carried on and would be lost; remove it.",
        "3, 5, 6",
    ),
    _rule(
        "ELEMENT-DROPPED",
        "*",
        "Elementet deles ikke og er udeladt.",
        "The element is not shared and was left out.",
        "5 to 10",
    ),
    _rule(
        "OBJECT",
        "*",
        "Her skal stå et JSON-objekt, der ikke er tomt.",
        "A JSON object must stand here, and not an empty one.",
        "3",
    ),
    _rule(
        "ENTRY-FIRST",
        "Bundle.entry[0]",
        "Den første entry skal være Composition.",
        "The first entry must be the Composition.",
        "4, bdl-11",
    ),
    _rule(
        "ENTRY-COUNT",
        "Bundle.entry",
        "Dokumentet skal have præcis én Composition, Observation, Patient og Organization"
        " og højst én Practitioner og PractitionerRole.",
        "The document must have exactly one Composition, Observation, Patient and Organization,"
        " and at most one Practitioner and PractitionerRole.",
        "2",
    ),
    _rule(
        "ENTRY-TYPE",
        "Bundle.entry.resource",
        "Kun Composition, Observation, Patient, Organization, Practitioner og PractitionerRole"
        " kan indgå.",
        "Only Composition, Observation, Patient, Organization, Practitioner and PractitionerRole"
        " may take part.",
        "2",
    ),
    _rule(
        "ENTRY-ORPHAN",
        "Bundle.entry",
        "Ingen henviser til denne entry; fjern den, eller henvis til den.",
        "Nothing refers to this entry; remove it or refer to it.",
        "2",
    ),
    _rule(
        "FULLURL-UNIQUE",
        "Bundle.entry.fullUrl",
        "Hver fullUrl må kun stå én gang.",
        "Each fullUrl may stand only once.",
        "3, bdl-7",
    ),
    _rule(
        "FULLURL-FORM",
        "Bundle.entry.fullUrl",
        "fullUrl skal være urn:uuid: og en UUID eller en absolut URL, der ender på"
        " /<type>/<id>, uden /_history/.",
        "fullUrl must be urn:uuid: and a UUID, or an absolute URL that ends in"
        " /<type>/<id>, without /_history/.",
        "3, bdl-8",
    ),
    _rule(
        "FULLURL-BASE",
        "Bundle.entry.fullUrl",
        "fullUrl bruger guidens eksempeladresse; brug urn:uuid: eller egen adresse.",
        "fullUrl uses the guide's example address; use urn:uuid: or your own address.",
        "3, 19",
    ),
    _rule(
        "REFERENCE-RESOLVES",
        "Reference.reference",
        "Henvisningen skal pege på en entry i dokumentet.",
        "The reference must point to an entry of the document.",
        "2",
    ),
    _rule(
        "REFERENCE-TYPE",
        "Reference.reference",
        "Henvisningen peger på en ressource af en type, der ikke er tilladt her.",
        "The reference points to a resource of a type that is not allowed here.",
        "5, 6, 10",
    ),
    _rule(
        "BUNDLE-ID-UUID",
        "Bundle.id",
        "Bundle.id skal være en bar UUID, version 4 eller 5.",
        "Bundle.id must be a bare UUID, version 4 or 5.",
        "11, medcom-document-bundle-id-uuid",
    ),
    _rule(
        "ID-UUID",
        "Resource.id",
        "Id'et er ikke en UUID; det er tilladt, men frarådes.",
        "The id is not a UUID; that is allowed but discouraged.",
        "3, A26",
    ),
    _rule(
        "COMPOSITION-PROFILE",
        "Composition.meta.profile",
        "Composition.meta.profile skal være præcis én: medcom-notes-composition fulgt af |1.x"
        " eller |1.x.y.",
        "Composition.meta.profile must be exactly one: medcom-notes-composition followed by"
        " |1.x or |1.x.y.",
        "5, 11",
    ),
    _rule(
        "META-VERSION",
        "Resource.meta.profile",
        "Profilen eller dens version er ikke den, dokumentet holdes op imod (Document 2.0.2,"
        " Notes 1.0.0).",
        "The profile or its version is not the one the document is held to (Document 2.0.2,"
        " Notes 1.0.0).",
        "1, A1",
    ),
    _rule(
        "COMPOSITION-IDENTIFIER-UUID",
        "Composition.identifier.value",
        "Composition.identifier.value skal være urn:uuid: og en UUID, version 4 eller 5.",
        "Composition.identifier.value must be urn:uuid: and a UUID, version 4 or 5.",
        "11, medcom-uuid",
    ),
    _rule(
        "COMPOSITION-INSTITUTION",
        "Composition.author",
        "Composition.author skal nævne præcis én Organization og højst én Practitioner.",
        "Composition.author must name exactly one Organization and at most one Practitioner.",
        "5",
    ),
    _rule(
        "COMPOSITION-TITLE-CPR",
        "Composition.title",
        'Titlen skal være "Journalnotat for " og patientens CPR-nummer, ti cifre uden streg.',
        'The title must be "Journalnotat for " and the patient\'s CPR number, ten digits, no dash.',
        "5, 15",
    ),
    _rule(
        "PERFORMER",
        "Observation.performer",
        "Observation.performer skal nævne præcis én Organization, højst én Practitioner og"
        " højst én PractitionerRole.",
        "Observation.performer must name exactly one Organization, at most one Practitioner and"
        " at most one PractitionerRole.",
        "6",
    ),
    _rule(
        "PERSON-DIFFERS",
        "Observation.performer",
        "Personen er ikke den samme i Composition.author og Observation.performer.",
        "The person is not the same in Composition.author and Observation.performer.",
        "6",
    ),
    _rule(
        "OBSERVATION-CODE-SNOMED",
        "Observation.code",
        'Observation.code skal have koden 866144008 "Encounter note" i'
        " http://snomed.info/sct præcis én gang og højst én fra hvert af de øvrige systemer.",
        'Observation.code must have code 866144008 "Encounter note" in'
        " http://snomed.info/sct exactly once, and at most one of each other system.",
        "6",
    ),
    _rule(
        "BODY-UTF8",
        "Observation.extension.valueAttachment.data",
        "Notatets indhold skal være UTF-8.",
        "The note's content must be UTF-8.",
        "13",
    ),
    _rule(
        "BODY-PLAIN",
        "Observation.extension.valueAttachment.data",
        "Indholdet er ren tekst uden opmærkning; linjeskift er gjort til <br/>.",
        "The content is plain text without markup; line breaks were turned into <br/>.",
        "13, A22",
    ),
    _rule(
        "ATTACHMENT-TITLE",
        "Observation.extension.valueAttachment.title",
        "Overskriften er sat foran notatets tekst.",
        "The title was put in front of the note's text.",
        "A10",
    ),
    _rule(
        "DATE-ORDER",
        "Composition.date",
        "Composition.date må ikke ligge før Observation.effectiveDateTime.",
        "Composition.date must not lie before Observation.effectiveDateTime.",
        "14, rule 2",
    ),
    _rule(
        "PERIOD-START",
        "Composition.event.period.start",
        "period.start skal være samme tidspunkt som Observation.effectiveDateTime.",
        "period.start must be the same instant as Observation.effectiveDateTime.",
        "14, rule 3",
    ),
    _rule(
        "PERIOD-ORDER",
        "Composition.event.period.end",
        "period.end må ikke ligge før period.start.",
        "period.end must not lie before period.start.",
        "14, rule 4",
    ),
    _rule(
        "TIMESTAMP-ORDER",
        "Bundle.timestamp",
        "Bundle.timestamp ligger før Composition.date.",
        "Bundle.timestamp lies before Composition.date.",
        "14, rule 5",
    ),
    _rule(
        "PATIENT-CPR-SYSTEM",
        "Patient.identifier.system",
        "Patient.identifier skal være et CPR-nummer i urn:oid:1.2.208.176.1.2.",
        "Patient.identifier must be a CPR number in urn:oid:1.2.208.176.1.2.",
        "7",
    ),
    _rule(
        "GENDER",
        "Patient.gender",
        "Patient.gender skal være male, female, other eller unknown.",
        "Patient.gender must be male, female, other or unknown.",
        "7",
    ),
    _rule(
        "ORGANIZATION-SOR",
        "Organization.identifier",
        "Organization skal have præcis én SOR-kode (urn:oid:1.2.208.176.1.1), 11 til 18 cifre.",
        "Organization must have exactly one SOR code (urn:oid:1.2.208.176.1.1), 11 to 18 digits.",
        "8, min-digits-sor",
    ),
    _rule(
        "PROVIDER-NUMBER",
        "Organization.identifier",
        "Organization må højst have ét ydernummer (urn:oid:1.2.208.176.1.4).",
        "Organization may have at most one provider number (urn:oid:1.2.208.176.1.4).",
        "8",
    ),
    _rule(
        "PROVIDER-NUMBER-FORM",
        "Organization.identifier",
        "Ydernummeret har ikke seks cifre; foranstillede nuller skal med.",
        "The provider number does not have six digits; leading zeros belong to it.",
        "8, A14",
    ),
    _rule(
        "PRACTITIONER-CPR",
        "Practitioner.identifier",
        "En sundhedsperson må ikke identificeres med CPR-nummer; brug en stabil UUID.",
        "A practitioner must not be identified by a CPR number; use a stable UUID.",
        "9",
    ),
    _rule(
        "PERSON-ID-UUID",
        "Practitioner.identifier",
        "Personens id er ikke urn:uuid: og en UUID; der er dannet en fast UUID af det.",
        "The person's id is not urn:uuid: and a UUID; a constant UUID was made of it.",
        "9",
    ),
    _rule(
        "ROLE-CODE-XOR-TEXT",
        "PractitionerRole.code",
        "PractitionerRole.code skal have enten en kode med system eller en tekst, ikke begge.",
        "PractitionerRole.code must have either a coding with system and code, or a text,"
        " not both.",
        "10, medcom-core-practitionerrole-code-xor-text",
    ),
    _rule(
        "ROLE-UNKNOWN",
        "PractitionerRole.code",
        "Rollen findes ikke i MedComs to rollelister; den er ført videre som tekst.",
        "The role is in neither of MedCom's two role lists; it was carried on as text.",
        "10",
    ),
    _rule(
        "TEXT-STATUS",
        "Resource.text.status",
        "text.status skal være generated eller extensions.",
        "text.status must be generated or extensions.",
        "3",
    ),
    _rule(
        "TEXT-DIV",
        "Resource.text.div",
        "text.div skal være velformet XHTML i et div-element med synlig tekst og kun"
        " grundlæggende formatering (u er ikke tilladt).",
        "text.div must be well-formed XHTML in a div element with visible text and basic"
        " formatting only (u is not allowed).",
        "12, txt-1, txt-2",
    ),
    _rule(
        "TEXT-BASE64",
        "Resource.text.div",
        "Den læsbare tekst må ikke indeholde base64-data.",
        "The narrative must not hold base64 data.",
        "12",
    ),
    _rule(
        "TEXT-INCOMPLETE",
        "Resource.text.div",
        "Den læsbare tekst mangler CPR-nummer eller SOR-kode; den er dannet på ny.",
        "The narrative lacks the CPR number or SOR code; it is made anew.",
        "12",
    ),
)

RULES: Final = MappingProxyType(
    {
        rule.id: rule
        for rule in (
            *(
                element_rule(kind, element)
                for kind, elements in STRUCTURE.items()
                for element in elements
            ),
            *_FURTHER,
        )
    }
)
"""Every profile rule by its id."""

WARNINGS: Final = frozenset(
    f"PROFILE-{name}"
    for name in (
        "ELEMENT-DROPPED",
        "FULLURL-BASE",
        "ID-UUID",
        "META-VERSION",
        "PERSON-DIFFERS",
        "PERSON-ID-UUID",
        "BODY-PLAIN",
        "ATTACHMENT-TITLE",
        "TIMESTAMP-ORDER",
        "PROVIDER-NUMBER-FORM",
        "ROLE-UNKNOWN",
        "TEXT-INCOMPLETE",
    )
)
"""Rules whose breach is told and does not refuse the document."""
