"""The compliance pages over real HTTP, a real database and the identity provider double."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import psycopg
import pytest

from consent.rules import all_rows
from gateway.api.audit_ui import words
from gateway.api.audit_ui.search import check_search, cpr_in
from gateway.api.audit_ui.views import entry_view, pseudonym
from gateway.pipeline.audit import AuditAction
from gateway.storage.audit_log import seal
from gateway.storage.audit_signer import AuditSigner, write_audit_key
from gateway.storage.migrate import migrate
from test_doubles.faults import FaultMode
from tests.support.audit_pages import (
    DOCTOR,
    OTHER_CPR,
    PATIENT_CPR,
    SECRET_TEXT,
    SECRET_TITLE,
    House,
    house,
    look_of,
    moved_of,
)

pytestmark = pytest.mark.postgres
SEARCH = {
    "cpr": PATIENT_CPR,
    "case_number": "2026-0417",
    "reason": "COMPLAINT",
    "ground": "Patienten har klaget over et opslag",
}
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {idp}; "


@dataclass(slots=True)
class Answer:
    """A page that was read whole."""

    status: int
    headers: Any
    text: str
    url: str

    def field(self, name: str) -> str:
        """The first hidden field of that name."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found is not None, f"no field {name} on the page"
        return unescape(found[1])


class Browser:
    """A client that keeps cookies and posts forms as a browser does."""

    def __init__(self, home: House) -> None:
        self.home = home
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def get(self, path: str, **options: Any) -> Answer:
        return await self._ask("GET", path, **options)

    async def post(self, path: str, **form: str) -> Answer:
        return await self._ask("POST", path, data=form)

    async def _ask(self, method: str, path: str, **options: Any) -> Answer:
        url = path if path.startswith("http") else self.home.url + path
        async with self.session.request(method, url, **options) as response:
            return Answer(
                response.status, response.headers, await response.text(), str(response.url)
            )

    async def start_login(self) -> dict[str, str]:
        """Follow the button as far as the provider; what was asked of it."""
        answer = await self.get("/audit/login", allow_redirects=False)
        assert answer.status == 303
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        return {name: values[0] for name, values in query.items()}

    async def choose(self, asked: dict[str, str], persona: str) -> str:
        """Log in at the provider; the address it sends the browser back to."""
        answer = await self._ask(
            "POST",
            f"{self.home.idp.issuer}/authorize",
            data={**asked, "persona": persona},
            allow_redirects=False,
        )
        return str(answer.headers["Location"])

    async def log_in(self, persona: str = "compliance-1") -> Answer:
        return await self.get(await self.choose(await self.start_login(), persona))

    async def search(self, **changes: str) -> Answer:
        form = await self.get("/audit")
        return await self.post("/audit/search", csrf=form.field("csrf"), **{**SEARCH, **changes})


