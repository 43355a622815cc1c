"""The words of the compliance pages, in Danish and English.

What the log says in codes, said in words: actions, roles, doors, outcomes,
duties, and for each disclosure code what it means. What a reader or a practice
was told about a code stands in ``consent.texts`` and is only repeated here.

Source: sharing-rules 6 (gates), 6.1 (obligations), 8 (codes), 11.1 (actions).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from consent.texts import Audience, Text, sentence

ACTIONS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "RECEIVED": Text("Notat modtaget", "Note received"),
        "REJECTED": Text("Notat afvist", "Note refused"),
        "MARKING": Text("Markering ændret", "Marking changed"),
        "CANCELLED": Text("Notat annulleret", "Note cancelled"),
        "MOVED": Text("Notat behandlet", "Note processed"),
        "PURGED": Text("Indhold slettet", "Content destroyed"),
        "DELIVERY": Text("Sendt til national tjeneste", "Sent to a national service"),
        "LIST": Text("Liste vist", "List shown"),
        "CONTENT": Text("Indhold vist", "Content shown"),
        "DENY": Text("Adgang nægtet", "Access denied"),
        "LOGIN": Text("Log ind", "Login"),
        "LOG_READ": Text("Opslag i loggen", "Look into the log"),
        "EXPORT": Text("Log udtrukket", "Log exported"),
        "PRACTICE": Text("Klinik ændret", "Practice changed"),
    }
)

ROLES: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "SELF": Text("patienten selv", "the patient"),
        "GUARDIAN": Text("forældremyndighedsindehaver", "custody holder"),
        "PROXY": Text("fuldmagtshaver", "holder of a power of attorney"),
        "LEGAL_REP": Text("værge", "legal representative"),
        "HP": Text("sundhedsperson", "health professional"),
        "ADMIN": Text("administrator", "administrator"),
        "COMPLIANCE": Text("kontrolmedarbejder", "compliance staff"),
        "SYSTEM": Text("system", "system"),
        "RESEARCHER": Text("forsker", "researcher"),
    }
)

DOORS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "patient": Text("patientens app", "patient's app"),
        "sundhedsjournal": Text("Sundhedsjournalen", "Sundhedsjournalen"),
        "audit_pages": Text("kontrolsiderne", "compliance pages"),
        "audit_api": Text("kontrol-API", "compliance API"),
    }
)

SYSTEMS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "pipeline": Text("Systemet (behandling)", "The system (pipeline)"),
        "delivery": Text("Systemet (levering)", "The system (delivery)"),
    }
)

DESTINATIONS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "patient_feed": Text("patienten", "patient"),
        "professional_repository": Text("sundhedspersoner", "professionals"),
        "national": Text("national tjeneste", "national service"),
    }
)

OUTCOMES: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "PERMIT": Text("Givet", "Permitted"),
        "DENY": Text("Nægtet", "Denied"),
        "PUBLISH": Text("Delt", "Shared"),
        "HOLD": Text("Afventer", "Held"),
        "WITHHOLD": Text("Holdt tilbage", "Withheld"),
        "REMOVE": Text("Fjernet", "Removed"),
        "REJECT": Text("Afvist", "Rejected"),
    }
)

OBLIGATIONS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "LOG": Text("logges", "log"),
        "MINLOG": Text("registreres i MinLog", "register in MinLog"),
        "NEUTRAL": Text("svar som intet notat", "answer as if there were no note"),
        "ALERT": Text("til kontrolkøen", "to the compliance queue"),
        "FOLLOW_UP_RELATION": Text("relation efterprøves", "check the relation later"),
        "NOTIFY_PATIENT": Text("patienten får besked", "tell the patient"),
        "NOTIFY_DEFERRED": Text("besked udskydes", "tell the patient later"),
        "REVIEW_MANDATORY": Text("skal gennemgås", "must be reviewed"),
        "REVIEW_SAMPLE": Text("kan udtages til stikprøve", "may be sampled"),
        "REDACT_CONTACT": Text("kontaktoplysninger skjules", "hide contact details"),
        "REDACT_AUTHOR_NAME": Text("forfatterens navn skjules", "hide the author's name"),
    }
)
DUTY_STATES: Final[Mapping[str, Text]] = MappingProxyType(
    {"done": Text("udført", "done"), "due": Text("udestår", "due")}
)

PURPOSES: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "TREATMENT": Text("behandling", "treatment"),
        "QUALITY": Text("kvalitetsarbejde", "quality work"),
        "RESEARCH": Text("forskning", "research"),
    }
)
RELATIONS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "CONFIRMED": Text("bekræftet behandlingsrelation", "confirmed treatment relation"),
        "DECLARED": Text("oplyst behandlingsrelation", "declared treatment relation"),
        "NONE": Text("ingen behandlingsrelation", "no treatment relation"),
    }
)
OVERRIDES: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "VITAL_INTEREST": Text("afgørende hensyn til patienten", "vital interest"),
        "PUBLIC_INTEREST": Text("væsentlige almene hensyn", "public interest"),
        "PATIENT_CONSENT_NOW": Text("patientens samtykke på stedet", "consent on the spot"),
    }
)
LEVELS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "LOW": Text("lavt login", "low login"),
        "SUBSTANTIAL": Text("betydeligt login", "substantial login"),
        "HIGH": Text("højt login", "high login"),
    }
)
FRESHNESS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "consent_age_s": Text("spærringer", "consents"),
        "custody_age_s": Text("forældremyndighed", "custody"),
        "proxy_age_s": Text("fuldmagter", "mandates"),
    }
)
MARKINGS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "do_not_share": Text("del ikke", "do not share"),
        "hide_from_professionals": Text("skjul for sundhedspersoner", "hide from professionals"),
        "third_party_confidential": Text("tredjemands oplysninger", "third party"),
        "hide_from_patient": Text("skjul for patienten", "hide from patient"),
        "hide_from_guardian": Text("skjul for forældre", "hide from guardian"),
        "sensitive": Text("følsomme kategorier", "sensitive categories"),
        "guardian_ok": Text("må vises for forældre", "may be shown to guardians"),
        "patient_confirmed_feed": Text("aftalt med patienten", "agreed with the patient"),
        "delay_until": Text("forsinket til", "delayed until"),
    }
)

# Why somebody looks into the log; chosen from this list and explained in words.
REASONS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "PATIENT_REQUEST": Text("Patienten har bedt om det", "Requested by the patient"),
        "COMPLAINT": Text("Klage", "Complaint"),
        "SUSPECTED_MISUSE": Text("Mistanke om uberettiget opslag", "Suspected misuse"),
        "SAMPLE": Text("Stikprøve", "Sample"),
        "AUTHORITY": Text("Anmodning fra en myndighed", "Request by an authority"),
        "INCIDENT": Text("Sikkerhedshændelse", "Security incident"),
        "OTHER": Text("Andet", "Other"),
    }
)

MEANINGS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        # The log does not say which version took over, as the practice's sentence would.
        "P-REMOVED-SUPERSEDED": Text(
            "Afløst af en nyere version.", "Superseded by a newer version."
        ),
        "D-OK-SELF": Text("Patienten så sit eget notat.", "The patient saw their own note."),
        "D-OK-GUARDIAN": Text("Vist til en forælder.", "Shown to a custody holder."),
        "D-OK-PROXY": Text("Vist på fuldmagt.", "Shown on a power of attorney."),
        "D-OK-REP": Text("Vist til værgen.", "Shown to the legal representative."),
        "D-OK-TREATMENT": Text(
            "Vist til en sundhedsperson med bekræftet relation.",
            "Shown to a professional with a confirmed relation.",
        ),
        "D-OK-TREATMENT-FOLLOWUP": Text(
            "Vist på en oplyst relation, som efterprøves.",
            "Shown on a declared relation, to be checked.",
        ),
        "D-OK-CONSENT-NOW": Text(
            "Spærring åbnet med patientens samtykke på stedet.",
            "A block was opened on the patient's consent on the spot.",
        ),
        "D-OK-BREAK-GLASS": Text(
            "Spærring åbnet ved værdispring.", "A block was overridden (break glass)."
        ),
        "D-SYSTEM-TECH": Text("Teknisk adgang.", "Technical access."),
        "D-HELD": Text("Notatet er ikke frigivet endnu.", "The note is not released yet."),
        "D-WITHHELD": Text("Klinikken holder notatet tilbage.", "The practice withholds the note."),
        "D-REMOVED": Text("Notatet er fjernet eller afløst.", "The note is gone or superseded."),
        "D-NOT-AVAILABLE": Text("Notatet er ikke delt.", "The note is not shared."),
        "D-CONSENT-NEGATIVE": Text("Patienten har spærret.", "The patient has blocked it."),
        "D-CONSENT-UNAVAILABLE": Text(
            "Spærringerne kunne ikke efterses.", "The blocks could not be checked."
        ),
        "D-NOT-SELF": Text("Ikke den, notatet handler om.", "Not the person of the note."),
        "D-SELF-UNDER-15": Text("Patienten er under 15 år.", "The patient is under 15."),
        "D-NO-CUSTODY": Text("Ingen forældremyndighed.", "No custody."),
        "D-GUARDIAN-BLOCKED": Text(
            "Klinikken har lukket for forælderen.", "The practice has blocked the custody holder."
        ),
        "D-GUARDIAN-ADDRESS-PROTECTED": Text(
            "Adressebeskyttelse, og forælderen bor et andet sted.",
            "Protected address, and the custody holder lives elsewhere.",
        ),
        "D-RELATION-UNAVAILABLE": Text(
            "Forældremyndigheden kunne ikke efterses.", "Custody could not be checked."
        ),
        "D-GUARDIAN-15-PLUS": Text("Barnet er fyldt 15 år.", "The child has turned 15."),
        "D-GUARDIAN-HIDDEN-NOTE": Text(
            "Notatet er skjult for forældre.", "The note is hidden from custody holders."
        ),
        "D-GUARDIAN-SENSITIVE": Text(
            "Følsomt notat, vises ikke for forældre.",
            "A sensitive note, not shown to custody holders.",
        ),
        "D-GUARDIAN-PRE-ADOPTION": Text(
            "Notatet er fra før adoptionen.", "The note is from before the adoption."
        ),
        "D-PROXY-INVALID": Text(
            "Fuldmagten gælder ikke eller dækker ikke.", "The power of attorney does not hold."
        ),
        "D-PROXY-SENSITIVE": Text(
            "Følsomt notat, vises ikke på fuldmagt.", "A sensitive note, not shown to proxies."
        ),
        "D-REP-INVALID": Text("Værgemålet dækker ikke.", "The appointment does not hold."),
        "D-REP-HIDDEN-NOTE": Text(
            "Notatet er skjult for værgen.", "The note is hidden from the representative."
        ),
        "D-REP-SENSITIVE": Text(
            "Følsomt notat, vises ikke for værgen.",
            "A sensitive note, not shown to the representative.",
        ),
        "D-DECEASED": Text("Patienten er død.", "The patient is dead."),
        "D-NO-RELATION": Text(
            "Ingen aktuel behandlingsrelation.", "No treatment relation at present."
        ),
        "D-NO-AUTHORISATION": Text(
            "Autorisationen er ikke bekræftet.", "The authorisation is not confirmed."
        ),
        "D-PROFESSION": Text("Faggruppen har ikke adgang.", "The profession has no access."),
        "D-PURPOSE": Text("Formålet er ikke behandling.", "The purpose is not treatment."),
        "D-HP-OWN-RECORD": Text(
            "Sundhedspersonen søgte sin egen journal.", "The professional asked for their own."
        ),
        "D-BG-ROLE": Text(
            "Værdispring ved en anden end den ansvarlige.",
            "An override by someone else than the person responsible.",
        ),
        "D-BG-REASON": Text(
            "Værdispring uden grund eller begrundelse.", "An override without reason or text."
        ),
        "D-AUTH-LEVEL": Text("Login var for svagt.", "The login was too weak."),
        "D-ROLE-NOT-ALLOWED": Text("Rollen giver ikke adgang.", "The role opens nothing."),
        "D-RESEARCH-NEVER": Text("Forskning får aldrig adgang.", "Research is never admitted."),
        "D-ADMIN-NO-CONTENT": Text(
            "Administratorer ser aldrig notater.", "Administrators never see notes."
        ),
        "D-COMPLIANCE-METADATA-ONLY": Text(
            "Kontrolmedarbejdere ser kun loggen.", "Compliance staff see the log only."
        ),
        "D-AUDIT-UNAVAILABLE": Text("Loggen kunne ikke skrives.", "The log could not be written."),
    }
)


def word(table: Mapping[str, Text], value: str) -> Text:
    """The words for a value; a value nobody foresaw stands for itself."""
    return table.get(value) or Text(value, value)


def meaning(code: str, until: datetime | None = None) -> Text | None:
    """What a publication or disclosure code means; None for a code of neither list."""
    return MEANINGS.get(code) or sentence(code, Audience.PRACTICE, until=until)


def told(code: str, role: str | None) -> Text | None:
    """What the reader was told about a disclosure code; None: nothing."""
    audience = Audience.PROFESSIONAL if role == "HP" else Audience.CITIZEN
    return sentence(code, audience, name="…") if code.startswith("D-") else None
