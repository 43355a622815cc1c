"""Version and hash of the rules, the configuration, texts and derived sensitivity."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from consent import rules
from consent.config import DEFAULT_CONFIG, ConfigVersion, RuleConfig, config_at
from consent.errors import ConfigurationUnsound
from consent.model import Sensitive
from consent.publication import FEED_ROWS, REPOSITORY_ROWS
from consent.sensitivity import derived_categories
from consent.texts import (
    FOR_CITIZENS,
    FOR_PRACTICES,
    FOR_PROFESSIONALS,
    Audience,
    sentence,
)
from tests.unit.consent.consent_builders import at


def test_the_hash_is_stable_within_a_run_and_64_digits() -> None:
    first = rules.rules_hash()
    rules.rules_hash.cache_clear()
    assert rules.rules_hash() == first
    assert len(first) == 64


def test_a_changed_row_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rules.rules_hash()
    changed = (*FEED_ROWS[:-1], replace(FEED_ROWS[-1], source="elsewhere"))
    monkeypatch.setattr(rules, "FEED_ROWS", changed)
    rules.rules_hash.cache_clear()
    assert rules.rules_hash() != before
    monkeypatch.undo()
    rules.rules_hash.cache_clear()


def test_the_hash_sees_code_and_not_comments() -> None:
    bare = rules._bare_code
    assert bare('def f():\n    """Doc."""\n    return 1  # why\n') == bare("def f(): return 1")
    assert bare("def f(): return 1") != bare("def f(): return 2")


def test_every_row_is_listed_with_words_and_source() -> None:
    listed = list(rules.all_rows())
    assert len(listed) > 70
    for table, row in listed:
        assert table
        assert row.when
        assert row.source
        assert row.kind


# --- configuration ----------


def test_the_defaults_of_the_configuration() -> None:
    config = DEFAULT_CONFIG
    assert config.professions == {"DOCTOR", "NURSE", "MIDWIFE", "DENTIST", "PARAMEDIC"}
    assert config.guardian_filter == {"REPRO", "PSY", "HIV", "SUBST"}
    assert config.never_to_others == {"DV", "ABUSE"}
    assert (config.max_delay_days, config.consent_max_age_s) == (30, 300)
    assert (config.custody_max_age_s, config.mandate_max_age_s) == (86_400, 3_600)
    assert (config.relation_minimum, config.followup_days) == ("B", 30)
    assert (config.guardian_access, config.share_history) == (True, False)
    assert (config.override_min_chars, config.audit_years, config.withdrawn_purge_h) == (15, 5, 24)


def test_a_fingerprint_follows_the_values() -> None:
    assert RuleConfig().fingerprint() == DEFAULT_CONFIG.fingerprint()
    assert RuleConfig(max_delay_days=29).fingerprint() != DEFAULT_CONFIG.fingerprint()


def test_an_unsound_configuration_is_refused() -> None:
    with pytest.raises(ConfigurationUnsound):
        RuleConfig(max_delay_days=-1)
    with pytest.raises(ConfigurationUnsound):
        RuleConfig(release_mode="AT_ONCE")


def test_a_change_needs_two_people_and_counts_from_its_instant() -> None:
    start = at("2027-01-01T00:00:00Z")
    shorter = RuleConfig(max_delay_days=14)
    for approvers in ((), ("a",), ("a", "a")):
        with pytest.raises(ConfigurationUnsound):
            ConfigVersion(shorter, start, approvers)
    with pytest.raises(ConfigurationUnsound):
        ConfigVersion(shorter, start.replace(tzinfo=None), ("a", "b"))
    versions = (ConfigVersion(shorter, start, ("a", "b")),)
    assert config_at(versions, at("2026-12-31T23:59:59.999999Z")) is DEFAULT_CONFIG
    assert config_at(versions, start) is shorter


# --- texts ----------


def test_every_publication_code_has_a_sentence_for_the_practice() -> None:
    codes = {row.code for row in (*FEED_ROWS, *REPOSITORY_ROWS)}
    assert codes | {"P-HOLD-NATIONAL", "P-WITHHELD-NATIONAL"} == set(FOR_PRACTICES)


def test_sentences_are_filled_in_with_local_time() -> None:
    midnight = sentence("P-HOLD-MIDNIGHT", Audience.PRACTICE, until=at("2027-02-01T23:00:00Z"))
    assert midnight is not None
    assert (midnight.da, midnight.en) == ("Deles fra 2.2.2027", "Will be shared from 2027-02-02")
    delayed = sentence("P-HOLD-DELAYED", Audience.CITIZEN, until=at("2027-07-11T08:00:00Z"))
    assert delayed is not None
    assert delayed.da == "Klinikken viser notatet fra 11.7.2027 kl. 10.00."
    assert delayed.en.endswith("2027-07-11 10:00.")
    replaced = sentence("P-REMOVED-SUPERSEDED", Audience.PRACTICE, version=3)
    assert replaced is not None
    assert replaced.da == "Afløst af version 3"
    unnamed = sentence("P-REMOVED-SUPERSEDED", Audience.PRACTICE)
    assert unnamed is not None
    assert (unnamed.da, unnamed.en) == (
        "Afløst af en nyere version",
        "Superseded by a newer version",
    )
    behalf = sentence("D-OK-GUARDIAN", Audience.CITIZEN, name="{x} Ida")
    assert behalf is not None
    assert behalf.da == "Du ser oplysninger på vegne af {x} Ida."


def test_refusals_that_must_not_be_told_apart_share_a_sentence() -> None:
    common = {
        FOR_CITIZENS[code]
        for code in (
            "D-NO-CUSTODY",
            "D-GUARDIAN-BLOCKED",
            "D-GUARDIAN-ADDRESS-PROTECTED",
            "D-RELATION-UNAVAILABLE",
        )
    }
    assert len(common) == 1
    assert FOR_PROFESSIONALS["D-NOT-AVAILABLE"] is FOR_PROFESSIONALS["D-CONSENT-NEGATIVE"]


def test_what_is_absent_says_nothing() -> None:
    for code in ("D-GUARDIAN-SENSITIVE", "D-PROXY-SENSITIVE", "D-REP-HIDDEN-NOTE"):
        assert sentence(code, Audience.CITIZEN) is None
    assert sentence("P-WITHHELD-SAFETY", Audience.CITIZEN) is None


# --- derived sensitivity ----------

WHEN = at("2027-02-01T09:00:00Z")
ADULT = date(1980, 5, 17)
CHILD = date(2018, 9, 3)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["P01"], {"PSY"}),
        (["P14"], {"PSY"}),
        (["P15", "P16", "P18", "P19"], {"SUBST"}),
        (["P17"], set()),
        (["P20"], {"PSY"}),
        (["P29", "P70", "P99"], {"PSY"}),
        (["P30"], set()),
        (["P69"], set()),
        (["w10", "W16"], {"REPRO"}),
        (["W16", "W80", "X24", "X74", "X93", "Y26", "Y73", "Y77"], set()),
        (["X73"], {"REPRO"}),
        (["X90", "X92", "Y25", "Y72", "Y76"], {"REPRO"}),
        (["B90"], {"HIV"}),
        (["B90.1 "], {"HIV"}),
        (["Z16"], {"ABUSE"}),
        (["Z12"], set()),
        (["Z25"], {"DV"}),
        (["Z12", "Z25"], {"DV"}),
        (["T90", "-30", "", "9", "ÆØ"], set()),
    ],
)
def test_categories_of_an_adult(codes: list[str], expected: set[str]) -> None:
    assert derived_categories(codes, ADULT, WHEN) == expected


def test_assault_of_a_child_is_abuse_and_of_unknown_age_is_both() -> None:
    assert derived_categories(["Z25"], CHILD, WHEN) == {Sensitive.ABUSE}
    assert derived_categories(["Z12", "Z25"], CHILD, WHEN) == {Sensitive.ABUSE, Sensitive.DV}
    assert derived_categories(["Z25"], None, WHEN) == {Sensitive.ABUSE, Sensitive.DV}


def test_the_15th_birthday_divides_at_local_midnight() -> None:
    born = date(2012, 2, 10)
    assert derived_categories(["Z25"], born, at("2027-02-09T22:59:59Z")) == {Sensitive.ABUSE}
    assert derived_categories(["Z25"], born, at("2027-02-09T23:00:00Z")) == {Sensitive.DV}
