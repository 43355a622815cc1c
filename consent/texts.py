"""Codes to sentences, in Danish and English, by who reads them.

A code without a sentence for an audience says nothing to it, on purpose: to
everyone but the patient a refused note looks like no note, and some refusals
share one sentence so that it can't be told which it was.

Source: sharing-rules 6.2 (neutral notice), 6.3 (the patient's view), 8 (codes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from consent.times import COPENHAGEN


class Audience(StrEnum):
    """Who reads the sentence."""

    PRACTICE = "PRACTICE"
    CITIZEN = "CITIZEN"
    PROFESSIONAL = "PROFESSIONAL"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages; may hold ``{until}``, ``{name}``, ``{version}``."""

    da: str
    en: str


STANDING_TEXT = Text(
    "Ikke alle notater vises her. Spørg din klinik, hvis du mangler noget. Du har ret til"
    " aktindsigt i hele din journal.",
    "This list may be incomplete. Ask your clinic if you miss something. You are entitled to see"
    " your whole record on request.",
)
NEUTRAL_NOTICE = Text(
    "Der kan findes oplysninger, som ikke vises her.",
    "There may be information that is not displayed here.",
)
PADLOCK_ALL = Text(
    "Du har skjult dette notat for sundhedspersoner.",
    "You have hidden this note from health professionals.",
)
PADLOCK_WITH_EXCEPTION = Text(
    "Skjult af dig, men åbent for dem, du har givet samtykke.",
    "You have hidden this note, except from those you gave your consent.",
)
PADLOCK_SOME = Text(
    "Du har skjult notatet for nogle sundhedspersoner.",
    "You have hidden this note from some health professionals.",
)

_NO_ACCESS = Text("Ingen adgang.", "No access.")
_TRY_LATER = Text("Prøv igen senere.", "Please try again later.")
_ON_BEHALF = Text(
    "Du ser oplysninger på vegne af {name}.", "You are viewing information on behalf of {name}."
)
_NOT_FOR_THIS_PERSON = Text(
    "Du kan ikke se oplysninger for denne person her. Kontakt klinikken.",
    "You cannot view this person's information here. Please contact the clinic.",
)
_MANDATE_FALLS_SHORT = Text(
    "Din fuldmagt dækker ikke dette.", "Your power of attorney does not extend to this."
)
_FROM_15 = Text(
    "Du får adgang, når du fylder 15 år.", "You will have access from your 15th birthday."
)
_DELAYED = Text(
    "Klinikken viser notatet fra {until}.", "The clinic makes this note visible from {until}."
)
_WITHDRAWN = Text(
    "Klinikken har trukket notatet tilbage den {until}.",
    "The clinic withdrew this note on {until}.",
)
_SCOPE = Text("Ikke omfattet af aftalen om deling", "Not covered by the sharing agreement")

