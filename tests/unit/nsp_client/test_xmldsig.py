"""The enveloped card signature: profile, digest vectors, and the ways to cheat it."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
from base64 import b64encode
from copy import deepcopy
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from nsp_client.errors import UntrustedSignature
from nsp_client.signing.c14n import exclusive
from nsp_client.signing.keys import TrustAnchors, UnusableKey
from nsp_client.signing.xmldsig import (
    CardAlgorithm,
    SignatureNotSupported,
    UnknownSigner,
    VerifiedAssertion,
    sign_assertion,
    verify_assertion,
)
from tests.unit.nsp_client.cards import DS, SAML, assertion_of, in_envelope, sts_card, system_card
from tests.unit.nsp_client.throwaway_keys import (
    NOW,
    SHARED,
    authority,
    false_sts_key,
    gateway_key,
    sts_key,
    sts_trust,
)

D = f"{{{DS}}}"


def verify(header: etree._Element, **how: bool) -> VerifiedAssertion:
    return verify_assertion(assertion_of(header), sts_trust(), NOW, **how)


def refuse(header: etree._Element, kind: type[Exception] = UntrustedSignature) -> None:
    with pytest.raises(kind):
        verify(header)


# --- The digest vectors of real cards -------------------------------------------------


def shared_file(name: str) -> bytes:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the shared NSP samples are not beside this checkout")
    return path.read_bytes()


def envelope_of(name: str, *, strip_blanks: bool) -> etree._Element:
    data = shared_file(name)
    if name.endswith(".txt"):
        data = data[data.index(b"<soapenv:Envelope") : data.index(b":Envelope>") + 10]
    return etree.fromstring(data, etree.XMLParser(remove_blank_text=strip_blanks))


@pytest.mark.parametrize(
    ("name", "strip_blanks", "digest", "size"),
    [
        ("samples/kat/sts-issue-system-request.xml", True, "YhRpBVaSuWIvqShh4txxbXeLPbY=", 1814),
        (
            "samples/kat/sts-issued-system-card-call.xml",
            True,
            "0ulqFg+z/dmlmYfonuprt5PSuPI=",
            2099,
        ),
        ("samples/recorded/iti41-request-soap.xml", False, "jqnaIFW4Pw4jMJHGV/BiZPV5XLU=", None),
        (
            "samples/recorded/iti41-response-multipart.txt",
            False,
            "jqnaIFW4Pw4jMJHGV/BiZPV5XLU=",
            None,
        ),
    ],
)
def test_real_cards_have_the_digest_they_were_signed_with(
    name: str, strip_blanks: bool, digest: str, size: int | None
) -> None:
    assertion = next(envelope_of(name, strip_blanks=strip_blanks).iter(f"{{{SAML}}}Assertion"))
    signature = assertion.find(f"{D}Signature")
    assert signature is not None
    assert signature.findtext(f".//{D}DigestValue") == digest
    unsigned = deepcopy(assertion)
    unsigned.remove(unsigned[-1])
    canonical = exclusive(unsigned)
    assert b64encode(hashlib.sha1(canonical).digest()).decode() == digest
    assert size is None or len(canonical) == size
    # Signing the same card with our own writer gives the same digest.
    signed = etree.fromstring(sign_assertion(unsigned, gateway_key()))
    assert signed.findtext(f".//{D}DigestValue") == digest


# --- What we write --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "signature_uri", "digest_uri"),
    [
        (CardAlgorithm.RSA_SHA1, "2000/09/xmldsig#rsa-sha1", "2000/09/xmldsig#sha1"),
        (CardAlgorithm.RSA_SHA256, "2001/04/xmldsig-more#rsa-sha256", "2001/04/xmlenc#sha256"),
    ],
)
def test_the_signature_has_the_profile(
    algorithm: CardAlgorithm, signature_uri: str, digest_uri: str
) -> None:
    card = etree.fromstring(sts_card(algorithm=algorithm))
    signature = card[-1]
    assert signature.tag == f"{D}Signature"
    assert signature.get("id") == "OCESSignature"
    algorithms = [node.get("Algorithm") for node in signature.iter() if node.get("Algorithm")]
    assert algorithms == [
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        f"http://www.w3.org/{signature_uri}",
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        f"http://www.w3.org/{digest_uri}",
    ]
    references = signature.findall(f"{D}SignedInfo/{D}Reference")
    assert [reference.get("URI") for reference in references] == ["#IDCard"]
    assert verify(in_envelope(sts_card(algorithm=algorithm))).signer == sts_key().certificate


def test_a_signed_card_is_its_own_canonical_form() -> None:
    card = sts_card()
    assert exclusive(etree.fromstring(card)) == card


def test_sha1_is_the_default_because_the_platform_demands_it() -> None:
    assert b"xmldsig#rsa-sha1" in system_card().xml


@pytest.mark.parametrize("algorithm", list(CardAlgorithm))
def test_xmlsec1_accepts_it(algorithm: CardAlgorithm, tmp_path: Path) -> None:
    program = shutil.which("xmlsec1")
    if program is None:
        pytest.skip("the program xmlsec1 is not installed, so there is no second judge")
    header = in_envelope(sts_card(algorithm=algorithm))
    (tmp_path / "call.xml").write_bytes(etree.tostring(header.getroottree()))
    (tmp_path / "sts.pem").write_bytes(sts_key().certificate.public_bytes(Encoding.PEM))
    command = [
        program, "--verify", "--enabled-key-data", "rsa,key-name", "--pubkey-cert-pem", "sts.pem",
        "--id-attr:id", f"{SAML}:Assertion", "call.xml",
    ]  # fmt: skip
    good = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert good.returncode == 0, good.stderr.decode()
    touched = (tmp_path / "call.xml").read_bytes().replace(b"Journaldeling", b"Journaldelinh")
    (tmp_path / "call.xml").write_bytes(touched)
    bad = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert bad.returncode != 0


def test_only_rsa_keys_and_unsigned_assertions_can_be_signed() -> None:
    with pytest.raises(UnusableKey):
        sign_assertion(etree.fromstring(b'<a id="x"/>'), gateway_key("ec"))
    with pytest.raises(ValueError, match="signed already"):
        sign_assertion(etree.fromstring(system_card().xml), gateway_key())
    with pytest.raises(ValueError, match="plain name"):
        sign_assertion(etree.fromstring(b"<a/>"), gateway_key())


# --- Verifying ------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["soapenv", "S", "ns4"])
def test_a_card_verifies_in_any_envelope(prefix: str) -> None:
    card = sts_card()
    verified = verify(in_envelope(card, prefix=prefix))
    assert verified.element.get("id") == "IDCard"
    assert verified.xml == card
    assert verify(in_envelope(verified.xml, prefix="other")).xml == card


def test_only_the_signed_part_comes_back() -> None:
    verified = verify(in_envelope(sts_card()))
    assert verified.element.getparent() is None
    assert verified.element.find(f"{D}Signature") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"44000004</saml:AttributeValue>", b"44000005</saml:AttributeValue>"),
        (b">3<", b">4<"),
        (b"PROEVE-STS", b"PROEVE-STT"),
        (b"<saml:Subject>", b"<saml:Subject> "),
        (b'Version="2.0"', b'Version="2.1"'),
    ],
)
def test_any_change_inside_the_card_is_refused(old: bytes, new: bytes) -> None:
    card = sts_card()
    assert old in card
    refuse(in_envelope(card.replace(old, new, 1)))


def test_a_touched_signature_value_is_refused() -> None:
    card = sts_card()
    start = card.index(b"<ds:SignatureValue>") + 19
    refuse(in_envelope(card[:start] + (b"B" if card[start : start + 1] == b"A" else b"A")
                       + card[start + 1 :]))  # fmt: skip


def test_an_organisation_certificate_of_the_same_authority_is_no_sts() -> None:
    refuse(in_envelope(sts_card(key=false_sts_key())), UnknownSigner)
    # A self-signed card does not become an issued one either.
    refuse(in_envelope(system_card().xml), UnknownSigner)


def test_an_authority_in_the_anchors_does_not_widen_who_may_issue() -> None:
    trust = TrustAnchors(pinned=(sts_key().certificate,), authorities=(authority(),))
    card = in_envelope(sts_card(key=false_sts_key()))
    with pytest.raises(UnknownSigner):
        verify_assertion(assertion_of(card), trust, NOW)


def test_the_issuers_certificate_must_hold_now() -> None:
    header = in_envelope(sts_card())
    with pytest.raises(UnknownSigner):
        verify_assertion(
            assertion_of(header), sts_trust(), sts_key().not_after + timedelta(seconds=1)
        )


def test_naming_the_pinned_certificate_over_a_foreign_signature_is_refused() -> None:
    card = sts_card(key=false_sts_key()).replace(
        false_sts_key().certificate_base64.encode(), sts_key().certificate_base64.encode()
    )
    refuse(in_envelope(card))


def test_a_bare_key_name_works_where_one_signer_is_pinned() -> None:
    card = sts_card()
    start = card.index(b"<ds:X509Data>")
    end = card.index(b"</ds:X509Data>") + len(b"</ds:X509Data>")
    named = card[:start] + b"<ds:KeyName>STS</ds:KeyName>" + card[end:]
    assert verify(in_envelope(named)).signer == sts_key().certificate
    two = TrustAnchors(pinned=(sts_key().certificate, gateway_key().certificate))
    with pytest.raises(UnknownSigner):
        verify_assertion(assertion_of(in_envelope(named)), two, NOW)


def test_sha1_can_be_switched_off() -> None:
    with pytest.raises(SignatureNotSupported):
        verify(in_envelope(sts_card()), allow_sha1=False)
    sha256 = in_envelope(sts_card(algorithm=CardAlgorithm.RSA_SHA256))
    assert verify(sha256, allow_sha1=False).signer == sts_key().certificate


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2000/09/xmldsig#rsa-sha1", b"2000/09/xmldsig#hmac-sha1"),
        (b"2000/09/xmldsig#rsa-sha1", b"2001/04/xmldsig-more#rsa-md5"),
        (b'"http://www.w3.org/2000/09/xmldsig#sha1"', b'"http://www.w3.org/2001/04/md5"'),
        (
            b'CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"',
            b'CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#WithComments"',
        ),
        (b"xmldsig#enveloped-signature", b"xmldsig#base64"),
        (
            b'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>',
            b'<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"></ds:Transform>',
        ),
    ],
)
def test_algorithms_outside_the_profile_are_named_as_such(old: bytes, new: bytes) -> None:
    card = sts_card()
    assert old in card
    refuse(in_envelope(card.replace(old, new)), SignatureNotSupported)


def test_a_card_signed_over_inclusive_canonical_form_verifies_where_it_was_signed() -> None:
    """The standard allows it and prints it, though no traffic shows it."""
    c14n = b"http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    card = sts_card().replace(b"http://www.w3.org/2001/10/xml-exc-c14n#", c14n)
    header = in_envelope(card)
    assertion = assertion_of(header)
    bare = assertion_of(deepcopy(header.getroottree()).getroot()[0])
    bare.remove(bare[-1])
    alone = etree.fromstring(etree.tostring(bare, with_tail=False))
    digest = b64encode(hashlib.sha1(etree.tostring(alone, method="c14n")).digest()).decode()
    value = assertion.find(f".//{D}DigestValue")
    info = assertion.find(f".//{D}SignedInfo")
    signature = assertion.find(f".//{D}SignatureValue")
    assert value is not None
    assert info is not None
    assert signature is not None
    value.text = digest
    info_bytes = etree.tostring(info, method="c14n", exclusive=False)
    signature.text = b64encode(sts_key().sign_sha1(info_bytes)).decode()
    assert verify(header).signer == sts_key().certificate
    conditions = assertion.find(f"{{{SAML}}}Conditions")
    assert conditions is not None
    conditions.set("NotOnOrAfter", "2099-01-01T00:00:00Z")
    refuse(header)


# --- Wrapping -------------------------------------------------------------------------


def forged(card: bytes) -> bytes:
    """The same card for another organisation, its signature left in place."""
    return card.replace(b"44000004</saml:AttributeValue>", b"33000003</saml:AttributeValue>")


def without_signature(card: bytes) -> bytes:
    start = card.index(b"<ds:Signature ")
    end = card.index(b"</ds:Signature>") + len(b"</ds:Signature>")
    return card[:start] + card[end:]


def signature_of(card: bytes) -> bytes:
    start = card.index(b"<ds:Signature ")
    return card[start : card.index(b"</ds:Signature>") + len(b"</ds:Signature>")]


def test_the_real_card_hidden_elsewhere_does_not_cover_for_a_forged_one() -> None:
    card = sts_card()
    refuse(in_envelope(forged(card), extra_header=b"<hidden>" + card + b"</hidden>"))
    refuse(in_envelope(forged(card), extra_header=b"<hidden>" + without_signature(card)
                       + b"</hidden>"))  # fmt: skip


@pytest.mark.parametrize("attribute", [b"id", b"Id", b"ID", b"wsu:Id", b"xml:id"])
def test_a_second_bearer_of_the_id_is_refused_however_it_is_spelt(attribute: bytes) -> None:
    bearer = b'<other xmlns:wsu="urn:wsu" ' + attribute + b'="IDCard"/>'
    refuse(in_envelope(sts_card(), extra_header=bearer))


def test_the_real_card_inside_the_forged_ones_signature_is_refused() -> None:
    card = sts_card()
    inner = b"<ds:Object>" + without_signature(card) + b"</ds:Object>"
    signature = signature_of(card).replace(b"</ds:Signature>", inner + b"</ds:Signature>")
    outer = without_signature(forged(card)).replace(b'id="IDCard"', b'id="Other"')
    refuse(in_envelope(outer.replace(b"</saml:Assertion>", signature + b"</saml:Assertion>")))


def test_the_signature_must_be_the_assertions_own_child() -> None:
    card = sts_card()
    deeper = without_signature(card).replace(
        b"</saml:Subject>", signature_of(card) + b"</saml:Subject>"
    )
    refuse(in_envelope(deeper))
    refuse(in_envelope(without_signature(card)))
    doubled = without_signature(card).replace(
        b"</saml:Assertion>", signature_of(card) * 2 + b"</saml:Assertion>"
    )
    refuse(in_envelope(doubled))


@pytest.mark.parametrize("uri", [b"", b"#Other", b"http://example.invalid/card.xml"])
def test_the_reference_must_be_to_this_very_assertion(uri: bytes) -> None:
    refuse(in_envelope(sts_card().replace(b'URI="#IDCard"', b'URI="' + uri + b'"')))


def test_comments_do_not_cut_a_value_short() -> None:
    """The digest ignores comments, so what is read must ignore them too."""
    card = sts_card().replace(b"Journaldeling", b"Journal<!-- x -->deling")
    verified = verify(in_envelope(card))
    names = [value.text for value in verified.element.iter(f"{{{SAML}}}AttributeValue")]
    assert "Journaldeling" in names
    assert b"<!--" not in verified.xml


def test_processing_instructions_are_refused_even_if_they_are_signed() -> None:
    card = etree.fromstring(without_signature(sts_card()))
    system = next(node for node in card.iter() if node.text == "Journaldeling")
    system.text = "Journal"
    instruction = etree.ProcessingInstruction("x", "y")
    instruction.tail = "deling"
    system.append(instruction)
    refuse(in_envelope(sign_assertion(card, sts_key())))


def test_no_damage_to_a_card_gets_past_or_escapes_as_another_error() -> None:
    card = sts_card()
    good = verify(in_envelope(card))
    chance = random.Random("card")
    for _ in range(400):
        place = chance.randrange(len(card))
        length = chance.choice([1, 1, 1, 5, 40])
        piece = chance.choice([b"", bytes([chance.randrange(32, 127)]), b"&lt;", b"A" * 9])
        damaged = card[:place] + piece + card[place + length :]
        try:
            header = in_envelope(damaged)
            found = verify(header)
        except (UntrustedSignature, etree.XMLSyntaxError, AssertionError):
            continue
        assert exclusive(found.element) == exclusive(good.element)


@pytest.mark.parametrize("name", ["DigestValue", "SignatureValue", "X509Certificate", "SignedInfo"])
def test_empty_parts_are_refused(name: str) -> None:
    header = in_envelope(sts_card())
    next(header.iter(f"{D}{name}")).clear()
    refuse(header)


def test_processing_instructions_added_later_are_refused() -> None:
    refuse(in_envelope(sts_card().replace(b"Journaldeling", b"Journal<?x y?>deling")))


def test_an_element_that_is_no_assertion_is_refused() -> None:
    with pytest.raises(UntrustedSignature):
        verify_assertion(etree.fromstring(b'<a id="IDCard"/>'), sts_trust(), NOW)


@pytest.mark.parametrize("certificate", [b"!!!!", b"AAAA", b""])
def test_an_unreadable_certificate_is_refused(certificate: bytes) -> None:
    card = sts_card().replace(sts_key().certificate_base64.encode(), certificate)
    refuse(in_envelope(card))
