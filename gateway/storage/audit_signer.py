"""Signs tree heads, and keeps them in a file the database can't reach.

A head is one line of JSON:

    kind           "head"
    log_id         SHA-256 of the log's public key (SubjectPublicKeyInfo), hexadecimal
    tree_size      leaves covered
    root           Merkle root over them, hexadecimal
    previous_root  the root over the first ``first_leaf`` leaves, hexadecimal
    at             when it was sealed
    first_leaf     index of the first leaf that this head adds
    leaf_hashes    the hashes of the leaves it adds, 32 bytes each, base64 of them all
    entry_ids      their entry ids, 16 bytes each, base64 of them all
    signature      ECDSA P-256 with SHA-256, DER, base64

The signature is over the record without ``signature`` in canonical form: keys
sorted, no blanks, ASCII. Hashes and ids of every entry are there so that an
outsider who holds the anchor file can name the very entry that was touched,
also when it is gone.
"""

from __future__ import annotations

import base64
import fcntl
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.errors import AuditUnwritable, ConfigurationFault

TAIL_BYTES: Final = 1 << 20


class AuditSigner:
    """The log's own key. ``log_id`` is the hash of the public key, in hexadecimal."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        public = key.public_key()
        self.public_pem = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        der = public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.log_id = sha256(der).hexdigest()

    @classmethod
    def from_file(cls, path: Path) -> AuditSigner:
        """Read a PEM private key.

        Raises:
            ConfigurationFault: missing, or no P-256 key.
        """
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError) as error:
            raise ConfigurationFault(f"audit key file {path}: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ConfigurationFault(f"audit key file {path}: an ECDSA P-256 key is needed")
        return cls(key)

    def head(
        self,
        *,
        tree_size: int,
        root: bytes,
        previous_root: bytes,
        at: datetime,
        first_leaf: int,
        leaf_hashes: Sequence[bytes],
        entry_ids: Sequence[UUID],
    ) -> bytes:
        """A signed head as one line of JSON, with its line end."""
        return self._signed(
            {
                "kind": "head",
                "tree_size": tree_size,
                "root": root.hex(),
                "previous_root": previous_root.hex(),
                "at": at.isoformat(),
                "first_leaf": first_leaf,
                "leaf_hashes": base64.b64encode(b"".join(leaf_hashes)).decode(),
                "entry_ids": base64.b64encode(b"".join(each.bytes for each in entry_ids)).decode(),
            }
        )

    def export_statement(
        self, *, tree_size: int, root: bytes, anchored_size: int, exported_at: datetime
    ) -> bytes:
        """A signed statement on how far an export reaches, as one line of JSON.

        Without it nobody could tell an export whose end was cut off from one
        made earlier. ``anchored_size`` is the size of the newest anchored head
        that was known before the export began.
        """
        return self._signed(
            {
                "kind": "export",
                "tree_size": tree_size,
                "root": root.hex(),
                "anchored_size": anchored_size,
                "exported_at": exported_at.isoformat(),
            }
        )

    def _signed(self, record: dict[str, Any]) -> bytes:
        record["log_id"] = self.log_id
        signature = self._key.sign(
            orjson.dumps(record, option=orjson.OPT_SORT_KEYS), ec.ECDSA(hashes.SHA256())
        )
        record["signature"] = base64.b64encode(signature).decode()
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS) + b"\n"


def tree_size_of(head: bytes) -> int | None:
    """The size a head is for; None when the line is torn or no head."""
    try:
        size = orjson.loads(head)["tree_size"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return size if isinstance(size, int) else None


class AnchorFile:
    """Signed heads, one a line, appended and flushed to disk; never rewritten.

    The folder must exist. Each machine that seals has a file of its own, and
    every such file holds all heads.
    """

    def __init__(self, path: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        self.path = path
        self._sync = sync

    def last_tree_size(self) -> int:
        """The size in the last readable line; 0 for none.

        Raises:
            AuditUnwritable: the file can't be read.
        """
        last = self.last_head()
        return 0 if last is None else tree_size_of(last) or 0

    def last_head(self) -> bytes | None:
        """The last readable line with its line end; None for none.

        Raises:
            AuditUnwritable: the file can't be read.
        """
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                reach = TAIL_BYTES
                while True:
                    file.seek(max(0, size - reach))
                    lines = file.read(reach).split(b"\n")
                    # What follows the last line end is torn; the first may be cut.
                    for line in reversed(lines[:-1] if reach >= size else lines[1:-1]):
                        if tree_size_of(line) is not None:
                            return line + b"\n"
                    if reach >= size:
                        return None
                    reach *= 4
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AuditUnwritable("anchor file") from error

    def append(self, heads: Sequence[bytes]) -> None:
        """Add heads and wait until they are on disk.

        A torn last line, left by a crash in the middle of a write, is closed
        first, so that it stands alone and harms no other line.

        Raises:
            AuditUnwritable: the file can't be written; a part may have been.
        """
        if not heads:
            return
        try:
            is_new = not self.path.exists()
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                # Two processes on one machine never write into each other's lines.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                end = os.lseek(descriptor, 0, os.SEEK_END)
                torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
                _write_all(descriptor, (b"\n" if torn else b"") + b"".join(heads))
                self._sync(descriptor)
            finally:
                os.close(descriptor)
            if is_new:
                self._sync_folder()
        except OSError as error:
            raise AuditUnwritable("anchor file") from error

    def _sync_folder(self) -> None:
        """Make the new file's name survive a power failure too."""
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_audit_key(path: Path) -> None:
    """Make a signing key file (mode 0600) and its public half unless they are there.

    Of several processes that start at once, one makes the key.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_key(path)
    # Taken from the file: the public half of a key that was not kept would make
    # every log look forged.
    public = path.with_suffix(".pub.pem")
    if not public.exists():
        public.write_bytes(AuditSigner.from_file(path).public_pem)


def _make_key(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=".")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        # The name comes to a whole file, and only if it is still free.
        with suppress(FileExistsError):
            os.link(part, path)
    finally:
        os.unlink(part)
