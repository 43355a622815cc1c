"""A log for every test."""

from tests.unit.gateway.audit_check.findings import log as log