FOR_PRACTICES: Mapping[str, Text] = MappingProxyType(
    {
        "P-OK": Text("Delt", "Shared"),
        "P-HOLD-DRAFT": Text("Endnu ikke godkendt", "Awaiting finalisation"),
        "P-HOLD-MIDNIGHT": Text("Deles fra {until}", "Will be shared from {until}"),
        "P-HOLD-DELAYED": Text(
            "Patienten ser notatet fra {until}", "The patient will see it from {until}"
        ),
        "P-HOLD-NATIONAL": Text(
            "Endnu ikke sendt til den nationale tjeneste", "Awaiting the national service"
        ),
        "P-WITHHELD-NATIONAL": Text(
            "Sendes ikke til den nationale tjeneste, hvis læsere vi ikke kan skelne; vises her"
            " som de to andre linjer siger",
            "Not sent to the national service, since it does not tell us who reads; shown here"
            " according to the two other lines",
        ),
        "P-HOLD-BASIS-MISSING": Text(
            "»Skjul for patienten« mangler et gyldigt grundlag: vælg »Del ikke«, forsinket"
            " visning, eller fjern markeringen",
            "'Hide from patient' lacks a valid ground: mark it do-not-share, delay it, or take"
            " the marking off",
        ),
        "P-WITHHELD-DO-NOT-SHARE": Text("Deles ikke med nogen", "Shared with nobody"),
        "P-WITHHELD-FROM-PATIENT": Text(
            "Skjult for patienten (før 2010)", "Kept from the patient (entry from before 2010)"
        ),
        "P-WITHHELD-THIRD-PARTY": Text(
            "Vises ikke for patienten her; ved anmodning om aktindsigt udleveres notatet normalt"
            " i sin helhed",
            "Left out of the patient's feed; normally handed out whole when the patient asks for"
            " the record",
        ),
        "P-WITHHELD-SAFETY": Text(
            "Vises ikke for patienten, før I har aftalt med patienten, at det er sikkert",
            "Left out of the feed until you have agreed with the patient that it is safe",
        ),
        "P-WITHHELD-FROM-PROFESSIONALS": Text(
            "Patienten ser notatet, andre sundhedspersoner gør ikke",
            "Visible to the patient, not to other professionals",
        ),
        "P-SCOPE-ADMIN": _SCOPE,
        "P-SCOPE-BEFORE-START": _SCOPE,
        "P-DECEASED": Text("Patienten er død; deles ikke", "The patient has died; not shared"),
        "P-REMOVED-WITHDRAWN": Text("Trukket tilbage", "Taken back"),
        "P-REMOVED-SUPERSEDED": Text("Afløst af {version}", "Superseded by {version}"),
        "P-REMOVED-EXPIRED": Text("Opbevaringstiden er udløbet", "The retention period has ended"),
        "P-REJ-IDENTITY": Text(
            "Afvist: patienten har ikke et almindeligt CPR-nummer",
            "Rejected: the patient has no ordinary CPR number",
        ),
        "P-REJ-INVALID": Text(
            "Afvist: en oplysning mangler, eller tidspunkterne passer ikke sammen",
            "Rejected: something is missing, or the times contradict each other",
        ),
        "P-REJ-NOT-ENROLLED": Text(
            "Afvist: klinikken er ikke tilmeldt", "Rejected: the clinic has not joined"
        ),
    }
)

FOR_CITIZENS: Mapping[str, Text] = MappingProxyType(
    {
        "P-HOLD-DELAYED": _DELAYED,
        "P-REMOVED-WITHDRAWN": _WITHDRAWN,
        "D-OK-GUARDIAN": _ON_BEHALF,
        "D-OK-PROXY": _ON_BEHALF,
        "D-OK-REP": _ON_BEHALF,
        "D-OK-CONSENT-NOW": Text(
            "En sundhedsperson har med dit samtykke set oplysninger, du har skjult.",
            "With your consent, a health professional viewed information you have hidden.",
        ),
        "D-OK-BREAK-GLASS": Text(
            "En sundhedsperson har af hensyn til vigtige interesser set oplysninger, du har"
            " skjult. Opslaget bliver gennemgået.",
            "For overriding reasons, a health professional viewed information you have hidden."
            " The look-up will be reviewed.",
        ),
        "D-WITHHELD": STANDING_TEXT,
        "D-NOT-AVAILABLE": STANDING_TEXT,
        "D-NOT-SELF": _NO_ACCESS,
        "D-SELF-UNDER-15": _FROM_15,
        "D-NO-CUSTODY": _NOT_FOR_THIS_PERSON,
        "D-GUARDIAN-BLOCKED": _NOT_FOR_THIS_PERSON,
        "D-GUARDIAN-ADDRESS-PROTECTED": _NOT_FOR_THIS_PERSON,
        "D-RELATION-UNAVAILABLE": _NOT_FOR_THIS_PERSON,
        "D-GUARDIAN-15-PLUS": Text(
            "Dit barn er fyldt 15 år og ser selv sine oplysninger.",
            "Your child has turned 15 and now has access in person.",
        ),
        "D-PROXY-INVALID": _MANDATE_FALLS_SHORT,
        "D-REP-INVALID": _MANDATE_FALLS_SHORT,
        "D-DECEASED": Text(
            "Adgangen er lukket. Pårørende kan kontakte klinikken.",
            "Access has been closed. Relatives may contact the clinic.",
        ),
        "D-AUTH-LEVEL": Text("Log ind med MitID.", "Please log in with MitID."),
        "D-ROLE-NOT-ALLOWED": _NO_ACCESS,
        "D-RESEARCH-NEVER": _NO_ACCESS,
        "D-ADMIN-NO-CONTENT": _NO_ACCESS,
        "D-COMPLIANCE-METADATA-ONLY": _NO_ACCESS,
        "D-AUDIT-UNAVAILABLE": _TRY_LATER,
    }
)

