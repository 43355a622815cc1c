"""The compliance pages: who gets in, by which login, and for how long."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from gateway.pipeline.audit import AuditAction
from test_doubles.faults import FaultMode
from tests.support.audit_pages import (
    house,
)
from tests.unit.gateway.audit_ui.browsing import SEARCH, Browser

pytestmark = pytest.mark.postgres


POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {idp}; "


async def test_without_a_session_there_is_one_button_and_strict_headers(browser: Browser) -> None:
    answer = await browser.get("/audit")
    assert answer.status == 200
    assert answer.text.count("<button") == 1
    assert 'action="/audit/login"' in answer.text
    idp = browser.home.doubles.base_url
    assert answer.headers["Content-Security-Policy"] == (
        POLICY.format(idp=idp) + "frame-ancestors 'none'; base-uri 'none'"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script" not in answer.text
    assert " style=" not in answer.text


async def test_the_login_asks_for_pkce_state_and_nonce(browser: Browser) -> None:
    asked = await browser.start_login()
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"{browser.home.url}/audit/callback"
    assert len(asked["state"]) >= 32
    assert len(asked["nonce"]) >= 32
    assert (await browser.start_login())["state"] != asked["state"]


async def test_compliance_staff_get_a_strict_cookie_and_a_page_that_moves_on(
    browser: Browser,
) -> None:
    answer = await browser.log_in()
    assert answer.status == 200
    assert 'http-equiv="refresh" content="0; url=/audit"' in answer.text
    cookies = answer.headers.getall("Set-Cookie")
    session = next(cookie for cookie in cookies if cookie.startswith("audit_session="))
    assert "HttpOnly" in session
    assert "SameSite=strict" in session
    assert "Path=/audit" in session
    assert "Secure" not in session
    assert 'action="/audit/search"' in (await browser.get("/audit")).text
    [entry] = await browser.home.entries(AuditAction.LOGIN)
    assert (entry["outcome"], entry["reader"]["name"]) == ("admitted", "Vibeke Test Tolv")


async def test_over_https_the_cookies_are_secure(
    migrated_database_url: str, tmp_path: Path
) -> None:
    async with house(migrated_database_url, tmp_path, public_url="https://gateway.example") as made:
        client = Browser(made)
        answer = await client.get("/audit/login", allow_redirects=False)
        await client.session.close()
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Secure-audit_login=")
    assert "; Secure" in cookie
    assert "SameSite=lax" in cookie


@pytest.mark.parametrize("persona", ["patient-1", "doctor-1", "operator-1"])
async def test_other_roles_are_refused_and_logged(browser: Browser, persona: str) -> None:
    answer = await browser.log_in(persona)
    assert answer.status == 403
    assert "kun for kontrolmedarbejdere" in answer.text
    assert 'action="/audit/login"' in (await browser.get("/audit")).text
    [entry] = await browser.home.entries(AuditAction.LOGIN)
    assert (entry["outcome"], entry["code"]) == ("refused", "NOT-ALLOWED")
    assert entry["reader"]["person_id"]


async def test_a_weak_login_is_refused_and_logged(browser: Browser) -> None:
    browser.home.idp.put_state({"claims": {"compliance-1": {"loa": "LOW"}}})
    answer = await browser.log_in()
    assert answer.status == 403
    assert "ikke stærkt nok" in answer.text
    [entry] = await browser.home.entries(AuditAction.LOGIN)
    assert (entry["outcome"], entry["code"]) == ("refused", "D-AUTH-LEVEL")


async def test_an_answer_to_another_login_is_refused(browser: Browser) -> None:
    asked = await browser.start_login()
    back = await browser.choose(asked, "compliance-1")
    foreign = back.replace(f"state={asked['state']}", f"state={'x' * len(asked['state'])}")
    assert foreign != back
    assert (await browser.get(foreign)).status == 403
    # One try only: the right answer comes too late now.
    assert (await browser.get(back)).status == 400
    assert await browser.home.entries() == []


async def test_a_callback_without_a_login_under_way_is_refused(browser: Browser) -> None:
    assert (await browser.get("/audit/callback?code=x&state=y")).status == 400


async def test_a_login_that_took_too_long_is_refused(browser: Browser) -> None:
    back = await browser.choose(await browser.start_login(), "compliance-1")
    browser.home.clock.instant += timedelta(minutes=11)
    assert (await browser.get(back)).status == 400


async def test_a_token_with_another_nonce_is_refused(browser: Browser) -> None:
    asked = await browser.start_login()
    back = await browser.choose({**asked, "nonce": "somebody-elses"}, "compliance-1")
    answer = await browser.get(back)
    assert answer.status == 403
    assert await browser.home.entries() == []


async def test_another_provider_in_the_answer_is_refused(browser: Browser) -> None:
    back = await browser.choose(await browser.start_login(), "compliance-1")
    head, _, _ = back.partition("&iss=")
    assert head != back
    assert (await browser.get(f"{head}&iss=https://elsewhere.example")).status == 403


async def test_a_provider_that_is_away_gives_try_again(browser: Browser) -> None:
    back = await browser.choose(await browser.start_login(), "compliance-1")
    browser.home.doubles.faults.add("idp", "token", FaultMode.DROP_BEFORE, times=1)
    answer = await browser.get(back)
    assert answer.status == 503
    assert "Prøv igen" in answer.text


@pytest.mark.parametrize("path", ["/audit/search", "/audit/open", "/audit/logout"])
async def test_a_form_without_this_sessions_secret_is_refused(browser: Browser, path: str) -> None:
    await browser.log_in()
    old = (await browser.get("/audit")).field("csrf")
    await browser.log_in()
    for form in ({}, {"csrf": ""}, {"csrf": old}):
        answer = await browser.post(path, **{**SEARCH, **form})
        assert answer.status == 403
    assert await browser.home.entries(AuditAction.LOG_READ) == []
    assert 'action="/audit/search"' in (await browser.get("/audit")).text  # still logged in


async def test_a_post_without_a_session_shows_the_login_page(browser: Browser) -> None:
    answer = await browser.post("/audit/search", csrf="x", **SEARCH)
    assert answer.status == 403
    assert 'action="/audit/login"' in answer.text


async def test_a_session_ends_after_thirty_idle_minutes(browser: Browser) -> None:
    await browser.log_in()
    browser.home.clock.instant += timedelta(minutes=29)
    assert 'action="/audit/search"' in (await browser.get("/audit")).text
    browser.home.clock.instant += timedelta(minutes=29)
    assert 'action="/audit/search"' in (await browser.get("/audit")).text
    browser.home.clock.instant += timedelta(minutes=30)
    assert "din session er udløbet" in (await browser.get("/audit")).text


async def test_a_session_ends_after_eight_hours_however_busy(browser: Browser) -> None:
    await browser.log_in()
    for _ in range(19):
        browser.home.clock.instant += timedelta(minutes=25)
        assert 'action="/audit/search"' in (await browser.get("/audit")).text
    browser.home.clock.instant += timedelta(minutes=5)
    assert 'action="/audit/login"' in (await browser.get("/audit")).text


async def test_logging_out_takes_the_cookie(browser: Browser) -> None:
    await browser.log_in()
    form = await browser.get("/audit")
    answer = await browser.post("/audit/logout", csrf=form.field("csrf"))
    assert "Du er logget ud" in answer.text
    assert 'action="/audit/login"' in (await browser.get("/audit")).text


async def test_an_altered_cookie_is_no_session(browser: Browser) -> None:
    await browser.log_in()
    for cookie in browser.session.cookie_jar:
        if cookie.key == "audit_session":
            value = cookie.value
    altered = value[:20] + ("B" if value[20] == "A" else "A") + value[21:]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as stranger:
        browser.session, kept = stranger, browser.session
        right = await browser.get("/audit", headers={"Cookie": f"audit_session={value}"})
        wrong = [
            await browser.get("/audit", headers={"Cookie": f"audit_session={sent}"})
            for sent in (altered, "", "x" * 5000, "é", "!")
        ]
        browser.session = kept
    assert 'action="/audit/search"' in right.text
    for answer in wrong:
        assert answer.status == 200
        assert 'action="/audit/login"' in answer.text
