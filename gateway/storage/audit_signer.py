"""Signs tree heads, and keeps them in a file the database can't reach.

A head is one JSON line. The signature is ECDSA P-256 with SHA-256 over the
canonical JSON of the record without its ``signature``.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

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
        at: datetime,
        first_leaf: int,
        leaf_hashes: Sequence[bytes],
    ) -> bytes:
        """A signed head as one line of JSON, with its line end.

        It names the leaf hashes sealed by it, so that an outsider who holds the
        anchor file alone can tell exactly which entry was touched.
        """
        record: dict[str, Any] = {
            "log_id": self.log_id,
            "tree_size": tree_size,
            "root": root.hex(),
            "at": at.isoformat(),
            "first_leaf": first_leaf,
            "leaf_hashes": [base64.b64encode(each).decode() for each in leaf_hashes],
        }
        signature = self._key.sign(
            orjson.dumps(record, option=orjson.OPT_SORT_KEYS), ec.ECDSA(hashes.SHA256())
        )
        record["signature"] = base64.b64encode(signature).decode()
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS) + b"\n"


class AnchorFile:
    """Signed heads, one a line, appended and flushed to disk; never rewritten."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def last_tree_size(self) -> int:
        """The size in the last complete line; 0 for none."""
        try:
            with self.path.open("rb") as file:
                file.seek(0, os.SEEK_END)
                size = file.tell()
                reach = TAIL_BYTES
                while True:
                    file.seek(max(0, size - reach))
                    lines = file.read().split(b"\n")
                    # The part after the last line end is torn; the first may be cut.
                    complete = lines[:-1] if reach >= size else lines[1:-1]
                    if complete or reach >= size:
                        break
                    reach *= 4
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise AuditUnwritable("anchor file") from error
        return int(orjson.loads(complete[-1])["tree_size"]) if complete else 0

    def append(self, heads: Sequence[bytes]) -> None:
        """Add heads and wait until they are on disk.

        A torn last line, left by a crash in the middle of a write, is closed
        first, so that it stands alone and harms no other line.

        Raises:
            AuditUnwritable: the file can't be written.
        """
        if not heads:
            return
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                end = os.lseek(descriptor, 0, os.SEEK_END)
                torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
                os.write(descriptor, (b"\n" if torn else b"") + b"".join(heads))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise AuditUnwritable("anchor file") from error


def write_audit_key(path: Path) -> None:
    """Make a signing key file (mode 0600) and its public half unless they are there."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.with_suffix(".pub.pem").write_bytes(AuditSigner(key).public_pem)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
