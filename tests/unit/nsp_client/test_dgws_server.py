"""The order of checks: one test per code, and one per pair of neighbours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from lxml import etree

from nsp_client.dgws.card_verifier import CardVerifier
from nsp_client.dgws.header import MedcomHeader, write_medcom_header, write_security
from nsp_client.dgws.id_card import SystemIdCard, UserIdCard
from nsp_client.dgws.server import CheckedRequest, ServicePolicy, check_request
from nsp_client.errors import DgwsFault
from nsp_client.signing.xmldsig import sign_assertion
from nsp_client.soap.envelope import SoapVersion, build_envelope, parse_envelope
from tests.unit.nsp_client.cards import DOCTOR, sts_card, system_card
from tests.unit.nsp_client.throwaway_keys import NOW, false_sts_key, sts_key, sts_trust

POLICY = ServicePolicy(
    allowed_cvrs=frozenset({"44000004"}), max_age=timedelta(minutes=480), min_level=3
)
HEADER = MedcomHeader(message_id="m-1", flow_id="f-1", security_level=3)


def medcom(**changes: object) -> bytes:
    values = {"message_id": "m-1", "flow_id": "f-1", "security_level": 3} | changes
    return write_medcom_header(MedcomHeader(**values))  # type: ignore[arg-type]


def check(
    blocks: bytes, policy: ServicePolicy = POLICY, at: timedelta = timedelta(0)
) -> CheckedRequest:
    envelope = parse_envelope(build_envelope(SoapVersion.SOAP11, blocks, b'<x xmlns="urn:x"/>'))
    return check_request(envelope.header, CardVerifier(sts_trust()), policy, NOW + at)


def code_of(blocks: bytes, policy: ServicePolicy = POLICY, at: timedelta = timedelta(0)) -> str:
    with pytest.raises(DgwsFault) as refused:
        check(blocks, policy, at)
    assert refused.value.text
    return refused.value.fault_code


def request(card: bytes, header: bytes | None = None) -> bytes:
    return write_security(NOW, card) + (medcom() if header is None else header)


def issued(**changes: str) -> bytes:
    """A card that really is issued, with other attribute values than usual."""
    names = {"version": "sosi:IDCardVersion", "level": "sosi:AuthenticationLevel"} | {
        "cvr": "medcom:CareProviderID"
    }
    return sts_card(changes={names[key]: value for key, value in changes.items()})


def test_a_good_request_gives_card_header_and_issuer() -> None:
    checked = check(request(sts_card()))
    assert isinstance(checked.card, SystemIdCard)
    assert checked.card.care_provider.cvr == "44000004"
    assert checked.header == HEADER
    assert checked.signer == sts_key().certificate


def test_a_user_card_is_good_at_level_four() -> None:
    checked = check(request(sts_card(user=DOCTOR), medcom(security_level=4)))
    assert isinstance(checked.card, UserIdCard)


def test_a_header_without_level_is_accepted() -> None:
    assert check(request(sts_card(), medcom(security_level=None))).header.security_level is None


DEFECTS: list[tuple[str, Callable[[], bytes], str]] = [
    ("no Security", medcom, "missing_required_header"),
    ("no assertion", lambda: request(b""), "missing_required_header"),
    ("no medcom:Header", lambda: write_security(NOW, sts_card()), "missing_required_header"),
    (
        "no Conditions",
        lambda: request(sts_card().replace(b"saml:Conditions", b"saml:Other")),
        "invalid_idcard",
    ),
    (
        "non-repudiation asked for",
        lambda: request(sts_card(), medcom(require_non_repudiation_receipt=True)),
        "nonrepudiation_not_supported",
    ),
    (
        "broken signature",
        lambda: request(sts_card().replace(b"Journaldeling", b"Journaldelinh")),
        "invalid_signature",
    ),
    ("unknown issuer", lambda: request(sts_card(key=false_sts_key())), "invalid_certificate"),
    ("self-signed", lambda: request(system_card().xml), "invalid_certificate"),
    (
        "algorithm",
        lambda: request(sts_card().replace(b"#rsa-sha1", b"#dsa-sha1")),
        "signature_not_supported",
    ),
    ("version", lambda: request(issued(version="1.0")), "invalid_idcard"),
    ("level too low", lambda: request(issued(level="2")), "security_level_failed"),
    (
        "another level in the header",
        lambda: request(sts_card(), medcom(security_level=4)),
        "security_level_failed",
    ),
    (
        "expired",
        lambda: request(sts_card(life=timedelta(minutes=5))),
        "expired_idcard",
    ),
    (
        "not yet",
        lambda: request(sts_card(at=NOW + timedelta(minutes=5, seconds=61))),
        "expired_idcard",
    ),
    ("too old", lambda: request(sts_card(at=NOW - timedelta(minutes=476))), "expired_idcard"),
    ("another organisation", lambda: request(issued(cvr="33000003")), "not_authorized"),
    ("two assertions", lambda: request(sts_card() * 2), "syntax_error"),
    ("two Security", lambda: write_security(NOW, sts_card()) * 2 + medcom(), "syntax_error"),
    ("no MessageID", lambda: request(sts_card(), medcom(message_id="")), "syntax_error"),
    (
        "signed but unreadable",
        lambda: request(sts_card(changes={"sosi:IDCardType": "robot"})),
        "invalid_idcard",
    ),
    (
        "second bearer of the id",
        lambda: request(sts_card()) + b'<x xmlns="urn:x" id="IDCard"/>',
        "invalid_signature",
    ),
]


@pytest.mark.parametrize(
    ("build", "code"), [(build, code) for _, build, code in DEFECTS], ids=[d[0] for d in DEFECTS]
)
def test_each_defect_has_its_code(build: Callable[[], bytes], code: str) -> None:
    assert code_of(build()) == code


def not_utc() -> bytes:
    """An issued card with a time that is written with an offset instead of ``Z``."""
    card = etree.fromstring(sts_card())
    card.remove(card[-1])
    card.set("IssueInstant", "2027-03-01T08:55:00+01:00")
    return sign_assertion(card, sts_key())


def test_times_that_are_not_utc_have_their_own_code() -> None:
    assert code_of(request(not_utc())) == "invalid_date_timezone"
    local = write_security(NOW, sts_card()).replace(b"08:00:00Z</wsu", b"09:00:00+01:00</wsu")
    assert code_of(local + medcom()) == "invalid_date_timezone"


def test_no_header_at_all_is_a_missing_header() -> None:
    with pytest.raises(DgwsFault) as refused:
        check_request(None, CardVerifier(sts_trust()), POLICY, NOW)
    assert refused.value.fault_code == "missing_required_header"


def test_the_issuers_certificate_must_hold_now() -> None:
    late = sts_key().not_after - NOW + timedelta(days=1)
    assert code_of(request(sts_card()), at=late) == "invalid_certificate"


# Each case has two neighbouring defects; the earlier one answers.
ORDER: list[tuple[str, Callable[[], bytes], str]] = [
    ("Security before assertion and header", lambda: b"", "wsse:Security mangler"),
    ("assertion before header", lambda: write_security(NOW), "Id-kortet mangler"),
    (
        "header before Conditions",
        lambda: write_security(NOW, sts_card().replace(b"saml:Conditions", b"saml:Other")),
        "medcom:Header mangler",
    ),
    (
        "Conditions before non-repudiation",
        lambda: request(
            sts_card().replace(b"saml:Conditions", b"saml:Other"),
            medcom(require_non_repudiation_receipt=True),
        ),
        "Id-kortet mangler Conditions",
    ),
    (
        "non-repudiation before signature",
        lambda: request(system_card().xml, medcom(require_non_repudiation_receipt=True)),
        "Uafviselighedskvittering understøttes ikke",
    ),
    (
        "signature before version",
        lambda: request(sts_card(changes={"sosi:IDCardVersion": "1.0"}, key=false_sts_key())),
        "Id-kortet er ikke udstedt af en kendt udsteder",
    ),
    (
        "version before level",
        lambda: request(issued(version="1.0", level="2")),
        "Id-kortet skal have version 1.0.1",
    ),
    (
        "level before expiry",
        lambda: request(
            sts_card(changes={"sosi:AuthenticationLevel": "2"}, life=timedelta(minutes=5))
        ),
        "Id-kortets niveau er for lavt",
    ),
    (
        "expiry before age",
        lambda: request(sts_card(at=NOW - timedelta(hours=25))),
        "Id-kortet er udløbet",
    ),
    (
        "age before UTC",
        lambda: (
            write_security(NOW, sts_card(at=NOW - timedelta(hours=9))).replace(
                b"08:00:00Z</wsu", b"08:00:00</wsu"
            )
            + medcom()
        ),
        "Id-kortet er for gammelt til denne tjeneste",
    ),
    (
        "UTC before CVR",
        lambda: (
            write_security(NOW, issued(cvr="33000003")).replace(b"08:00:00Z</wsu", b"08:00:00</wsu")
            + medcom()
        ),
        "Tider skal angives i UTC",
    ),
]


@pytest.mark.parametrize(
    ("build", "text"), [(build, text) for _, build, text in ORDER], ids=[o[0] for o in ORDER]
)
def test_of_two_defects_the_earlier_check_answers(build: Callable[[], bytes], text: str) -> None:
    with pytest.raises(DgwsFault) as refused:
        check(build())
    assert refused.value.text == text


def test_the_edges_of_a_cards_time() -> None:
    card = request(sts_card())
    day = ServicePolicy(allowed_cvrs=None, max_age=timedelta(hours=24))
    end = timedelta(hours=24) - timedelta(minutes=5)
    check(card, day, end - timedelta(seconds=1))
    assert code_of(card, day, end) == "expired_idcard"
    start = -timedelta(minutes=5)
    check(card, day, start)
    check(card, day, start - timedelta(seconds=60))
    assert code_of(card, day, start - timedelta(seconds=61)) == "expired_idcard"
    oldest = timedelta(minutes=480) - timedelta(minutes=5)
    check(card, POLICY, oldest)
    assert code_of(card, POLICY, oldest + timedelta(seconds=1)) == "expired_idcard"


def test_a_service_may_ask_for_level_four() -> None:
    policy = ServicePolicy(allowed_cvrs=None, min_level=4)
    assert code_of(request(sts_card()), policy) == "security_level_failed"
    check(request(sts_card(user=DOCTOR), medcom(security_level=4)), policy)


def test_without_a_list_any_organisation_may_call() -> None:
    policy = ServicePolicy(allowed_cvrs=None)
    assert check(request(issued(cvr="33000003")), policy).card.care_provider.id == "33000003"


def test_an_empty_list_lets_nobody_in() -> None:
    policy = ServicePolicy(allowed_cvrs=frozenset())
    assert code_of(request(sts_card()), policy) == "not_authorized"
