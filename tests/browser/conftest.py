"""The compliance pages, running."""

from tests.support.audit_pages import home as home
