"""A log of its own for every test."""

from tests.unit.gateway.audit_log.ledger import log as log
from tests.unit.gateway.audit_log.ledger import sealed as sealed
