"""Identifiers: what is taken, what is refused, and that nothing leaks when printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsp_client.errors import InvalidIdentifier
from nsp_client.identifiers import (
    Cpr,
    DocumentUniqueId,
    Oid,
    ProviderNumber,
    SorCode,
    comparable_unique_id,
    is_oid,
    is_replacement_cpr,
    is_urn_uuid,
    oid_from_uuid,
)
from nsp_client.masking import mask_cprs

UUID_TEXT = "07585abe-9862-489d-8fa6-0a64e2eaccb0"


@pytest.mark.parametrize("value", ["3001749995", "2902991234", "3112999999", "0101000000"])
def test_a_day_and_month_and_six_digits_are_a_cpr(value: str) -> None:
    assert Cpr(value).value == value


@pytest.mark.parametrize(
    "value",
    [
        "300174-9995",
        "3002741234",
        "3104991234",
        "9001749995",
        "0000000000",
        "300174AB12",
        "300174999",
        "30017499955",
        "",
        "３001749995",
        "3001749995\n",
        " 3001749995",
        "3013741234",
    ],
)
def test_everything_else_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(InvalidIdentifier) as caught:
        Cpr(value)
    assert not value.strip() or value.strip() not in str(caught.value)


def test_a_printed_cpr_is_masked_wherever_it_stands() -> None:
    @dataclass(frozen=True)
    class Holder:
        cpr: Cpr

    cpr = Cpr("3001749995")
    for printed in (str(cpr), repr(cpr), f"{cpr}", f"{cpr!r}", repr(Holder(cpr)), str([cpr])):
        assert "9995" not in printed
        assert "300174****" in printed
    assert cpr.cx == "3001749995^^^&1.2.208.176.1.2&ISO"


def test_equal_numbers_are_equal_and_hash_alike() -> None:
    assert {Cpr("3001749995"), Cpr("3001749995")} == {Cpr("3001749995")}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3001741AB5", True),
        ("3001747AB5", True),
        ("300174AB12", True),
        ("300174-5AB2", True),
        ("9001749995", True),
        ("6101749995", True),
        ("3001749995", False),
        ("9201749995", False),
        ("hello", False),
        ("", False),
    ],
)
def test_replacement_numbers_are_recognised(value: str, expected: bool) -> None:
    assert is_replacement_cpr(value) is expected


def test_a_refused_replacement_number_is_called_one() -> None:
    with pytest.raises(InvalidIdentifier, match="replacement"):
        Cpr("9001749995")


@pytest.mark.parametrize("value", ["077410", "999991", "6174100001", "61741000016007x", ""])
def test_a_provider_number_is_no_sor_code(value: str) -> None:
    with pytest.raises(InvalidIdentifier):
        SorCode(value)


def test_sor_and_provider_number_keep_their_text() -> None:
    assert SorCode("61741000016007").value == "61741000016007"
    assert ProviderNumber("077410").value == "077410"
    with pytest.raises(InvalidIdentifier):
        ProviderNumber("77410")


@pytest.mark.parametrize(
    "value", ["1.2.208.176.8.1", "2.25.340282366920938463463374607431768211455"]
)
def test_oids(value: str) -> None:
    assert Oid(value).urn == f"urn:oid:{value}"


@pytest.mark.parametrize(
    "value", ["urn:oid:1.2.3", "1.02.3", "3.1", "1", "1..2", "1.2.", "", "1.2." + "3" * 64, "1.2\n"]
)
def test_what_is_no_bare_oid_is_refused(value: str) -> None:
    assert not is_oid(value)
    with pytest.raises(InvalidIdentifier):
        Oid(value)


@given(st.uuids())
@settings(max_examples=30)
def test_a_uuid_as_oid_is_valid_and_reversible(uuid: UUID) -> None:
    oid = oid_from_uuid(uuid)
    assert UUID(int=int(oid.value.removeprefix("2.25."))) == uuid


def test_both_forms_of_a_unique_id_find_the_same_note() -> None:
    by_urn = DocumentUniqueId.from_uuid(UUID(UUID_TEXT))
    by_oid = DocumentUniqueId.oid_caret(Oid("1.2.208.184"), UUID(UUID_TEXT))
    assert by_urn != by_oid
    assert by_urn.comparable == by_oid.comparable == UUID_TEXT
    assert comparable_unique_id("1.2.3^0007.1") == "1.2.3^0007.1"


@pytest.mark.parametrize("value", ["", "a b", "x" * 129, "æ", "a\n"])
def test_a_unique_id_is_printable_ascii_without_blanks(value: str) -> None:
    with pytest.raises(InvalidIdentifier):
        DocumentUniqueId(value)


def test_a_urn_uuid_is_known_in_any_letter_case() -> None:
    assert is_urn_uuid(f"urn:uuid:{UUID_TEXT.upper()}")
    assert not is_urn_uuid(UUID_TEXT)


@given(st.from_regex(re.compile(r"(0[1-9]|1[0-9])(0[1-9]|1[0-2])[0-9]{6}"), fullmatch=True))
@settings(max_examples=50)
def test_a_cpr_in_a_text_is_masked(number: str) -> None:
    day, tail = number[:6], number[6:]
    for shape in ("patient {} er ukendt", "({})", "CPR{}", "{}^^^&1.2&ISO", "ukendt.{}."):
        assert mask_cprs(shape.format(number)) == shape.format(f"{day}****")
        assert mask_cprs(shape.format(f"{day}-{tail}")) == shape.format(f"{day}****")


@given(st.uuids())
@settings(max_examples=100)
def test_a_uuid_in_a_text_is_left_alone(uuid: UUID) -> None:
    assert mask_cprs(f"urn:uuid:{uuid}") == f"urn:uuid:{uuid}"


def test_an_oid_in_a_text_is_left_alone() -> None:
    text = "1.2.208.176.1234567890.8 and 2.25.71033041298736455120018"
    assert mask_cprs(text) == text
