"""The canonical note: exact round trip, same content, nothing of a person in a repr."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappers.errors import MappersError, MappingError, MissingField, TextWouldBeLost, UnknownCode
from mappers.note import (
    MARKING_NAMES,
    Author,
    JournalNote,
    Markings,
    NoteText,
    Organization,
    Patient,
    content_key,
    note_from_bytes,
    note_to_bytes,
)

WINTER = timezone(timedelta(hours=1))

NOTE = JournalNote(
    source_note_id="xmo-4711",
    version=2,
    status="final",
    patient=Patient("3001749995", ("Niels", "Test"), "Vendelboe", date(1974, 1, 30), "male"),
    organization=Organization("61741000016007", "077410", "Lægerne Hasseris Bymidte"),
    author=Author(
        "urn:uuid:6d2b9a3e-0c5f-4d0a-9a53-0d3a8f6a1b11",
        ("Sidsel",),
        "Andersen",
        "speciallaegeipraksis",
        None,
        "ZTA01",
    ),
    author_name_protected=False,
    encounter_id=None,
    contact_type="consultation",
    icpc2=("T90",),
    ai_assisted=False,
    created_at=datetime(2026, 12, 10, 10, 0, tzinfo=WINTER),
    ended_at=None,
    completed_at=datetime(2026, 12, 10, 10, 12, 0, 250, tzinfo=WINTER),
    last_entry_at=datetime(2026, 12, 10, 9, 12, tzinfo=UTC),
    safety_correction=False,
    text=NoteText("text/html", "<p>Årskontrol</p>"),
    markings=Markings(),
)

moments = st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(2199, 12, 30)).flatmap(
    lambda naive: st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    )
)
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
maybe = st.none() | words
marks = st.builds(
    Markings,
    do_not_share=st.booleans(),
    hide_from_professionals=st.booleans(),
    delay_until=st.none() | moments,
    hide_from_patient=maybe,
    sensitive=st.lists(words, max_size=3).map(tuple),
    guardian_ok=st.booleans(),
    named=st.frozensets(st.sampled_from(MARKING_NAMES)),
)
notes = st.builds(
    JournalNote,
    source_note_id=words,
    version=st.integers(1, 2**31 - 1),
    status=st.sampled_from(["draft", "final"]),
    patient=st.builds(
        Patient,
        cpr=words,
        given=st.lists(words).map(tuple),
        family=words,
        birth_date=st.dates(),
        gender=words,
    ),
    organization=st.builds(Organization, sor_code=words, provider_number=maybe, name=words),
    author=st.none()
    | st.builds(
        Author,
        id=maybe,
        given=st.lists(words).map(tuple),
        family=maybe,
        role=maybe,
        role_text=maybe,
        authorization_id=maybe,
    ),
    author_name_protected=st.booleans(),
    encounter_id=maybe,
    contact_type=words,
    icpc2=st.lists(words, max_size=3).map(tuple),
    ai_assisted=st.booleans(),
    created_at=moments,
    ended_at=st.none() | moments,
    completed_at=moments,
    last_entry_at=st.none() | moments,
    safety_correction=st.booleans(),
    text=st.builds(NoteText, content_type=st.just("text/html"), html=words),
    markings=marks,
)


@given(notes)
def test_a_note_survives_its_bytes_exactly(note: JournalNote) -> None:
    data = note_to_bytes(note)
    again = note_from_bytes(data)
    assert again == note
    assert again.created_at.utcoffset() == note.created_at.utcoffset()
    assert again.markings.named == note.markings.named
    assert note_to_bytes(again) == data


@given(notes, marks)
def test_markings_do_not_count_as_content(note: JournalNote, markings: Markings) -> None:
    assert content_key(dataclasses.replace(note, markings=markings)) == content_key(note)


def test_times_are_compared_as_instants() -> None:
    moved = dataclasses.replace(
        NOTE,
        created_at=NOTE.created_at.astimezone(UTC),
        completed_at=NOTE.completed_at.astimezone(UTC),
    )
    assert content_key(moved) == content_key(NOTE)
    assert note_to_bytes(moved) != note_to_bytes(NOTE)


@pytest.mark.parametrize(
    "change",
    [
        {"source_note_id": "xmo-4712"},
        {"version": 3},
        {"status": "draft"},
        {"author": None},
        {"author_name_protected": True},
        {"encounter_id": "urn:uuid:6d2b9a3e-0c5f-4d0a-9a53-0d3a8f6a1b11"},
        {"contact_type": "phone"},
        {"icpc2": ()},
        {"ai_assisted": True},
        {"created_at": NOTE.created_at + timedelta(microseconds=1)},
        {"ended_at": NOTE.completed_at},
        {"completed_at": NOTE.completed_at + timedelta(seconds=1)},
        {"last_entry_at": None},
        {"safety_correction": True},
        {"text": NoteText("text/html", "<p>Årskontrol.</p>")},
        {"patient": dataclasses.replace(NOTE.patient, family="Testesen")},
        {"organization": dataclasses.replace(NOTE.organization, name="Andre")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_other_difference_is_other_content(change: dict[str, object]) -> None:
    assert content_key(dataclasses.replace(NOTE, **change)) != content_key(NOTE)  # type: ignore[arg-type]


def test_no_cpr_name_or_text_shows_in_a_repr() -> None:
    shown = repr(NOTE) + str(NOTE)
    for secret in ("3001749995", "300174", "Vendelboe", "Niels", "Årskontrol", "Andersen", "T90"):
        assert secret not in shown
    assert "xmo-4711" in shown


def test_a_marking_is_given_as_json() -> None:
    markings = Markings(
        do_not_share=True,
        delay_until=datetime(2027, 1, 2, 8, tzinfo=WINTER),
        hide_from_patient="SL37_4_PRE2010",
        sensitive=("PSY", "HIV"),
    )
    assert {name: markings.value_of(name) for name in MARKING_NAMES} == {
        "do_not_share": True,
        "hide_from_professionals": False,
        "third_party_confidential": False,
        "delay_until": "2027-01-02T08:00:00+01:00",
        "hide_from_patient": {"basis": "SL37_4_PRE2010"},
        "hide_from_guardian": False,
        "sensitive": ["PSY", "HIV"],
        "guardian_ok": False,
        "patient_confirmed_feed": False,
    }
    assert Markings().value_of("delay_until") is None
    assert Markings().value_of("hide_from_patient") is None
    with pytest.raises(KeyError):
        markings.value_of("named")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", note_to_bytes(NOTE).replace(b"2026", b"x")]
)
def test_other_bytes_are_refused_without_quoting_them(data: bytes) -> None:
    with pytest.raises(MappingError) as caught:
        note_from_bytes(data)
    assert "3001749995" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_each_error_says_who_acts() -> None:
    codes = {kind.code for kind in (MappersError, MappingError, UnknownCode, MissingField)}
    assert codes | {TextWouldBeLost.code} == {
        "MAPPERS",
        "MAPPING",
        "UNKNOWN-CODE",
        "MISSING-FIELD",
        "TEXT-WOULD-BE-LOST",
    }
    error = MissingField("$.author.id", "the document demands it")
    assert (error.retry, error.actor, error.path) == ("no", "operator", "$.author.id")