FOR_PROFESSIONALS: Mapping[str, Text] = MappingProxyType(
    {
        "D-OK-TREATMENT-FOLLOWUP": Text(
            "Behandlingsrelationen kontrolleres efterfølgende.",
            "Your treatment relation will be checked later.",
        ),
        "D-OK-CONSENT-NOW": Text(
            "Adgang med patientens samtykke er registreret.",
            "Access on the patient's consent has been recorded.",
        ),
        "D-OK-BREAK-GLASS": Text(
            "Værdispring er registreret. Patienten får besked.",
            "The override has been recorded. The patient will be told.",
        ),
        "D-NOT-AVAILABLE": NEUTRAL_NOTICE,
        "D-CONSENT-NEGATIVE": NEUTRAL_NOTICE,
        "D-CONSENT-UNAVAILABLE": Text(
            "Patientens spærringer kan ikke kontrolleres lige nu.",
            "The patient's blocks cannot be checked at the moment.",
        ),
        "D-DECEASED": Text(
            "Patienten er registreret død. Kontakt klinikken.",
            "The patient is registered as dead. Please contact the clinic.",
        ),
        "D-NO-RELATION": Text(
            "Adgang kræver, at patienten er i aktuel behandling.",
            "Access requires that you are treating the patient at present.",
        ),
        "D-NO-AUTHORISATION": Text(
            "Din autorisation kunne ikke bekræftes.", "Your authorisation could not be confirmed."
        ),
        "D-PROFESSION": Text(
            "Din faggruppe har ikke adgang her.", "Your profession has no access here."
        ),
        "D-PURPOSE": Text(
            "Adgang gives kun til behandling.", "Access is given for treatment only."
        ),
        "D-HP-OWN-RECORD": Text(
            "Din egen journal ser du som borger, ikke her.",
            "View your own record as a citizen, not here.",
        ),
        "D-BG-ROLE": Text(
            "Værdispring kan kun foretages af den ansvarlige sundhedsperson selv.",
            "Only the responsible professional in person may override.",
        ),
        "D-BG-REASON": Text(
            "Værdispring kræver en grund og en begrundelse med ord.",
            "An override requires a reason and an explanation in words.",
        ),
        "D-AUTH-LEVEL": Text(
            "Log ind med et højere sikringsniveau.", "Please log in at a higher assurance level."
        ),
        "D-ROLE-NOT-ALLOWED": _NO_ACCESS,
        "D-RESEARCH-NEVER": _NO_ACCESS,
        "D-ADMIN-NO-CONTENT": _NO_ACCESS,
        "D-COMPLIANCE-METADATA-ONLY": _NO_ACCESS,
        "D-AUDIT-UNAVAILABLE": _TRY_LATER,
    }
)

_BY_AUDIENCE = {
    Audience.PRACTICE: FOR_PRACTICES,
    Audience.CITIZEN: FOR_CITIZENS,
    Audience.PROFESSIONAL: FOR_PROFESSIONALS,
}


def sentence(
    code: str,
    audience: Audience,
    *,
    until: datetime | None = None,
    name: str = "",
    version: int | None = None,
) -> Text | None:
    """What to tell this audience about a code, filled in; None: nothing.

    Args:
        code: a publication or disclosure code.
        audience: who reads it.
        until: the instant to name (a release, or when the note was withdrawn).
        name: the person acted for.
        version: the version that took over, if it is known.
    """
    text = _BY_AUDIENCE[audience].get(code)
    if text is None or "{" not in text.da:
        return text
    named = f"version {version}"
    newer = Text("en nyere version", "a newer version") if version is None else Text(named, named)
    return Text(
        text.da.format(until=_danish(until), name=name, version=newer.da),
        text.en.format(until=_english(until), name=name, version=newer.en),
    )


def _danish(instant: datetime | None) -> str:
    """Day and hour as written in Denmark; no hour at midnight."""
    if instant is None:
        return "senere"
    local = instant.astimezone(COPENHAGEN)
    day = f"{local.day}.{local.month}.{local.year}"
    return day if _is_midnight(local) else f"{day} kl. {local:%H.%M}"


def _english(instant: datetime | None) -> str:
    if instant is None:
        return "a later date"
    local = instant.astimezone(COPENHAGEN)
    return f"{local:%Y-%m-%d}" if _is_midnight(local) else f"{local:%Y-%m-%d %H:%M}"


def _is_midnight(local: datetime) -> bool:
    return (local.hour, local.minute) == (0, 0)
