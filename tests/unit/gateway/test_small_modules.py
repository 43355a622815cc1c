"""Cursors, keys, settings, logs: small modules whose promises are easy to state."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.cursors import CursorUnreadable, read_cursor, write_cursor
from gateway.errors import ConfigurationFault, ContentGone
from gateway.keys import KeyRing, new_key, row_context, seal, unseal, write_master_key
from gateway.logs import configure_logging, redact
from gateway.pipeline.audit import AuditAction, AuditEntry, AuditFieldMissing
from gateway.settings import Settings

KEY = bytes(range(32))


@given(st.integers(0, 2**64 - 1))
def test_a_cursor_comes_back_and_always_has_the_same_length(position: int) -> None:
    cursor = write_cursor(KEY, position, "feed|a|b")
    assert read_cursor(KEY, cursor, "feed|a|b") == position
    assert len(cursor) == 59


@pytest.mark.parametrize("cursor", ["", "x", "!" * 59, "A" * 59])
def test_a_cursor_that_is_not_ours_is_unreadable(cursor: str) -> None:
    with pytest.raises(CursorUnreadable):
        read_cursor(KEY, cursor, "feed|a|b")


def test_a_cursor_opens_for_its_owner_only() -> None:
    with pytest.raises(CursorUnreadable):
        read_cursor(KEY, write_cursor(KEY, 7, "feed|a|b"), "feed|a|c")


def test_a_sealed_value_opens_in_its_own_row_only() -> None:
    key = new_key()
    sealed = seal(key, b"text", row_context("note", "n", 1))
    assert unseal(key, sealed, row_context("note", "n", 1)) == b"text"
    for context in (row_context("note", "n", 2), row_context("document", "n", 1)):
        with pytest.raises(ContentGone):
            unseal(key, sealed, context)
    with pytest.raises(ContentGone):
        unseal(new_key(), sealed, row_context("note", "n", 1))


def test_ids_are_stable_opaque_and_different_per_ring() -> None:
    ring, other = KeyRing(KEY), KeyRing(bytes(32))
    assert ring.person_id("3001749995") == KeyRing(KEY).person_id("3001749995")
    assert ring.person_id("3001749995") != other.person_id("3001749995")
    assert ring.note_id("1", "23") != ring.note_id("12", "3")
    assert ring.cpr_hash("3001749995") != other.cpr_hash("3001749995")


def test_a_patient_key_is_wrapped_for_its_patient() -> None:
    ring, patient, key = KeyRing(KEY), uuid4(), new_key()
    wrapped = ring.wrap_patient_key(key, patient)
    assert ring.unwrap_patient_key(wrapped, patient) == key
    with pytest.raises(ContentGone):
        ring.unwrap_patient_key(wrapped, uuid4())


def test_a_master_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    write_master_key(path)
    before = path.read_bytes()
    write_master_key(path)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600
    KeyRing.from_file(path)
    path.write_text("nonsense")
    with pytest.raises(ConfigurationFault):
        KeyRing.from_file(path)


def test_settings_survive_the_environment() -> None:
    settings = Settings(database_url="postgresql:///x", port=1, practice_oidc=True)
    assert Settings.from_environment(settings.to_environment()) == settings


def test_a_wrong_setting_names_its_variable() -> None:
    with pytest.raises(ValueError, match="GATEWAY_PORT"):
        Settings.from_environment({"GATEWAY_PORT": "eighty"})
    with pytest.raises(ValueError, match="GATEWAY_LOG_JSON"):
        Settings.from_environment({"GATEWAY_LOG_JSON": "maybe"})


@pytest.mark.parametrize(
    "text",
    ["3001749995", "300174-9995", "9001749995", "cpr=3001749995,", "30 0174 9995 3001749995"],
)
def test_whatever_looks_like_a_cpr_number_is_redacted(text: str) -> None:
    assert "9995" not in redact(text).replace("30 0174 9995", "")


@pytest.mark.parametrize("text", ["61741000016007", "2026-12-15T00:00:00", "1.2.208.176.1.2"])
def test_other_numbers_are_left_alone(text: str) -> None:
    assert redact(text) == text


def test_both_logging_worlds_redact_last_also_in_tracebacks() -> None:
    stream = io.StringIO()
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logging(stream=stream)
        structlog.get_logger().info("read", patient="3001749995")
        try:
            raise ValueError("3001749995")
        except ValueError:
            structlog.get_logger().exception("failed")
            logging.getLogger("foreign").exception("cpr %s", "300174-9995")
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
    written = stream.getvalue()
    assert written.count("[CPR]") >= 4
    assert "3001749995" not in written
    assert "300174-9995" not in written


def test_an_audit_entry_without_a_demanded_field_is_a_bug() -> None:
    with pytest.raises(AuditFieldMissing, match="case_number"):
        AuditEntry(AuditAction.LOG_READ, datetime.now(UTC), {"reader": {}, "ground": "x"})
