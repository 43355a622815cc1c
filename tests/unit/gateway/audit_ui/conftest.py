"""A browser before the compliance pages, for every test."""

from tests.support.audit_pages import home as home
from tests.unit.gateway.audit_ui.browsing import browser as browser
