"""Id cards: shape, times, what the schema says, and reading real ones."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from nsp_client.dgws.card_request import build_system_card, build_user_card, new_card_id
from nsp_client.dgws.card_verifier import CardVerifier
from nsp_client.dgws.id_card import (
    CareProvider,
    IdCard,
    SystemIdCard,
    UserIdCard,
    parse_id_card,
    verify_id_card,
)
from nsp_client.errors import MalformedMessage, UntrustedSignature
from nsp_client.identifiers import Cpr
from nsp_client.signing.xmldsig import CardAlgorithm
from tests.unit.nsp_client.cards import (
    CARD_ID,
    DOCTOR,
    PROVIDER,
    SAML,
    assertion_of,
    in_envelope,
    shape,
    sts_card,
    system_card,
    user_card,
)
from tests.unit.nsp_client.throwaway_keys import NOW, SHARED, gateway_key, sts_key, sts_trust


def parse(xml: bytes) -> IdCard:
    return parse_id_card(etree.fromstring(xml))


def shared_assertion(name: str) -> etree._Element:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the shared NSP examples are not beside this checkout")
    return next(etree.fromstring(path.read_bytes()).iter(f"{{{SAML}}}Assertion"))


def test_a_system_card_says_who_calls() -> None:
    card = system_card()
    assert isinstance(card, SystemIdCard)
    assert (card.card_id, card.version, card.security_level) == (CARD_ID, "1.0.1", 3)
    assert card.issuer == "NotatGateway"
    assert (card.name_id.format, card.name_id.value) == ("medcom:cvrnumber", "44000004")
    assert card.care_provider == PROVIDER
    assert card.care_provider.cvr == "44000004"
    assert card.it_system_name == "Journaldeling"
    assert card.certificate_hash == b64encode(gateway_key().certificate_sha1).decode()


def test_a_user_card_says_who_the_person_is() -> None:
    card = user_card()
    assert isinstance(card, UserIdCard)
    assert card.security_level == 4
    assert card.user == DOCTOR
    assert (card.name_id.format, card.name_id.value) == ("medcom:cprnumber", "1103689993")


def test_a_card_starts_five_minutes_ago_and_lives_a_day() -> None:
    card = system_card()
    assert card.issued_at == card.not_before == NOW - timedelta(minutes=5)
    assert card.not_on_or_after == card.not_before + timedelta(hours=24)
    assert card.times_in_utc
    assert card.age(NOW) == timedelta(minutes=5)
    assert card.usable_until() == card.not_on_or_after
    assert card.usable_until(timedelta(minutes=480)) == card.issued_at + timedelta(minutes=480)


def test_the_hash_follows_the_algorithm() -> None:
    card = build_system_card(
        gateway_key(),
        at=NOW,
        issuer="X",
        it_system_name="Y",
        care_provider=PROVIDER,
        card_id=CARD_ID,
        algorithm=CardAlgorithm.RSA_SHA256,
    )
    assert card.certificate_hash == b64encode(gateway_key().certificate_sha256).decode()


def test_card_ids_are_sixteen_random_bytes() -> None:
    assert len(b64decode(new_card_id())) == 16
    assert new_card_id() != new_card_id()


def test_an_issuer_the_schema_forbids_and_a_user_without_cpr_are_refused() -> None:
    with pytest.raises(ValueError, match="issuer"):
        build_system_card(
            gateway_key(),
            at=NOW,
            issuer="to ord",
            it_system_name="Y",
            care_provider=PROVIDER,
            card_id=CARD_ID,
        )
    with pytest.raises(ValueError, match="CPR"):
        build_user_card(
            gateway_key(),
            at=NOW,
            issuer="X",
            it_system_name="Y",
            care_provider=PROVIDER,
            user=replace(DOCTOR, cpr=None),
            card_id=CARD_ID,
        )


def test_hostile_text_stays_text() -> None:
    provider = CareProvider("44000004", "medcom:cvrnumber", '<x/>&"]]>\r\n')
    card = system_card(provider=provider)
    assert card.care_provider.name == '<x/>&"]]>'
    assert parse(card.xml).care_provider == card.care_provider


@pytest.mark.parametrize("card", ["system", "user"])
def test_our_cards_are_valid_by_the_published_schema(card: str) -> None:
    if not (SHARED / "dgws" / "saml.xsd").exists():
        pytest.skip("the DGWS schemas are not beside this checkout")
    schema = etree.XMLSchema(etree.parse(SHARED / "dgws" / "saml.xsd"))
    xml = system_card().xml if card == "system" else user_card().xml
    schema.assertValid(etree.fromstring(xml))


@pytest.mark.parametrize("kind", ["system", "user"])
def test_our_cards_have_the_shape_of_the_published_examples(kind: str) -> None:
    example = shared_assertion(f"examples/sts-issue-{kind}-request.xml")
    user = replace(DOCTOR, authorization_code=None)
    ours = system_card() if kind == "system" else user_card(user=user)
    assert shape(etree.fromstring(ours.xml)) == shape(example)


@pytest.mark.parametrize(
    ("name", "kind", "level", "cvr"),
    [
        ("examples/sts-issue-system-request.xml", SystemIdCard, 3, "44000004"),
        ("examples/sts-issue-system-response.xml", SystemIdCard, 3, "44000004"),
        ("examples/sts-issue-user-request.xml", UserIdCard, 4, "33000003"),
        ("examples/sts-issue-user-response.xml", UserIdCard, 4, "33000003"),
        ("examples/minlog2-request.xml", SystemIdCard, 3, "44000004"),
        ("samples/sts-request-1.xml", UserIdCard, 4, None),
        ("samples/sts-request-2.xml", UserIdCard, 4, None),
        ("samples/sts-response-1.xml", UserIdCard, 4, None),
        ("samples/kat/sts-issue-system-request.xml", SystemIdCard, 3, None),
        ("samples/kat/sts-issued-system-card-call.xml", SystemIdCard, 3, None),
        ("samples/recorded/iti41-request-soap.xml", SystemIdCard, 3, None),
        ("samples/recorded/iti18-request.xml", SystemIdCard, 3, None),
    ],
)
def test_examples_and_recorded_cards_are_read(
    name: str, kind: type[IdCard], level: int, cvr: str | None
) -> None:
    card = parse_id_card(shared_assertion(name))
    assert isinstance(card, kind)
    assert card.security_level == level
    assert card.version == "1.0.1"
    assert card.times_in_utc
    assert card.not_on_or_after - card.not_before == timedelta(hours=24)
    assert cvr is None or card.care_provider.cvr == cvr
    if isinstance(card, UserIdCard) and "response" in name:
        assert card.user.cpr is not None


def test_numbers_and_names_of_persons_do_not_show_in_a_repr() -> None:
    text = repr(user_card())
    assert "1103689993" not in text
    assert "Prøvedal" not in text


def test_a_time_without_zone_is_danish_and_marked() -> None:
    xml = system_card().xml.replace(b"2027-03-01T07:55:00Z", b"2027-03-01T08:55:00")
    card = parse(xml)
    assert card.issued_at == datetime(2027, 3, 1, 7, 55, tzinfo=UTC)
    assert not card.times_in_utc
    offset = system_card().xml.replace(b"2027-03-01T07:55:00Z", b"2027-03-01T08:55:00+01:00")
    assert parse(offset).issued_at == datetime(2027, 3, 1, 7, 55, tzinfo=UTC)
    assert not parse(offset).times_in_utc


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'id="IDCard"', b'id="Kort"'),
        (b"sosi:IDCardID", b"sosi:Other"),
        (b"medcom:ITSystemName", b"medcom:Other"),
        (b"medcom:CareProviderID", b"medcom:Other"),
        (b">system<", b">machine<"),
        (b">3<", b">9<"),
        (b"saml:Issuer>", b"saml:Issuer2>"),
        (b"saml:Conditions", b"saml:Conditions2"),
        (b"2027-03-01T07:55:00Z", b"i gaar"),
        (b'"sosi:IDCardVersion"', b'"sosi:IDCardID"'),
    ],
)
def test_cards_with_a_part_missing_or_unreadable_are_refused(old: bytes, new: bytes) -> None:
    xml = system_card().xml
    assert old in xml
    with pytest.raises(MalformedMessage):
        parse(xml.replace(old, new))


def test_an_unreadable_cpr_number_is_refused_without_repeating_it() -> None:
    xml = user_card().xml.replace(b">1103689993</saml:Attr", b">9903689993</saml:Attr")
    with pytest.raises(MalformedMessage) as refused:
        parse(xml)
    assert "9903689993" not in str(refused.value)


def test_too_many_attributes_are_refused() -> None:
    flood = b"".join(
        b'<saml:Attribute Name="x%d"><saml:AttributeValue>1</saml:AttributeValue></saml:Attribute>'
        % number
        for number in range(60)
    )
    xml = system_card().xml.replace(b'id="SystemLog">', b'id="SystemLog">' + flood)
    with pytest.raises(MalformedMessage):
        parse(xml)


def test_a_verified_card_is_read_from_the_signed_bytes() -> None:
    header = in_envelope(sts_card(user=DOCTOR))
    verified = verify_id_card(assertion_of(header), sts_trust(), NOW)
    assert isinstance(verified.card, UserIdCard)
    assert verified.card.user.cpr == Cpr("1103689993")
    assert verified.card.issuer == "PROEVE-STS"
    assert verified.signer == sts_key().certificate
    assert verified.card.xml == sts_card(user=DOCTOR)


def test_a_card_survives_being_sent_on_as_it_is() -> None:
    first = verify_id_card(assertion_of(in_envelope(sts_card())), sts_trust(), NOW).card
    again = verify_id_card(assertion_of(in_envelope(first.xml, prefix="q")), sts_trust(), NOW)
    assert again.card == first


# --- Remembered cards -----------------------------------------------------------------


def test_a_remembered_card_is_the_same_and_no_excuse_for_the_message_around_it() -> None:
    verifier = CardVerifier(sts_trust())
    first = verifier.verify(assertion_of(in_envelope(sts_card())), NOW)
    assert verifier.verify(assertion_of(in_envelope(sts_card(), prefix="b")), NOW) is first
    second_bearer = in_envelope(sts_card(), extra_header=b'<x id="IDCard"/>')
    with pytest.raises(UntrustedSignature):
        verifier.verify(assertion_of(second_bearer), NOW)
    with pytest.raises(UntrustedSignature):
        verifier.verify(
            assertion_of(in_envelope(sts_card())), sts_key().not_after + timedelta(seconds=1)
        )


def test_a_changed_card_is_never_taken_for_a_remembered_one() -> None:
    verifier = CardVerifier(sts_trust())
    verifier.verify(assertion_of(in_envelope(sts_card())), NOW)
    card = sts_card()
    value = card.index(b"<ds:SignatureValue>") + len(b"<ds:SignatureValue>")
    flipped = b"B" if card[value : value + 1] == b"A" else b"A"
    for changed in (
        card.replace(b"44000004<", b"33000003<"),
        card[:value] + flipped + card[value + 1 :],
    ):
        with pytest.raises(UntrustedSignature):
            verifier.verify(assertion_of(in_envelope(changed)), NOW)


def test_memory_is_bounded() -> None:
    verifier = CardVerifier(sts_trust(), remembered=2)
    cards = [sts_card(at=NOW + timedelta(seconds=second)) for second in range(3)]
    results = [verifier.verify(assertion_of(in_envelope(card)), NOW) for card in cards]
    assert verifier.verify(assertion_of(in_envelope(cards[2])), NOW) is results[2]
    assert verifier.verify(assertion_of(in_envelope(cards[0])), NOW) is not results[0]
