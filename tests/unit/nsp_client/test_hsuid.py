"""HSUID: written right, read loosely, and never believed against the card."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from nsp_client.dgws.id_card import CardUser, CareProvider, IdCard, parse_id_card
from nsp_client.errors import DgwsFault, MalformedMessage
from nsp_client.hsuid import (
    CHILD_CUSTODY_HOLDER,
    HSUID,
    HSUID_2013,
    OWN_DATA,
    PROXY_HOLDER,
    HsuidHeader,
    OrgFormat,
    ReaderKind,
    UserType,
    check_hsuid,
    read_hsuid,
    write_hsuid,
)
from nsp_client.identifiers import Cpr
from nsp_client.soap.envelope import SoapVersion, build_envelope, parse_envelope
from tests.unit.nsp_client.cards import DOCTOR, PROVIDER, sts_issue, system_card, user_card
from tests.unit.nsp_client.throwaway_keys import NOW, SHARED

DOCTOR_CPR = Cpr("1103689993")
SECRETARY = Cpr("0809829996")
PATIENT = Cpr("2406799994")
CHILD = Cpr("1706149994")
PORTALS = frozenset({"44000004"})

PROFESSIONAL = HsuidHeader(
    user_type=UserType.HEALTHCARE_PROFESSIONAL,
    acting_cpr=DOCTOR_CPR,
    responsible_cpr=DOCTOR_CPR,
    responsible_authorization_code="ZTA01",
    org_using_id="999111000016003",
    org_using_id_format=OrgFormat.SOR,
    citizen_cpr=PATIENT,
    system_owner_name="Notatdeling ApS",
    system_name="Journaldeling",
    system_version="1.4.0",
    org_responsible_name="Lægehuset Prøvebakken",
)
CITIZEN = HsuidHeader(
    user_type=UserType.CITIZEN,
    acting_cpr=PATIENT,
    citizen_cpr=PATIENT,
    citizen_user_relation=OWN_DATA,
    system_owner_name="Notatdeling ApS",
    system_name="Journaldeling",
    system_version="1.4.0",
    org_responsible_name="Lægehuset Prøvebakken",
)


def read(block: bytes) -> HsuidHeader | None:
    envelope = build_envelope(SoapVersion.SOAP11, block, b'<x xmlns="urn:x"/>')
    return read_hsuid(parse_envelope(envelope).header)


def write(header: HsuidHeader) -> bytes:
    return write_hsuid(header, issued_at=NOW, issuer="Journaldeling")


def shared_bytes(name: str) -> bytes:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the shared NSP data are not beside this checkout")
    return path.read_bytes()


def card_for(cpr: Cpr = DOCTOR_CPR, **changes: str | None) -> IdCard:
    """An issued user card for someone."""
    user: CardUser = replace(DOCTOR, cpr=cpr, **changes)
    return parse_id_card(etree.fromstring(sts_issue(user_card(user=user).xml)))


def portal_card(cvr: str = "44000004") -> IdCard:
    provider = CareProvider(cvr, "medcom:cvrnumber", PROVIDER.name)
    return parse_id_card(etree.fromstring(sts_issue(system_card(provider=provider).xml)))


def kind_of(header: HsuidHeader, card: IdCard) -> ReaderKind:
    return check_hsuid(header, card, citizen_portal_cvrs=PORTALS)


def code_of(header: HsuidHeader | None, card: IdCard) -> str:
    with pytest.raises(DgwsFault) as refused:
        check_hsuid(header, card, citizen_portal_cvrs=PORTALS)
    return refused.value.fault_code


# --- Wire -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        PROFESSIONAL,
        CITIZEN,
        replace(PROFESSIONAL, consent_override=True),
        replace(PROFESSIONAL, acting_cpr=SECRETARY, org_using_id_format=OrgFormat.PROVIDER_NUMBER),
        replace(CITIZEN, citizen_user_relation=CHILD_CUSTODY_HOLDER, responsible_cpr=CHILD),
    ],
)
def test_what_is_written_is_read_back(header: HsuidHeader) -> None:
    expected = replace(header, issuer="Journaldeling", issued_at=NOW)
    assert read(write(header)) == expected


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("professional", PROFESSIONAL),
        ("professional-override", replace(PROFESSIONAL, consent_override=True)),
        (
            "professional-on-behalf",
            replace(
                PROFESSIONAL,
                acting_cpr=SECRETARY,
                org_using_id="999991",
                org_using_id_format=OrgFormat.PROVIDER_NUMBER,
            ),
        ),
        ("citizen", CITIZEN),
        (
            "citizen-for-child",
            replace(
                CITIZEN,
                responsible_cpr=CHILD,
                citizen_cpr=CHILD,
                citizen_user_relation=CHILD_CUSTODY_HOLDER,
            ),
        ),
    ],
)
def test_published_examples_say_the_same_as_ours(name: str, header: HsuidHeader) -> None:
    published = etree.fromstring(shared_bytes(f"examples/hsuid-{name}.xml"))
    found = read(etree.tostring(published))
    assert found == replace(header, issuer="Journaldeling", issued_at=NOW)
    ours = etree.fromstring(write(header))

    def facts(root: etree._Element) -> set[tuple[str | None, str | None, str | None]]:
        attributes = root.iter(f"{{{HSUID}}}Attribute")
        return {(a.get("Name"), a.get("NameFormat"), a[0].text) for a in attributes}

    assert facts(ours) == facts(published)


def test_our_header_is_valid_but_for_the_known_defect_of_the_schema() -> None:
    schema = shared_bytes("hsuid/hsuid-1_1.xsd").replace(
        b'type="tns:subjectIdentifierType" use="required"',
        b'type="tns:subjectIdentifierType" use="optional"',
    )
    checker = etree.XMLSchema(etree.fromstring(schema))
    for header in (PROFESSIONAL, CITIZEN, replace(PROFESSIONAL, consent_override=True)):
        checker.assertValid(etree.fromstring(write(header)))


@pytest.mark.parametrize(
    "name", ["recorded/iti18-request.xml", "recorded/iti43-request.xml", "dds2gateway-request.xml"]
)
def test_recorded_headers_are_read(name: str) -> None:
    data = shared_bytes(f"samples/{name}")
    header = read_hsuid(parse_envelope(data).header)
    assert header is not None
    assert header.citizen_cpr is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'id="HSUID"', b'id="hsuid"'),
        (b'id="HSUIDdata"', b'id="HSUIDData"'),
        (b' Version="2.0"', b""),
        (HSUID.encode(), HSUID_2013.encode()),
        (b"<hsuid:Issuer>Journaldeling</hsuid:Issuer>", b""),
    ],
)
def test_small_departures_of_real_senders_are_accepted(old: bytes, new: bytes) -> None:
    block = write(PROFESSIONAL)
    assert old in block
    found = read(block.replace(old, new))
    assert found is not None
    assert replace(found, issuer=None, issued_at=None) == PROFESSIONAL


@pytest.mark.parametrize(
    ("word", "meaning"), [("true", True), ("1", True), ("false", False), ("0", False), ("", False)]
)
def test_an_override_is_exactly_true(word: str, meaning: bool) -> None:
    block = write(replace(PROFESSIONAL, consent_override=True))
    found = read(block.replace(b">true<", f">{word}<".encode()))
    assert found is not None
    assert found.consent_override is meaning


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"nsi:HealthcareProfessional", b"nsi:System"),
        (b"nsi:UserType", b"nsi:Other"),
        (b"nsi:ActingUserCivilRegistrationNumber", b"nsi:Other"),
        (b"2406799994", b"9906799994"),
        (b"2406799994", b"240679-9994"),
        (b'NameFormat="nsi:sor"', b'NameFormat="nsi:other"'),
        (b' NameFormat="nsi:sor"', b""),
        (b"nsi:SystemName", b"nsi:SystemOwnerName"),
        (b">true<", b">maybe<"),
        (b"hsuid:Assertion", b"hsuid:Other"),
    ],
)
def test_unreadable_headers_are_refused_without_repeating_numbers(old: bytes, new: bytes) -> None:
    block = write(replace(PROFESSIONAL, consent_override=True))
    assert old in block
    with pytest.raises(MalformedMessage) as refused:
        read(block.replace(old, new))
    assert "6799994" not in str(refused.value)


def test_two_headers_and_a_flood_are_refused() -> None:
    block = write(PROFESSIONAL)
    with pytest.raises(MalformedMessage):
        read(block + block)
    with pytest.raises(MalformedMessage):
        read(block + block.replace(HSUID.encode(), HSUID_2013.encode()))
    flood = b"".join(b'<hsuid:Attribute Name="x%d"/>' % number for number in range(50))
    with pytest.raises(MalformedMessage):
        read(block.replace(b"</hsuid:AttributeStatement>", flood + b"</hsuid:AttributeStatement>"))


def test_a_message_without_the_header_is_none() -> None:
    assert read_hsuid(None) is None
    assert read(b'<x xmlns="urn:x"/>') is None


def test_cpr_numbers_do_not_show_in_a_repr() -> None:
    assert "9994" not in repr(CITIZEN)
    assert "9993" not in repr(PROFESSIONAL)


def test_half_an_organisation_and_an_issuer_with_spaces_can_not_be_written() -> None:
    with pytest.raises(ValueError, match="go together"):
        write(replace(PROFESSIONAL, org_using_id_format=None))
    with pytest.raises(ValueError, match="spaces"):
        write_hsuid(PROFESSIONAL, issued_at=NOW, issuer="to ord")


# --- Against the card -----------------------------------------------------------------


def test_a_doctor_reads_as_himself() -> None:
    assert kind_of(PROFESSIONAL, card_for()) is ReaderKind.PROFESSIONAL
    assert kind_of(replace(PROFESSIONAL, responsible_cpr=None), card_for()) is (
        ReaderKind.PROFESSIONAL
    )


def test_a_secretary_reads_for_the_doctor() -> None:
    header = replace(PROFESSIONAL, acting_cpr=SECRETARY)
    card = card_for(SECRETARY, authorization_code=None, role="urn:dk:healthcare:no-role")
    assert kind_of(header, card) is ReaderKind.ON_BEHALF_OF_PROFESSIONAL
    assert code_of(replace(header, responsible_authorization_code=None), card) == (
        "missing_required_header"
    )


def test_a_national_role_stands_in_for_an_authorisation() -> None:
    header = replace(PROFESSIONAL, responsible_authorization_code=None)
    role = "urn:dk:healthcare:national-federation-role:code:41002:value:SundAssistR2"
    card = card_for(authorization_code=None, role=role)
    assert kind_of(header, card) is ReaderKind.PROFESSIONAL_WITHOUT_AUTHORIZATION
    assert code_of(header, card_for(authorization_code=None)) == "not_authorized"


def test_claimed_authorisation_and_card_must_agree() -> None:
    assert code_of(replace(PROFESSIONAL, responsible_authorization_code="ZTA02"), card_for()) == (
        "not_authorized"
    )
    assert code_of(PROFESSIONAL, card_for(authorization_code=None)) == "not_authorized"
    assert code_of(replace(PROFESSIONAL, responsible_authorization_code=None), card_for()) == (
        "missing_required_header"
    )


def test_the_acting_person_is_the_cards() -> None:
    assert code_of(PROFESSIONAL, card_for(SECRETARY)) == "not_authorized"
    assert code_of(replace(PROFESSIONAL, acting_cpr=PATIENT), card_for()) == "not_authorized"


def test_a_professional_needs_a_user_card_and_names_the_organisation() -> None:
    assert code_of(PROFESSIONAL, portal_card()) == "security_level_failed"
    nowhere = replace(PROFESSIONAL, org_using_id=None, org_using_id_format=None)
    assert code_of(nowhere, card_for()) == "missing_required_header"


def test_a_citizen_reads_own_data_through_a_listed_portal() -> None:
    assert kind_of(CITIZEN, portal_card()) is ReaderKind.CITIZEN_SELF
    assert kind_of(replace(CITIZEN, responsible_cpr=PATIENT), portal_card()) is (
        ReaderKind.CITIZEN_SELF
    )
    assert code_of(CITIZEN, portal_card("33000003")) == "not_authorized"
    assert code_of(CITIZEN, card_for(PATIENT)) == "security_level_failed"


def test_own_data_means_own_data() -> None:
    assert code_of(replace(CITIZEN, citizen_cpr=CHILD), portal_card()) == "not_authorized"
    assert code_of(replace(CITIZEN, responsible_cpr=CHILD), portal_card()) == "not_authorized"


@pytest.mark.parametrize(
    ("relation", "kind"),
    [
        (CHILD_CUSTODY_HOLDER, ReaderKind.CITIZEN_FOR_CHILD_OR_WARD),
        (PROXY_HOLDER, ReaderKind.CITIZEN_BY_PROXY),
    ],
)
def test_a_citizen_reads_for_another(relation: str, kind: ReaderKind) -> None:
    header = replace(
        CITIZEN, citizen_cpr=CHILD, responsible_cpr=CHILD, citizen_user_relation=relation
    )
    assert kind_of(header, portal_card()) is kind
    for wrong in (
        replace(header, responsible_cpr=None),
        replace(header, responsible_cpr=PATIENT),
        replace(header, acting_cpr=CHILD),
    ):
        assert code_of(wrong, portal_card()) == "not_authorized"


def test_a_citizen_without_or_with_an_unknown_relation_is_refused() -> None:
    assert code_of(replace(CITIZEN, citizen_user_relation=None), portal_card()) == (
        "missing_required_header"
    )
    assert code_of(replace(CITIZEN, citizen_user_relation="nsi:Friend"), portal_card()) == (
        "not_authorized"
    )


def test_a_citizen_can_not_set_a_block_aside() -> None:
    assert code_of(replace(CITIZEN, consent_override=True), portal_card()) == "not_authorized"


def test_without_header_or_patient_nothing_is_read() -> None:
    assert code_of(None, card_for()) == "missing_required_header"
    assert code_of(replace(PROFESSIONAL, citizen_cpr=None), card_for()) == (
        "missing_required_header"
    )
