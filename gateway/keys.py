"""Keys at rest: who can read what, and how content is made unreadable for ever.

    master key (a file outside the database and its backups)
      └─ wraps a key per patient            (column patient.wrapped_key)
           └─ wraps a key per note version  (column note_version.wrapped_key)
                └─ seals the note, its documents and their signatures

AES-256-GCM throughout; the additional data names the row, so that a sealed
value moved to another row does not open. Destroying a wrapped key destroys
what it sealed. Look-ups by CPR number use a keyed hash (HMAC-SHA-256), since
the numbers are few enough to be guessed through a plain one. Further keys
(cursors, tokens, ids) are derived from the master key by HKDF, one per use.

Source: design.md section 2.
"""

from __future__ import annotations

import hmac
import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import ConfigurationFault, ContentGone

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


def seal(key: bytes, plain: bytes, context: bytes) -> bytes:
    """Encrypt: nonce (12 bytes), ciphertext and tag (16 bytes)."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Decrypt what :func:`seal` made with the same key and context.

    Raises:
        ContentGone: another key, another row, or altered bytes.
    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except InvalidTag as error:
        raise ContentGone("a sealed value does not open with its key") from error


def row_context(kind: str, *parts: object) -> bytes:
    """The additional data that binds a sealed value to its row."""
    return "|".join((kind, *map(str, parts))).encode()


class KeyRing:
    """The master key and everything derived from it.

    Args:
        master: 32 bytes.
    """

    def __init__(self, master: bytes) -> None:
        if len(master) != KEY_BYTES:
            raise ConfigurationFault("the master key must be 32 bytes, written as 64 hex digits")
        self._wrapping = self._derive(master, b"wrap patient keys")
        self._cpr = self._derive(master, b"hash cpr numbers")
        self._ids = self._derive(master, b"opaque ids")
        self._content = self._derive(master, b"compare contents")
        self.cursors = self._derive(master, b"seal cursors")
        self.tokens = self._derive(master, b"sign access tokens")
        self.sessions = self._derive(master, b"seal sessions")
        self.person_id = lru_cache(maxsize=65_536)(self._person_id)

    @classmethod
    def from_file(cls, path: Path) -> KeyRing:
        """Read a key file: 64 hexadecimal digits and nothing else.

        Raises:
            ConfigurationFault: missing or malformed.
        """
        try:
            return cls(bytes.fromhex(path.read_text(encoding="ascii").strip()))
        except (OSError, ValueError) as error:
            raise ConfigurationFault(f"master key file {path}: {error}") from error

    @staticmethod
    def _derive(master: bytes, use: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=use).derive(master)

    def cpr_hash(self, cpr: str) -> bytes:
        """The look-up value of a CPR number: 32 bytes."""
        return hmac.digest(self._cpr, cpr.encode(), "sha256")

    def _person_id(self, cpr: str) -> UUID:
        """The opaque id of a person, the same wherever the person turns up."""
        return self._opaque(b"person", cpr.encode())

    def note_id(self, sor_code: str, source_note_id: str) -> UUID:
        """The id of a note; ``source_note_id`` is unique per SOR code."""
        return self._opaque(b"note", sor_code.encode(), source_note_id.encode())

    def practice_id(self, sor_code: str) -> UUID:
        """The id of a practice."""
        return self._opaque(b"practice", sor_code.encode())

    def _opaque(self, *parts: bytes) -> UUID:
        return UUID(bytes=hmac.digest(self._ids, b"\0".join(parts), "sha256")[:16], version=4)

    @property
    def id_namespace(self) -> bytes:
        """Secret name space of the identifiers inside documents."""
        return self._ids

    def content_mac(self, content: bytes) -> bytes:
        """A keyed hash by which two notes are compared without opening them."""
        return hmac.digest(self._content, content, "sha256")

    def wrap_patient_key(self, key: bytes, patient_id: UUID) -> bytes:
        """Seal a patient's key under the master key."""
        return seal(self._wrapping, key, row_context("patient", patient_id))

    def unwrap_patient_key(self, wrapped: bytes, patient_id: UUID) -> bytes:
        """Open a patient's key.

        Raises:
            ContentGone: destroyed, or another master key.
        """
        return unseal(self._wrapping, wrapped, row_context("patient", patient_id))


def new_key() -> bytes:
    """Fresh key material."""
    return os.urandom(KEY_BYTES)


def write_master_key(path: Path) -> None:
    """Make a master key file (mode 0600) unless there is one."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(new_key().hex() + "\n")


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lower-case hexadecimal digits."""
    return sha256(data).hexdigest()
