"""What operators can watch; names and labels are part of the public face.

No label ever holds a person, a note or a free text.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REQUESTS: Final = Histogram(
    "gateway_http_request_seconds",
    "Time from request to answer, in seconds, by route and status class.",
    ("route", "status"),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
NOTES_RECEIVED: Final = Counter("gateway_notes_received_total", "Note versions acknowledged.")
NOTES_REJECTED: Final = Counter("gateway_notes_rejected_total", "Submissions refused.", ("code",))
NOTES_FAILED: Final = Counter(
    "gateway_notes_failed_total", "Notes whose processing failed; each is tried again."
)
LOOPS_FAILED: Final = Counter(
    "gateway_worker_loops_failed_total", "Rounds of a worker's loop that failed.", ("loop",)
)
LOOKS: Final = Counter(
    "gateway_looks_total", "Looks at notes, by door and outcome.", ("door", "outcome")
)
DELIVERIES: Final = Counter(
    "gateway_delivery_attempts_total", "Attempts at the national destination.", ("verdict",)
)
DELIVERY_STATES: Final = Gauge(
    "gateway_deliveries", "Deliveries by state, as last counted.", ("state",)
)
SEALED: Final = Counter("gateway_audit_sealed_total", "Audit entries sealed.")
AUDIT_PENDING: Final = Gauge("gateway_audit_pending", "Audit entries not sealed yet.")
