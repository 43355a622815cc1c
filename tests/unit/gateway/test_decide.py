"""The versions of a note in relation to each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from gateway.pipeline.decide import decide_note
from gateway.pipeline.markings import DEFAULT_MARKINGS
from gateway.pipeline.note_view import note_view
from gateway.pipeline.records import (
    NoteRecord,
    PatientRecord,
    PracticeRecord,
    StoredDecision,
    VersionFacts,
    VersionRecord,
)
from gateway.states import VersionState

START = datetime(2026, 12, 1, tzinfo=UTC)


def _day(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 12, day, hour, tzinfo=UTC)


def _version(number: int, completed_at: datetime, **facts: object) -> VersionRecord:
    base = VersionFacts(
        status="final",
        contact_type="consultation",
        created_at=_day(2),
        completed_at=completed_at,
        last_entry_at=None,
        safety_correction=False,
        delay_until=None,
        author_org="61741000016007",
        author_name_protected=False,
        sensitive=(),
    )
    return VersionRecord(
        number,
        VersionState.DOCUMENTED,
        completed_at,
        replace(base, **facts),  # type: ignore[arg-type]
        b"",
        b"",
        0,
        False,
    )


def _note(*versions: VersionRecord, **changes: object) -> NoteRecord:
    note = NoteRecord(
        note_id=uuid4(),
        source_note_id="n",
        practice=PracticeRecord(uuid4(), "61741000016007", "077410", "L", True, START, False),
        patient=PatientRecord(uuid4(), b"", None, False, START),
        newest_version=versions[-1].version,
        markings=dict(DEFAULT_MARKINGS),
        markings_revision=1,
        withdrawn_at=None,
        next_due=None,
        versions=versions,
    )
    return replace(note, **changes)  # type: ignore[arg-type]


def _codes(note: NoteRecord, now: datetime) -> dict[int, tuple[str, str, str]]:
    decided = decide_note(note, now)
    return {
        number: (each.patient_feed.code, each.professional_repository.code, each.national.code)
        for number, each in decided.publications.items()
    }


def test_a_fresh_note_waits_for_midnight_and_that_is_when_it_is_due() -> None:
    note = _note(_version(1, _day(10)))
    decided = decide_note(note, _day(10, 12))
    assert decided.national_version is None
    assert decided.next_due == _day(10, 23)  # midnight in Copenhagen
    assert decide_note(note, _day(10, 23)).national_version == 1


def test_the_old_version_stays_until_the_new_one_is_released() -> None:
    note = _note(_version(1, _day(10)), _version(2, _day(12)))
    assert _codes(note, _day(12, 22))[1] == ("P-OK", "P-OK", "P-OK")
    after = _codes(note, _day(12, 23))
    assert after[1] == ("P-REMOVED-SUPERSEDED",) * 3
    assert after[2] == ("P-OK", "P-OK", "P-OK")


def test_a_delayed_second_version_does_not_keep_the_first_alive_beside_a_released_third() -> None:
    note = _note(
        _version(1, _day(10)),
        _version(2, _day(11), delay_until=_day(30)),
        _version(3, _day(12)),
    )
    codes = _codes(note, _day(14))
    assert [codes[number][0] for number in (1, 2, 3)] == [
        "P-REMOVED-SUPERSEDED",
        "P-REMOVED-SUPERSEDED",
        "P-OK",
    ]


def test_a_draft_takes_nothing_over() -> None:
    note = _note(_version(1, _day(10)), _version(2, _day(11), status="draft"))
    codes = _codes(note, _day(14))
    assert codes[1] == ("P-OK", "P-OK", "P-OK")
    assert codes[2][0] == "P-HOLD-DRAFT"


def test_do_not_share_reaches_every_version_and_the_national_destination() -> None:
    note = _note(_version(1, _day(10)), markings={**DEFAULT_MARKINGS, "do_not_share": True})
    decided = decide_note(note, _day(14))
    assert decided.national_version is None
    assert _codes(note, _day(14))[1][:2] == ("P-WITHHELD-DO-NOT-SHARE",) * 2


def test_a_withdrawn_note_is_removed_everywhere() -> None:
    note = _note(_version(1, _day(10)), withdrawn_at=_day(11))
    assert _codes(note, _day(14))[1] == ("P-REMOVED-WITHDRAWN",) * 3


def test_a_derived_category_keeps_a_note_from_the_national_service_alone() -> None:
    note = _note(_version(1, _day(10), sensitive=("HIV",)))
    assert _codes(note, _day(14))[1] == ("P-OK", "P-OK", "P-WITHHELD-NATIONAL")


def test_only_one_version_is_ever_meant_for_the_national_service() -> None:
    note = _note(_version(1, _day(10)), _version(2, _day(12)), _version(5, _day(13)))
    assert decide_note(note, _day(20)).national_version == 5


def test_a_version_without_a_document_is_not_told_to_be_present() -> None:
    published = StoredDecision("PUBLISH", "P-OK", None)
    for state, told in ((VersionState.DOCUMENTED, "present"), (VersionState.PARKED, "parked")):
        version = replace(_version(1, _day(2)), state=state)
        doors = ("patient_feed", "professional_repository")
        note = _note(version, decisions={(1, door): published for door in doors})
        destinations = note_view(note, {})["destinations"]
        assert [destinations[door]["delivery"] for door in doors] == [told, told]
