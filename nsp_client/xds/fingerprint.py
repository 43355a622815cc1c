"""Hash and size of a document, as registry and repository compare them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from nsp_client.errors import InvalidMetadata
from nsp_client.xds.metadata import SHA1_OF_NOTHING, DocumentEntry


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """SHA-1 as 40 lower-case hexadecimal digits, and the number of bytes."""

    hash: str
    size_bytes: int


def fingerprint(document: bytes) -> Fingerprint:
    """Compute the two figures over the bytes as they will be stored.

    SHA-1 is the profile's choice and guards against accidents only; no decision
    about trust may rest on it.

    Raises:
        InvalidMetadata: an empty document.

    Source: IHE ITI TF-3 4.2.3.2 (hash, size).
    """
    if not document:
        raise InvalidMetadata("document", "empty")
    digest = hashlib.sha1(document, usedforsecurity=False).hexdigest()
    return Fingerprint(hash=digest, size_bytes=len(document))


def matches(entry: DocumentEntry, document: bytes) -> bool:
    """Tell whether bytes fit an entry; letter case of the hash does not matter.

    True as well where nothing can be compared: an on-demand entry, an entry
    without hash, and one with the hash of nothing, which stands for "not known".
    """
    if entry.is_on_demand or entry.hash is None or entry.hash.lower() == SHA1_OF_NOTHING:
        return True
    digest = hashlib.sha1(document, usedforsecurity=False).hexdigest()
    if entry.hash.lower() != digest:
        return False
    return entry.size is None or entry.size == len(document)
