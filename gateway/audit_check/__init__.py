"""Checks an exported audit log as an outsider would, and names the first entry that fails.

Knows the published form only (the lines of an export and of an anchor file, RFC
6962 hashes, ECDSA P-256 signatures) and shares no code with the service, so that
it shares no mistake. Needs the standard library and ``cryptography``, nothing
else; this folder may be taken away and run alone:

    python -m gateway.audit_check EXPORT --anchor FILE --key PEM [--json]

What is trusted: the public key, and the anchor file in so far as its heads are
signed with that key. What is checked, in this order:

    1. the anchor file: each head signed, each growing out of the one before
    2. the export's heads: the same ones, and then such as are not anchored yet
    3. how far the export reaches: its signed statement against 1 and 2
    4. every entry, in order, against the leaf hashes in the signed heads
    5. no entry id twice, nothing kept from being sealed

Exit code 0: all holds. 1: something does not. 2: it could not be checked.
Memory does not grow with the log; ids are sorted out on disk.

Source: RFC 6962 section 2.1; design.md section 2; sharing-rules 11.1.
"""

from __future__ import annotations

from .check import Check
from .command import main
from .records import Finding, Report, TrustedKey, Unusable

__all__ = ["Check", "Finding", "Report", "TrustedKey", "Unusable", "main"]
