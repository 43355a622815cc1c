"""The compliance pages in a real browser: by click, by keyboard, and judged by axe-core."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright, expect

from gateway.pipeline.audit import AuditAction
from tests.support.audit_pages import (
    DOCTOR,
    PATIENT_CPR,
    SECRET_TEXT,
    SECRET_TITLE,
    House,
    look_of,
    moved_of,
)

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.postgres,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's Chromium is not installed"),
]


@pytest.fixture
async def tab(home: House) -> AsyncIterator[Page]:
    """A fresh browser's page; whatever the browser complains of fails the test."""
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1280, "height": 900}, locale="da-DK")
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        yield page
        await browser.close()
    assert [text for text in complaints if "422" not in text] == []


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where the screenshots go: the folder in AUDIT_SHOTS, or the test's own."""
    folder = Path(os.environ.get("AUDIT_SHOTS", tmp_path / "shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def judge(page: Page, shots: Path, name: str) -> None:
    """Take a picture, and fail on anything axe-core objects to."""
    await page.screenshot(path=shots / f"{name}.png", full_page=True)
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    for secret in (SECRET_TEXT, SECRET_TITLE):
        assert secret not in await page.content()


async def log_in(page: Page, home: House) -> None:
    await page.goto(f"{home.url}/audit")
    await page.get_by_role("button", name="Log ind").click()
    await page.get_by_role("button", name="compliance-1").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Søg i loggen")


async def search(page: Page) -> None:
    await page.get_by_label("CPR-nummer").fill(PATIENT_CPR)
    await page.get_by_label("Sagsnummer").fill("2026-0417")
    await page.get_by_label("Grund", exact=False).first.select_option("COMPLAINT")
    await page.get_by_label("Begrundelse med ord").fill("Patienten har klaget over et opslag")
    await page.get_by_role("button", name="Søg").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Loggen om")


async def test_a_person_logs_in_searches_and_opens_without_a_fault_of_access(
    home: House, tab: Page, shots: Path
) -> None:
    await home.write([moved_of(home), look_of(home)])
    await tab.goto(f"{home.url}/audit")
    await judge(tab, shots, "1-login")
    await log_in(tab, home)
    assert tab.url == f"{home.url}/audit"
    await judge(tab, shots, "2-search")
    await tab.get_by_role("button", name="Søg").click()
    await expect(tab.get_by_role("alert")).to_be_focused()
    await judge(tab, shots, "3-search-faults")
    await search(tab)
    await judge(tab, shots, "4-results")
    assert DOCTOR not in await tab.content()
    await (
        tab.get_by_role("row")
        .last.locator("xpath=preceding-sibling::tr[1]")
        .get_by_role("button", name=re.compile("Åbn"))
        .click()
    )
    await expect(tab.get_by_role("heading", level=1)).to_contain_text("åbnet")
    assert DOCTOR in await tab.content()
    await judge(tab, shots, "5-opened")
    await tab.get_by_role("button", name="Log ud").click()
    await expect(tab.get_by_role("status")).to_contain_text("Du er logget ud")
    await judge(tab, shots, "6-logged-out")


async def test_the_pages_fit_a_narrow_screen(home: House, tab: Page, shots: Path) -> None:
    await home.write([moved_of(home), look_of(home)])
    await tab.set_viewport_size({"width": 360, "height": 740})
    await log_in(tab, home)
    await search(tab)
    await judge(tab, shots, "7-narrow-results")
    overflow = await tab.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


async def test_an_entry_opens_by_keyboard_alone(home: House, tab: Page, shots: Path) -> None:
    await home.write([look_of(home)])
    await tab.goto(f"{home.url}/audit")
    await _tab_to(tab, "Log ind")
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("heading", level=1)).to_contain_text("Who logs in?")
    await _tab_to(tab, "compliance-1")
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("heading", level=1)).to_contain_text("Søg i loggen")
    # The first stop of every page leads past its head.
    await tab.keyboard.press("Tab")
    await tab.screenshot(path=shots / "8-skip-link.png")
    await tab.keyboard.press("Enter")
    await tab.keyboard.press("Tab")
    await tab.keyboard.type(PATIENT_CPR)
    await tab.keyboard.press("Tab")
    await tab.keyboard.type("2026-0417")
    await tab.keyboard.press("Tab")
    await tab.keyboard.type("Klage")
    await tab.keyboard.press("Tab")
    await tab.keyboard.type("Patienten har klaget over et opslag")
    await tab.keyboard.press("Tab")
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("heading", level=1)).to_contain_text("Loggen om")
    await _tab_to(tab, "Åbn post nr. 1")
    await tab.screenshot(path=shots / "9-focus.png")
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("heading", level=1)).to_contain_text("Post nr. 1, åbnet")
    assert DOCTOR in await tab.content()
    looks = await home.entries(AuditAction.LOG_READ)
    assert [look["ground"]["reason"] for look in looks] == ["COMPLAINT", "COMPLAINT"]
    assert looks[-1]["opened"] == {"seq": 1}


async def _tab_to(page: Page, text: str, most: int = 60) -> None:
    """Press Tab until the focus is on something that says ``text``, and is seen to be there."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        said, outline = await page.evaluate(
            "[document.activeElement === document.body"
            " ? '' : document.activeElement.textContent.replace(/\\s+/g, ' '),"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        if text in said:
            assert outline != "none"
            return
    raise AssertionError(f"the keyboard does not reach {text!r}")