@pytest.fixture
async def home(empty_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    await asyncio.to_thread(migrate, empty_database_url)
    async with house(empty_database_url, tmp_path) as made:
        yield made


@pytest.fixture
async def browser(home: House) -> AsyncIterator[Browser]:
    made = Browser(home)
    yield made
    await made.session.close()


def assert_nothing_leaks(answer: Answer) -> None:
    assert SECRET_TEXT not in answer.text
    assert SECRET_TITLE not in answer.text
    assert PATIENT_CPR not in answer.text
    assert PATIENT_CPR not in answer.url


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


async def test_over_https_the_cookies_are_secure(empty_database_url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(migrate, empty_database_url)
    async with house(empty_database_url, tmp_path, public_url="https://gateway.example") as made:
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


async def test_a_search_is_logged_first_and_shows_entries_newest_first(browser: Browser) -> None:
    home = browser.home
    await home.write([moved_of(home), look_of(home), look_of(home, OTHER_CPR)])
    await browser.log_in()
    answer = await browser.search()
    assert answer.status == 200
    assert_nothing_leaks(answer)
    assert DOCTOR not in answer.text
    assert "Vibeke Test Tolv" in answer.text  # the person logged in, in the page's head
    person = pseudonym(str(home.ring.person_id("1708699997"))).da
    assert person in answer.text
    order = [answer.text.index(text) for text in ("Opslag i loggen", "Indhold vist", "Notat beh")]
    assert order == sorted(order)
    assert answer.text.count('<tr role="row">') == 1 + 3
    for shown in (
        "14.12.2026 kl. 08.55.00 CET",
        "D-OK-BREAK-GLASS",
        "Værdispring er registreret. Patienten får besked.",
        "skal gennemgås",
        "afgørende hensyn til patienten",
        "Bevidstløs, cpr [CPR]",
        "oplyst behandlingsrelation",
        "spærringer 12 s",
        "Ikke forseglet endnu",
        "Deles fra 15.12.2026",
        "Sundhedsjournalen",
        "61811000016001",
        "0b2f4a66… v2",
    ):
        assert shown in re.sub(r"<[^>]+>", "", unescape(answer.text)).replace("\n", " "), shown
    [entry] = await home.entries(AuditAction.LOG_READ)
    assert entry["case_number"] == SEARCH["case_number"]
    assert entry["ground"] == {"reason": "COMPLAINT", "text": SEARCH["ground"]}
    assert entry["patient_id"] == str(home.ring.person_id(PATIENT_CPR))
    assert entry["reader"]["person_id"] == str(home.ring.person_id("0705849994"))
    assert entry["reader"]["name"] == "Vibeke Test Tolv"
    assert entry["request_id"]


async def test_a_sealed_entry_shows_its_leaf(browser: Browser, tmp_path: Path) -> None:
    home = browser.home
    await home.write([look_of(home, OTHER_CPR), look_of(home)])
    write_audit_key(tmp_path / "audit.key")
    async with home.database.transaction() as connection:
        signer = AuditSigner.from_file(tmp_path / "audit.key")
        assert await seal(connection, signer, home.clock.now()) == 2
    await browser.log_in()
    answer = await browser.search()
    assert "Sealed, leaf 1" in answer.text
    assert "Not sealed yet" in answer.text  # the search itself


async def test_results_are_paged_and_every_page_is_logged(browser: Browser) -> None:
    home = browser.home
    await home.write([look_of(home, request_id=f"look-{number}") for number in range(120)])
    await browser.log_in()
    pages = [await browser.search()]
    while 'name="before"' in pages[-1].text.rpartition("</table>")[2]:
        last = pages[-1]
        tail = Answer(200, last.headers, last.text.rpartition("</table>")[2], last.url)
        pages.append(
            await browser.post(
                "/audit/search",
                csrf=last.field("csrf"),
                ticket=last.field("ticket"),
                before=tail.field("before"),
            )
        )
        assert pages[-1].status == 200
    numbers = [
        int(found)
        for each in pages
        for found in re.findall(r'<span class="number">nr\. (\d+)</span>', each.text)
    ]
    assert [each.text.count('<tr role="row">') - 1 for each in pages] == [50, 50, 21]
    assert numbers == sorted(set(numbers), reverse=True)
    looks = await home.entries(AuditAction.LOG_READ)
    assert [look["before"] is None for look in looks] == [True, False, False]
    assert {look["case_number"] for look in looks} == {SEARCH["case_number"]}


async def test_opening_an_entry_shows_the_name_and_is_logged(browser: Browser) -> None:
    home = browser.home
    await home.write([look_of(home)])
    await browser.log_in()
    results = await browser.search()
    seq = re.findall(r'name="entry" value="(\d+)"', results.text)[-1]
    form = {"csrf": results.field("csrf"), "ticket": results.field("ticket")}
    answer = await browser.post("/audit/open", entry=seq, **form)
    assert answer.status == 200
    assert_nothing_leaks(answer)
    assert DOCTOR in answer.text
    assert "ZTA02" in answer.text
    looks = await home.entries(AuditAction.LOG_READ)
    assert looks[-1]["opened"] == {"seq": int(seq)}
    assert looks[-1]["case_number"] == SEARCH["case_number"]
    # Back to the list: pseudonyms again.
    back = await browser.post("/audit/search", csrf=answer.field("csrf"), ticket=form["ticket"])
    assert back.status == 200
    assert DOCTOR not in back.text


async def test_another_patients_entry_does_not_open_under_this_search(browser: Browser) -> None:
    home = browser.home
    await home.write([look_of(home, OTHER_CPR), look_of(home)])
    await browser.log_in()
    results = await browser.search()
    mine = int(re.findall(r'name="entry" value="(\d+)"', results.text)[-1])
    answer = await browser.post(
        "/audit/open",
        csrf=results.field("csrf"),
        ticket=results.field("ticket"),
        entry=str(mine - 1),
    )
    assert answer.status == 404
    assert DOCTOR not in answer.text
    assert len(await home.entries(AuditAction.LOG_READ)) == 2  # the try is logged too


@pytest.mark.parametrize("entry", ["", "-1", "0", "x", "²", "9" * 40])
async def test_a_senseless_entry_number_is_refused(browser: Browser, entry: str) -> None:
    await browser.log_in()
    results = await browser.search()
    answer = await browser.post(
        "/audit/open", csrf=results.field("csrf"), ticket=results.field("ticket"), entry=entry
    )
    assert answer.status == 400


async def test_a_ticket_opens_in_its_own_session_only(browser: Browser) -> None:
    await browser.log_in()
    ticket = (await browser.search()).field("ticket")
    await browser.log_in("compliance-2")
    form = await browser.get("/audit")
    answer = await browser.post("/audit/search", csrf=form.field("csrf"), ticket=ticket)
    assert answer.status == 400
    assert len(await browser.home.entries(AuditAction.LOG_READ)) == 1


async def test_a_wrong_cpr_number_is_told_in_both_languages_and_nothing_is_logged(
    browser: Browser,
) -> None:
    await browser.log_in()
    answer = await browser.search(cpr="3913749995")
    assert answer.status == 422
    assert "CPR-nummeret er ikke gyldigt" in answer.text
    assert "The CPR number is not valid" in answer.text
    assert 'id="cpr" ' in answer.text
    assert 'aria-describedby="cpr-help cpr-fault" aria-invalid="true"' in answer.text
    assert await browser.home.entries(AuditAction.LOG_READ) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"case_number": ""},
        {"case_number": "12"},
        {"case_number": f"sag {PATIENT_CPR}"},
        {"reason": ""},
        {"reason": "CURIOSITY"},
        {"ground": "kort"},
        {"ground": "x" * 501},
        {"ground": f"handler om {PATIENT_CPR[:6]}-{PATIENT_CPR[6:]}"},
    ],
)
async def test_case_number_and_ground_are_demanded(
    browser: Browser, changes: dict[str, str]
) -> None:
    await browser.log_in()
    answer = await browser.search(**changes)
    assert answer.status == 422
    [name] = changes
    assert f'id="{name}-fault"' in answer.text
    assert answer.text.count('class="fault"') == 1
    assert await browser.home.entries(AuditAction.LOG_READ) == []


