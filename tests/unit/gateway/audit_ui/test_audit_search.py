"""The compliance pages: a search, its pages, an entry opened; each look is logged first."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import psycopg
import pytest

from gateway.api.audit_ui.views import pseudonym
from gateway.pipeline.audit import AuditAction
from gateway.storage.audit_log import seal
from gateway.storage.audit_signer import AuditSigner, write_audit_key
from tests.support.audit_pages import (
    DOCTOR,
    OTHER_CPR,
    PATIENT_CPR,
    look_of,
    moved_of,
)
from tests.unit.gateway.audit_ui.browsing import SEARCH, Answer, Browser, assert_nothing_leaks

pytestmark = pytest.mark.postgres


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


async def test_when_the_log_cannot_be_written_nothing_is_shown(
    browser: Browser, migrated_database_url: str
) -> None:
    home = browser.home
    await home.write([look_of(home)])
    await browser.log_in()
    form = await browser.get("/audit")
    with psycopg.connect(migrated_database_url, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON audit_entry FROM gateway_app")
    answer = await browser.post("/audit/search", csrf=form.field("csrf"), **SEARCH)
    assert answer.status == 503
    assert "Prøv igen" in answer.text
    assert answer.headers["Retry-After"]
    assert "Indhold vist" not in answer.text
    refused = await browser.log_in("compliance-2")
    assert refused.status == 503
    assert "audit_session" not in str(refused.headers.getall("Set-Cookie", []))
