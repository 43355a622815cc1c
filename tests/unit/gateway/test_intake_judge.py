"""The judge of intake: every fault that is certain, none that is not, and one status for all."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest

from gateway.pipeline import intake_issues
from gateway.pipeline.intake_judge import (
    Claim,
    EarlierVersion,
    KnownNote,
    Standing,
    check_sender_and_clock,
    judge,
)
from gateway.pipeline.records import Forecast, Receipt
from mappers.issues import Issue, Legible, Places

NOW = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)
SOR = "61741000016007"
PLACES = Places("the source id", "the version", "the CPR number", "the SOR code", "the completion")
NIELS, KAREN = UUID(int=1), UUID(int=2)
RECEIPT = Receipt(UUID(int=3), UUID(int=4), 2, b"s", NOW, "received", (), replayed=True)
CLAIM = Claim(PLACES, 2, NIELS, b"content")
KNOWN = KnownNote(NIELS, 2, {}, is_withdrawn=False)
HERE = Standing(True, KNOWN, EarlierVersion(RECEIPT, b"content"))
WITHDRAWN = replace(KNOWN, is_withdrawn=True)


def faults(claim: Claim, standing: Standing) -> list[tuple[str, str]]:
    verdict = judge(claim, standing)
    assert not (verdict.issues and (verdict.warnings or verdict.replayed))
    return [(issue.code, issue.path) for issue in verdict.issues]


def test_a_note_that_is_new_is_taken() -> None:
    verdict = judge(replace(CLAIM, version=1), Standing(True))
    assert (verdict.issues, verdict.warnings, verdict.replayed) == ((), (), None)


@pytest.mark.parametrize(
    ("claim", "standing", "expected"),
    [
        (CLAIM, Standing(False), [("P-REJ-NOT-ENROLLED", "the SOR code")]),
        (CLAIM, replace(HERE, is_enrolled=False), [("P-REJ-NOT-ENROLLED", "the SOR code")]),
        (replace(CLAIM, content_mac=b"x"), HERE, [("VERSION-CONFLICT", "the version")]),
        (replace(CLAIM, version=1), Standing(True, KNOWN), [("VERSION-OLD", "the version")]),
        (
            replace(CLAIM, version=3),
            Standing(True, WITHDRAWN),
            [("VERSION-CONFLICT", "the source id")],
        ),
        (
            replace(CLAIM, version=3, patient_id=KAREN),
            Standing(True, KNOWN),
            [("VERSION-CONFLICT", "the CPR number")],
        ),
        # All at once.
        (
            replace(CLAIM, version=1, patient_id=KAREN),
            Standing(False, WITHDRAWN),
            [
                ("P-REJ-NOT-ENROLLED", "the SOR code"),
                ("VERSION-OLD", "the version"),
                ("VERSION-CONFLICT", "the source id"),
                ("VERSION-CONFLICT", "the CPR number"),
            ],
        ),
        (
            replace(CLAIM, content_mac=b"x"),
            replace(HERE, note=WITHDRAWN),
            [("VERSION-CONFLICT", "the version"), ("VERSION-CONFLICT", "the source id")],
        ),
    ],
)
def test_each_fault_has_its_place(
    claim: Claim, standing: Standing, expected: list[tuple[str, str]]
) -> None:
    assert faults(claim, standing) == expected


def test_the_same_content_again_gets_its_receipt_even_of_a_cancelled_note() -> None:
    for standing in (HERE, replace(HERE, note=WITHDRAWN)):
        assert judge(CLAIM, standing).replayed is RECEIPT


def test_versions_left_out_are_a_warning() -> None:
    for standing, version, expected in (
        (Standing(True), 2, 1),
        (Standing(True, KNOWN), 4, 3),
    ):
        (warning,) = judge(replace(CLAIM, version=version), standing).warnings
        assert (warning.code, warning.path) == ("VERSION-GAP", "the version")
        assert str(expected) in warning.message_da
        assert str(expected) in warning.message_en
        assert judge(replace(CLAIM, version=expected), standing).warnings == ()


@pytest.mark.parametrize(
    "claim",
    [replace(CLAIM, content_mac=None), Claim(PLACES, None, NIELS, None)],
    ids=["content unread", "version unread"],
)
def test_what_could_not_be_read_may_turn_out_right(claim: Claim) -> None:
    for note in (KNOWN, WITHDRAWN):
        standing = replace(HERE, note=note, earlier=HERE.earlier if claim.version else None)
        assert judge(claim, standing).issues == ()
        assert judge(claim, standing).replayed is None


def test_what_is_said_of_a_part_is_said_of_every_whole_it_may_be_of() -> None:
    """Whatever the unread parts turn out to be, no fault that was told goes away."""
    wholes = [
        Claim(PLACES, version, patient, content)
        for version, patient, content in product((1, 2, 3), (NIELS, KAREN), (b"content", b"x"))
    ]
    for whole, hidden, enrolled, note in product(
        wholes, product((True, False), repeat=2), (True, False), (None, KNOWN, WITHDRAWN)
    ):
        standing = _standing(whole.version, note, is_enrolled=enrolled)
        part = replace(
            whole,
            version=None if hidden[0] else whole.version,
            patient_id=None if hidden[1] else whole.patient_id,
            content_mac=None,
        )
        seen = _standing(part.version, note, is_enrolled=enrolled)
        assert set(faults(part, seen)) <= set(faults(whole, standing))


def _standing(version: int | None, note: KnownNote | None, *, is_enrolled: bool) -> Standing:
    """Version 2 is here, version 1 never came."""
    is_here = note is not None and version == note.newest_version
    return Standing(is_enrolled, note, HERE.earlier if is_here else None)


# The sender and the clock


def told(**read: object) -> list[tuple[str, str]]:
    legible = replace(Legible(PLACES), **read)  # type: ignore[arg-type]
    return [(each.code, each.path) for each in check_sender_and_clock(legible, SOR, NOW)]


def test_another_clinics_code_and_a_completion_to_come_are_told_together() -> None:
    later = NOW + timedelta(minutes=6)
    assert told(status="final", completed_at=later, sor_code="72851000016003") == [
        ("P-REJ-INVALID", "the completion"),
        ("SOR-NOT-YOURS", "the SOR code"),
    ]


def test_what_could_not_be_read_is_not_held_against_anybody() -> None:
    later = NOW + timedelta(days=1)
    assert told() == told(completed_at=later) == told(status="draft", completed_at=later) == []
    assert told(status="final", sor_code=SOR, completed_at=NOW + timedelta(minutes=5)) == []


# The status


def of(*codes: str) -> list[Issue]:
    return [Issue(code, "$", "rule", "da", "en") for code in codes]


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        (["SOR-NOT-YOURS"], 403),
        (["P-REJ-NOT-ENROLLED"], 403),
        (["VERSION-OLD"], 409),
        (["VERSION-CONFLICT"], 409),
        (["FIELD-TYPE"], 422),
        (["BODY-MALFORMED"], 422),
        (["VERSION-OLD", "FIELD-TYPE"], 422),
        (["FIELD-TYPE", "SOR-NOT-YOURS"], 403),
        (["VERSION-OLD", "P-REJ-NOT-ENROLLED"], 403),
        (["VERSION-OLD", "P-REJ-INVALID", "SOR-NOT-YOURS"], 403),
    ],
)
def test_one_status_wins_when_faults_of_several_kinds_meet(codes: list[str], status: int) -> None:
    assert intake_issues.status_of(of(*codes)) == status
    assert intake_issues.status_of(of(*reversed(codes))) == status


def test_the_table_for_vendors_says_the_same() -> None:
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d{3}) \| (.*) \|$", text, re.MULTILINE))
    listed = {
        code: int(status)
        for status in ("403", "409", "422")
        for code in re.findall("`([A-Z][A-Z0-9-]+[A-Z0-9])`", rows[status])
    }
    assert {code: status for code, status in listed.items() if status != 422} == dict(
        intake_issues.STATUS_OF
    )
    assert listed["BODY-MALFORMED"] == 422
    media_type = intake_issues.media_type_unknown(["text/x"])
    row = rows[str(intake_issues.UNKNOWN_MEDIA_TYPE)]
    assert f"`{media_type.code}` with path `{media_type.path}`" in row


def test_every_fault_is_told_in_two_languages() -> None:
    for issue in (
        intake_issues.not_enrolled("$"),
        intake_issues.sor_not_yours("$"),
        intake_issues.version_conflict("$", 1),
        intake_issues.version_old("$", 1, 2),
        intake_issues.note_withdrawn("$"),
        intake_issues.other_patient("$"),
        intake_issues.version_gap("$", 3, 2),
        intake_issues.completed_in_future("$"),
        intake_issues.media_type_unknown(["text/x"]),
        intake_issues.unstorable(),
    ):
        assert all(issue.to_json().values())
        assert issue.message_da != issue.message_en


def test_a_forecast_gives_the_status_and_the_receipt_of_the_same_content() -> None:
    assert Forecast(()).to_json() == {
        "valid": True,
        "status": 202,
        "warnings": [],
        "receipt": None,
    }
    again = Forecast((), RECEIPT).to_json()
    assert (again["status"], again["receipt"]) == (200, RECEIPT.to_json())