async def test_a_patient_nobody_knows_gives_an_empty_page_and_an_entry(browser: Browser) -> None:
    await browser.log_in()
    answer = await browser.search(cpr="0101700001")
    assert answer.status == 200
    assert answer.text.count('<tr role="row">') == 2  # heading, and the search itself
    assert len(await browser.home.entries(AuditAction.LOG_READ)) == 1


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


async def test_when_the_log_cannot_be_written_nothing_is_shown(
    browser: Browser, empty_database_url: str
) -> None:
    home = browser.home
    await home.write([look_of(home)])
    await browser.log_in()
    form = await browser.get("/audit")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON audit_entry FROM gateway_app")
    answer = await browser.post("/audit/search", csrf=form.field("csrf"), **SEARCH)
    assert answer.status == 503
    assert "Prøv igen" in answer.text
    assert answer.headers["Retry-After"]
    assert "Indhold vist" not in answer.text
    refused = await browser.log_in("compliance-2")
    assert refused.status == 503
    assert "audit_session" not in str(refused.headers.getall("Set-Cookie", []))


async def _api(home: House, body: Any, persona: str | None = "compliance-1") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session:
        headers = {}
        if persona is not None:
            async with session.post(f"{home.idp.issuer}/token", json={"persona": persona}) as made:
                headers["Authorization"] = f"Bearer {(await made.json())['access_token']}"
        options: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with session.post(
            f"{home.url}/audit/v1/search", headers=headers, **options
        ) as response:
            assert response.headers.get("Cache-Control") == "no-store" or response.status >= 400
            return response.status, await response.json(content_type=None)


