"""The process stops at each write, starts again, and everything is re-read.

One note lives its whole life: received, held, published, corrected, stopped,
shared again, cancelled, purged, its audit entries sealed. The life is lived once
without a stop to count the places, then once for each place with a stop there.
Who was not answered asks again; nothing else is done by hand.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from consent_builders import __name__ as _  # noqa: F401

from gateway.audit_check.check import Check
