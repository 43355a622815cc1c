"""The words and views of the compliance pages."""

from __future__ import annotations

import pytest

from consent.rules import all_rows
from gateway.api.audit_ui import words
from gateway.api.audit_ui.search import check_search, cpr_in
from gateway.api.audit_ui.views import entry_view
from gateway.pipeline.audit import AuditAction
from tests.support.audit_pages import (
    PATIENT_CPR,
)
from tests.unit.gateway.audit_ui.browsing import SEARCH, Browser

pytestmark = pytest.mark.postgres


async def test_the_style_sheet_is_served(browser: Browser) -> None:
    answer = await browser.get("/audit/static/audit.css")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/css")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "url(" not in answer.text
    assert (await browser.get("/audit/static/../pages.py")).status == 404


def test_every_code_of_the_rules_has_words() -> None:
    codes = {row.code for _, row in all_rows() if row.code[:2] in {"P-", "D-"}}
    assert len(codes) > 40
    assert [code for code in sorted(codes) if words.meaning(code) is None] == []


def test_every_action_has_words() -> None:
    assert set(words.ACTIONS) == {action.value for action in AuditAction}


def test_a_cpr_number_may_hold_a_dash_or_blanks() -> None:
    for written in ("3001749995", "300174-9995", " 300174 9995 "):
        found = cpr_in(written)
        assert found is not None
        assert found.value == PATIENT_CPR
    assert cpr_in("3001749995 3001749995") is None
    assert cpr_in("6101749995") is None


def test_control_characters_do_not_enter_the_log() -> None:
    _, clean, issues = check_search(
        {**SEARCH, "ground": "to\x00 linjer\n og\u202e mere"}, with_reason=True
    )
    assert issues == []
    assert clean["ground"] == "to linjer og mere"


def test_an_entry_of_an_odd_shape_is_shown_without_falling_over() -> None:
    view = entry_view(1, None, {"action": "NEW", "reader": "x", "decisions": [1, {}], "note": 3})
    assert view.action.da == "NEW"
    assert len(view.rulings) == 1
    assert not view.who.is_person