API_SEARCH = {"cpr": PATIENT_CPR, "case_number": "2026-17", "ground": "Klage fra patienten"}


async def test_the_api_gives_the_same_entries_and_logs_each_look(home: House) -> None:
    await home.write([look_of(home, request_id=f"look-{number}") for number in range(60)])
    status, first = await _api(home, API_SEARCH)
    assert status == 200
    assert len(first["entries"]) == 50
    assert first["entries"][0]["action_code"] == "LOG_READ"
    text = str(first)
    assert DOCTOR not in text
    assert PATIENT_CPR not in text
    assert SECRET_TEXT not in text
    status, second = await _api(home, {**API_SEARCH, "cursor": first["cursor"]})
    assert status == 200
    assert len(second["entries"]) == 11
    assert second["cursor"] is None
    assert len(await home.entries(AuditAction.LOG_READ)) == 2
    status, body = await _api(home, {**API_SEARCH, "cpr": OTHER_CPR, "cursor": first["cursor"]})
    assert (status, body["code"]) == (400, "CURSOR")


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        (b"{", "BODY-MALFORMED", None),
        ([], "FIELD-TYPE", "$"),
        ({**API_SEARCH, "cpr": 3001749995}, "FIELD-TYPE", "$.cpr"),
        ({**API_SEARCH, "cpr": "3001"}, "CPR-INVALID", "$.cpr"),
        ({**API_SEARCH, "case_number": ""}, "FIELD-MISSING", "$.case_number"),
        ({"cpr": PATIENT_CPR, "case_number": "2026-17"}, "FIELD-MISSING", "$.ground"),
        ({**API_SEARCH, "name": "x"}, "FIELD-UNKNOWN", "$"),
        ({}, "FIELD-MISSING", "$.cpr"),
    ],
)
async def test_the_api_names_what_is_wrong(
    home: House, body: Any, code: str, path: str | None
) -> None:
    status, problem = await _api(home, body)
    assert status == 422
    assert code in {error["code"] for error in problem["errors"]}
    if path is not None:
        assert path in {error["path"] for error in problem["errors"]}
    assert PATIENT_CPR not in str(problem)
    assert await home.entries(AuditAction.LOG_READ) == []


@pytest.mark.parametrize("persona", ["doctor-1", "patient-1", "operator-1", "practice-1"])
async def test_the_api_is_closed_to_other_roles(home: House, persona: str) -> None:
    status, problem = await _api(home, API_SEARCH, persona)
    assert (status, problem["code"]) == (403, "NOT-ALLOWED")
    assert await home.entries(AuditAction.LOG_READ) == []


async def test_the_api_wants_a_token(home: House) -> None:
    status, problem = await _api(home, API_SEARCH, None)
    assert (status, problem["code"]) == (401, "TOKEN-INVALID")


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
