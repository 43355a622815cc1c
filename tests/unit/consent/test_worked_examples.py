"""The forty worked examples of the sharing rules, as they stand in the specification.

Sections 18 and 19: the case holds only what differs from the defaults, an `@` stands before
an `until`. Nothing here was taken from the code under test.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from consent.cases import decide_case

DECISION_OF_PREFIX = {
    "P-OK": "PUBLISH",
    "P-HOLD": "HOLD",
    "P-WITHHELD": "WITHHOLD",
    "P-SCOPE": "WITHHOLD",
    "P-DECEASED": "WITHHOLD",
    "P-REMOVED": "REMOVE",
    "P-REJ": "REJECT",
}


@dataclass(frozen=True)
class Example:
    """One example: what is asked and what section 18 answers."""

    no: str
    fact: str
    case: dict[str, Any]
    patient_feed: str
    repository: str
    decision: str
    code: str
    obligations: list[str]

    def title(self) -> str:
        return f"{self.no} {self.fact}"


EXAMPLES = [
    Example(
        no="E01",
        fact="Ordinary consultation, read by the patient next week",
        case={"id": "E01", "request": {"role": "SELF"}},
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-SELF",
        obligations=["LOG"],
    ),
    Example(
        no="E02",
        fact="Hospital doctor looks the same evening the note was completed",
        case={"id": "E02", "request": {"role": "HP"}, "now": "2027-02-01T20:00:00Z"},
        patient_feed="P-HOLD-MIDNIGHT@2027-02-01T23:00:00Z",
        repository="P-HOLD-MIDNIGHT@2027-02-01T23:00:00Z",
        decision="DENY",
        code="D-NOT-AVAILABLE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E03",
        fact="Draft note",
        case={"id": "E03", "note": {"status": "draft"}, "request": {"role": "SELF"}},
        patient_feed="P-HOLD-DRAFT",
        repository="P-HOLD-DRAFT",
        decision="DENY",
        code="D-HELD",
        obligations=["LOG"],
    ),
    Example(
        no="E04",
        fact="GP ticked the national do not share (Del ikke)",
        case={
            "id": "E04",
            "note": {"markings": {"do_not_share": True}},
            "request": {"role": "SELF"},
        },
        patient_feed="P-WITHHELD-DO-NOT-SHARE",
        repository="P-WITHHELD-DO-NOT-SHARE",
        decision="DENY",
        code="D-WITHHELD",
        obligations=["LOG"],
    ),
    Example(
        no="E05",
        fact="Same note, emergency doctor uses break-glass: nothing to break",
        case={
            "id": "E05",
            "note": {"markings": {"do_not_share": True}},
            "request": {
                "role": "HP",
                "override": {
                    "reason": "VITAL_INTEREST",
                    "text": "Unconscious after overdose, history needed",
                },
            },
        },
        patient_feed="P-WITHHELD-DO-NOT-SHARE",
        repository="P-WITHHELD-DO-NOT-SHARE",
        decision="DENY",
        code="D-NOT-AVAILABLE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E06",
        fact="Patient told the GP in the room: not to other professionals (local objection)",
        case={
            "id": "E06",
            "note": {"markings": {"hide_from_professionals": True}},
            "request": {"role": "HP"},
        },
        patient_feed="P-OK",
        repository="P-WITHHELD-FROM-PROFESSIONALS",
        decision="DENY",
        code="D-NOT-AVAILABLE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E07",
        fact="Delayed release so the GP can explain first; patient opens the app early",
        case={
            "id": "E07",
            "note": {"markings": {"delay_until": "2027-02-11T08:00:00Z"}},
            "request": {"role": "SELF"},
        },
        patient_feed="P-HOLD-DELAYED@2027-02-11T08:00:00Z",
        repository="P-OK",
        decision="DENY",
        code="D-HELD",
        obligations=["LOG"],
    ),
    Example(
        no="E08",
        fact="Same note, hospital doctor with relation: delay binds the patient feed only",
        case={
            "id": "E08",
            "note": {"markings": {"delay_until": "2027-02-11T08:00:00Z"}},
            "request": {"role": "HP"},
        },
        patient_feed="P-HOLD-DELAYED@2027-02-11T08:00:00Z",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-TREATMENT",
        obligations=["LOG", "MINLOG"],
    ),
    Example(
        no="E09",
        fact="Hide from patient on a 2027 note: no legal basis exists",
        case={
            "id": "E09",
            "note": {"markings": {"hide_from_patient": {"basis": "OTHER"}}},
            "request": {"role": "SELF"},
        },
        patient_feed="P-HOLD-BASIS-MISSING",
        repository="P-OK",
        decision="DENY",
        code="D-HELD",
        obligations=["LOG"],
    ),
    Example(
        no="E10",
        fact="Imported 2008 note hidden under the pre-2010 rule",
        case={
            "id": "E10",
            "note": {
                "created_at": "2008-04-02T09:00:00+02:00",
                "completed_at": "2008-04-02T09:30:00+02:00",
                "practice": {"share_history": True},
                "markings": {"hide_from_patient": {"basis": "SL37_4_PRE2010"}},
            },
            "request": {"role": "SELF"},
        },
        patient_feed="P-WITHHELD-FROM-PATIENT",
        repository="P-OK",
        decision="DENY",
        code="D-WITHHELD",
        obligations=["LOG"],
    ),
    Example(
        no="E11",
        fact="Confidential remark from a relative in the note",
        case={
            "id": "E11",
            "note": {"markings": {"third_party_confidential": True}},
            "request": {"role": "SELF"},
        },
        patient_feed="P-WITHHELD-THIRD-PARTY",
        repository="P-OK",
        decision="DENY",
        code="D-WITHHELD",
        obligations=["LOG"],
    ),
    Example(
        no="E12",
        fact="Purely administrative entry",
        case={"id": "E12", "note": {"contact_type": "admin"}, "request": {"role": "SELF"}},
        patient_feed="P-SCOPE-ADMIN",
        repository="P-SCOPE-ADMIN",
        decision="DENY",
        code="D-WITHHELD",
        obligations=["LOG"],
    ),
    Example(
        no="E13",
        fact="Note from before the practice began sharing",
        case={
            "id": "E13",
            "note": {
                "created_at": "2026-11-30T15:00:00+01:00",
                "completed_at": "2026-11-30T15:10:00+01:00",
            },
            "request": {"role": "HP"},
        },
        patient_feed="P-SCOPE-BEFORE-START",
        repository="P-SCOPE-BEFORE-START",
        decision="DENY",
        code="D-NOT-AVAILABLE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E14",
        fact="Patient has only a replacement CPR",
        case={"id": "E14", "patient": {"cpr_type": "ECPR"}, "request": {"role": "HP"}},
        patient_feed="P-REJ-IDENTITY",
        repository="P-REJ-IDENTITY",
        decision="DENY",
        code="D-NOT-AVAILABLE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E15",
        fact="Note cancelled (wrong patient) after publication",
        case={"id": "E15", "note": {"status": "withdrawn"}, "request": {"role": "HP"}},
        patient_feed="P-REMOVED-WITHDRAWN",
        repository="P-REMOVED-WITHDRAWN",
        decision="DENY",
        code="D-NOT-AVAILABLE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E16",
        fact="Updated at 14:00; same evening the old version is still the visible one",
        case={
            "id": "E16",
            "note": {
                "successor": {
                    "status": "final",
                    "completed_at": "2027-02-09T14:00:00+01:00",
                    "delay_until": None,
                }
            },
            "request": {"role": "HP"},
            "now": "2027-02-09T19:00:00Z",
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-TREATMENT",
        obligations=["LOG", "MINLOG"],
    ),
    Example(
        no="E17",
        fact="Next day the old version is gone",
        case={
            "id": "E17",
            "note": {
                "successor": {
                    "status": "final",
                    "completed_at": "2027-02-09T14:00:00+01:00",
                    "delay_until": None,
                }
            },
            "request": {"role": "SELF"},
        },
        patient_feed="P-REMOVED-SUPERSEDED",
        repository="P-REMOVED-SUPERSEDED",
        decision="DENY",
        code="D-REMOVED",
        obligations=["LOG"],
    ),
    Example(
        no="E18",
        fact="Domestic violence note: out of the feed until the patient says yes; doctor may read",
        case={"id": "E18", "note": {"markings": {"sensitive": ["DV"]}}, "request": {"role": "HP"}},
        patient_feed="P-WITHHELD-SAFETY",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-TREATMENT",
        obligations=["LOG", "MINLOG"],
    ),
    Example(
        no="E19",
        fact="HIV note: a sensitive category does not hide an adults own note",
        case={
            "id": "E19",
            "note": {"markings": {"sensitive": ["HIV"]}},
            "request": {"role": "SELF"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-SELF",
        obligations=["LOG"],
    ),
    Example(
        no="E20",
        fact="Patient has blocked all professionals",
        case={
            "id": "E20",
            "registrations": [{"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"}],
            "request": {"role": "HP"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="DENY",
        code="D-CONSENT-NEGATIVE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E21",
        fact="The same block never hides the note from the patient",
        case={
            "id": "E21",
            "registrations": [{"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"}],
            "request": {"role": "SELF"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-SELF",
        obligations=["LOG"],
    ),
    Example(
        no="E22",
        fact="Block on data from practice 2; this note is from practice 1",
        case={
            "id": "E22",
            "registrations": [
                {
                    "type": "NEGATIVE",
                    "valid_from": "2027-01-05T08:00:00Z",
                    "what": {"origin_org": "SOR-PRAX-2", "include_sub": True},
                }
            ],
            "request": {"role": "HP"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-TREATMENT",
        obligations=["LOG", "MINLOG"],
    ),
    Example(
        no="E23",
        fact="Block on data created in January to mid-February",
        case={
            "id": "E23",
            "registrations": [
                {
                    "type": "NEGATIVE",
                    "valid_from": "2027-01-05T08:00:00Z",
                    "what": {
                        "data_from": "2026-12-31T23:00:00Z",
                        "data_to": "2027-02-14T23:00:00Z",
                    },
                }
            ],
            "request": {"role": "HP"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="DENY",
        code="D-CONSENT-NEGATIVE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E24",
        fact="Block on one named doctor; a colleague reads",
        case={
            "id": "E24",
            "registrations": [
                {
                    "type": "NEGATIVE",
                    "valid_from": "2027-01-05T08:00:00Z",
                    "who": {"kind": "PERSON", "person": "HP-7"},
                }
            ],
            "request": {"role": "HP"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-TREATMENT",
        obligations=["LOG", "MINLOG"],
    ),
    Example(
        no="E25",
        fact="Block on everyone plus a positive consent to Hospital A for a month",
        case={
            "id": "E25",
            "registrations": [
                {"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"},
                {
                    "type": "POSITIVE",
                    "valid_from": "2027-02-01T08:00:00Z",
                    "valid_to": "2027-03-01T08:00:00Z",
                    "who": {"kind": "ORG", "org": "SOR-HOSP-A", "include_sub": True},
                },
            ],
            "request": {"role": "HP"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-TREATMENT",
        obligations=["LOG", "MINLOG"],
    ),
    Example(
        no="E26",
        fact="Same, but the positive consent has run out",
        case={
            "id": "E26",
            "registrations": [
                {"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"},
                {
                    "type": "POSITIVE",
                    "valid_from": "2027-02-01T08:00:00Z",
                    "valid_to": "2027-03-01T08:00:00Z",
                    "who": {"kind": "ORG", "org": "SOR-HOSP-A", "include_sub": True},
                },
            ],
            "request": {"role": "HP"},
            "now": "2027-03-02T09:00:00Z",
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="DENY",
        code="D-CONSENT-NEGATIVE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E27",
        fact="Block lifted by the patient last week",
        case={
            "id": "E27",
            "registrations": [
                {
                    "type": "NEGATIVE",
                    "valid_from": "2027-01-05T08:00:00Z",
                    "revoked_at": "2027-02-03T12:00:00Z",
                }
            ],
            "request": {"role": "HP"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-TREATMENT",
        obligations=["LOG", "MINLOG"],
    ),
    Example(
        no="E28",
        fact="Consent service down, last answer 20 minutes old",
        case={"id": "E28", "request": {"role": "HP", "sources": {"consent_age_s": 1200}}},
        patient_feed="P-OK",
        repository="P-OK",
        decision="DENY",
        code="D-CONSENT-UNAVAILABLE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E29",
        fact="Consent service down: the patients own feed is unaffected",
        case={"id": "E29", "request": {"role": "SELF", "sources": {"consent_age_s": None}}},
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-SELF",
        obligations=["LOG"],
    ),
    Example(
        no="E30",
        fact="Break-glass, vital interest, on a full block",
        case={
            "id": "E30",
            "registrations": [{"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"}],
            "request": {
                "role": "HP",
                "override": {
                    "reason": "VITAL_INTEREST",
                    "text": "Status epilepticus, medication history needed",
                },
            },
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-BREAK-GLASS",
        obligations=["LOG", "MINLOG", "NOTIFY_PATIENT", "REVIEW_MANDATORY"],
    ),
    Example(
        no="E31",
        fact="Patient agrees on the spot to lift the block for this look-up",
        case={
            "id": "E31",
            "registrations": [{"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"}],
            "request": {
                "role": "HP",
                "override": {
                    "reason": "PATIENT_CONSENT_NOW",
                    "text": "Patient present, oral consent recorded",
                },
            },
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-CONSENT-NOW",
        obligations=["LOG", "MINLOG", "NOTIFY_PATIENT", "REVIEW_SAMPLE"],
    ),
    Example(
        no="E32",
        fact="Secretary on behalf of a doctor tries break-glass",
        case={
            "id": "E32",
            "registrations": [{"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"}],
            "request": {
                "role": "HP",
                "actor_id": "AS-3",
                "on_behalf_of": "HP-1",
                "override": {"reason": "VITAL_INTEREST", "text": "Doctor asked me to open it now"},
            },
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="DENY",
        code="D-BG-ROLE",
        obligations=["ALERT", "LOG"],
    ),
    Example(
        no="E33",
        fact="New patient in the emergency room: relation declared, not yet in the registers",
        case={"id": "E33", "request": {"role": "HP", "relation": "DECLARED"}},
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-TREATMENT-FOLLOWUP",
        obligations=["FOLLOW_UP_RELATION", "LOG", "MINLOG"],
    ),
    Example(
        no="E34",
        fact="Doctor with no relation and none declared",
        case={"id": "E34", "request": {"role": "HP", "relation": "NONE"}},
        patient_feed="P-OK",
        repository="P-OK",
        decision="DENY",
        code="D-NO-RELATION",
        obligations=["LOG"],
    ),
    Example(
        no="E35",
        fact="Mother reads the note of her 8-year-old",
        case={
            "id": "E35",
            "patient": {
                "birth_date": "2018-09-03",
                "guardians": [{"id": "G-MOM", "custody_from": "2018-09-03T00:00:00+02:00"}],
            },
            "request": {"role": "GUARDIAN", "actor_id": "G-MOM"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-GUARDIAN",
        obligations=["LOG", "MINLOG"],
    ),
    Example(
        no="E36",
        fact="Father without custody tries the same",
        case={
            "id": "E36",
            "patient": {
                "birth_date": "2018-09-03",
                "guardians": [{"id": "G-MOM", "custody_from": "2018-09-03T00:00:00+02:00"}],
            },
            "request": {"role": "GUARDIAN", "actor_id": "G-DAD"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="DENY",
        code="D-NO-CUSTODY",
        obligations=["LOG"],
    ),
    Example(
        no="E37",
        fact="14-year-old, contraception note, mother asks",
        case={
            "id": "E37",
            "patient": {
                "birth_date": "2012-06-01",
                "guardians": [{"id": "G-MOM", "custody_from": "2012-06-01T00:00:00+02:00"}],
            },
            "note": {"markings": {"sensitive": ["REPRO"]}},
            "request": {"role": "GUARDIAN", "actor_id": "G-MOM"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="DENY",
        code="D-GUARDIAN-SENSITIVE",
        obligations=["LOG", "NEUTRAL"],
    ),
    Example(
        no="E38",
        fact="Mother asks on the morning of the 15th birthday",
        case={
            "id": "E38",
            "patient": {
                "birth_date": "2012-02-10",
                "guardians": [{"id": "G-MOM", "custody_from": "2012-02-10T00:00:00+01:00"}],
            },
            "request": {"role": "GUARDIAN", "actor_id": "G-MOM"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="DENY",
        code="D-GUARDIAN-15-PLUS",
        obligations=["LOG"],
    ),
    Example(
        no="E39",
        fact="Daughter with digital power of attorney for her father",
        case={
            "id": "E39",
            "patient": {
                "birth_date": "1948-10-10",
                "proxies": [
                    {
                        "id": "X-DAU",
                        "from": "2026-05-01T00:00:00+02:00",
                        "to": None,
                        "scope": ["JOURNAL_NOTES"],
                    }
                ],
            },
            "request": {"role": "PROXY", "actor_id": "X-DAU"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="PERMIT",
        code="D-OK-PROXY",
        obligations=["LOG", "MINLOG"],
    ),
    Example(
        no="E40",
        fact="Researcher with an approved project",
        case={
            "id": "E40",
            "request": {"role": "RESEARCHER", "actor_id": "RS-1", "purpose": "RESEARCH"},
        },
        patient_feed="P-OK",
        repository="P-OK",
        decision="DENY",
        code="D-RESEARCH-NEVER",
        obligations=["ALERT", "LOG"],
    ),
]

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=Example.title)


def publication(expected: str) -> dict[str, str | None]:
    """What `P-HOLD-MIDNIGHT@2027-02-01T23:00:00Z` says about a destination."""
    code, _, until = expected.partition("@")
    (decision,) = {d for prefix, d in DECISION_OF_PREFIX.items() if code.startswith(prefix)}
    return {"decision": decision, "code": code, "until": until or None}


def test_all_forty_examples_are_here() -> None:
    assert [example.no for example in EXAMPLES] == [f"E{n:02d}" for n in range(1, 41)]


@every_example
def test_the_answer_bears_the_number_of_the_case(example: Example) -> None:
    assert decide_case(example.case)["id"] == example.no


@every_example
def test_the_patient_feed_is_as_the_example_says(example: Example) -> None:
    assert decide_case(example.case)["patient_feed"] == publication(example.patient_feed)


@every_example
def test_the_professional_repository_is_as_the_example_says(example: Example) -> None:
    answer = decide_case(example.case)
    assert answer["professional_repository"] == publication(example.repository)


@every_example
def test_the_reader_gets_the_answer_of_the_example(example: Example) -> None:
    disclosure = decide_case(example.case)["disclosure"]
    assert (disclosure["decision"], disclosure["code"]) == (example.decision, example.code)


@every_example
def test_the_obligations_are_those_of_the_example(example: Example) -> None:
    assert decide_case(example.case)["disclosure"]["obligations"] == example.obligations
