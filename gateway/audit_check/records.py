"""What stands in an export and in an anchor file, read without trusting it.

Source: RFC 6962 section 2.1 (hashes and roots).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LONGEST_LINE_BYTES: Final = 64 << 20
MOST_FINDINGS: Final = 100
_PLAIN_ENTRY: Final = b'{"kind":"entry"'
# Nothing may stand beside these: it would be read as if it had been sealed.
_ENTRY_NAMES: Final = (
    {"kind", "leaf_index", "entry_id", "body"},
    {"kind", "leaf_index", "entry_id", "body_base64"},
)


class Unusable(Exception):
    """The check can't be made: a file or the key is missing or of another kind."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold.

    ``kind``: ``altered``, ``removed``, ``swapped``, ``inserted``, ``cut_off``,
    ``rolled_back``, ``duplicate_id`` and ``unsealed`` are about an entry;
    ``anchor``, ``head``, ``statement`` and ``log`` about what surrounds them.
    """

    kind: str
    message: str
    leaf_index: int | None = None
    entry_id: str | None = None


@dataclass(slots=True)
class Report:
    """The outcome. Sizes are numbers of leaves; ``entries`` are those found in order.

    ``more_findings`` were counted only: a broken file can give one for each line.
    """

    log_id: str = ""
    exported_at: str | None = None
    tree_size: int = 0
    anchored_size: int = 0
    heads: int = 0
    entries: int = 0
    findings: list[Finding] = field(default_factory=list)
    more_findings: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def add(self, kind: str, message: str, leaf: int | None = None, id_: str | None = None) -> None:
        """Note a finding; those on a certain leaf are few, and all kept."""
        if leaf is None and len(self.findings) >= MOST_FINDINGS:
            self.more_findings += 1
        else:
            self.findings.append(Finding(kind, message, leaf, id_))


class TrustedKey:
    """The log's public key, as the outsider got it from somewhere else."""

    def __init__(self, pem: bytes) -> None:
        try:
            key = serialization.load_pem_public_key(pem)
        except ValueError as error:
            raise Unusable("the key file holds no public key in PEM form") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise Unusable("the key is no ECDSA P-256 key")
        self._key = key
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.pem = key.public_bytes(serialization.Encoding.PEM, form).decode()
        der = key.public_bytes(serialization.Encoding.DER, form)
        self.log_id = sha256(der).hexdigest()

    def has_signed(self, record: dict[str, Any], kind: str) -> bool:
        """Whether the record is of this kind and log, and signed as it stands."""
        unsigned = {name: value for name, value in record.items() if name != "signature"}
        if record.get("kind") != kind or record.get("log_id") != self.log_id:
            return False
        try:
            text = json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            signature = base64.b64decode(record["signature"], validate=True)
            self._key.verify(signature, text.encode(), ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError, KeyError, TypeError, RecursionError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Statement:
    """What the exporter signed: how many leaves there were, and how many were anchored."""

    tree_size: int
    root: bytes
    anchored_size: int
    exported_at: datetime

    @classmethod
    def read(cls, record: dict[str, Any]) -> Statement | None:
        """The statement in a record; None if it has not the form of one."""
        try:
            statement = cls(
                record["tree_size"],
                bytes.fromhex(record["root"]),
                record["anchored_size"],
                datetime.fromisoformat(record["exported_at"]),
            )
        except (KeyError, TypeError, ValueError):
            return None
        fits = type(statement.tree_size) is int and type(statement.anchored_size) is int
        return statement if fits and statement.exported_at.tzinfo else None


@dataclass(frozen=True, slots=True)
class Head:
    """A signed head: ``hashes`` are 32 bytes a leaf, ``ids`` 16."""

    tree_size: int
    root: bytes
    previous_root: bytes
    at: datetime
    first_leaf: int
    hashes: bytes
    ids: bytes

    @classmethod
    def read(cls, record: dict[str, Any]) -> Head | None:
        """The head in a record; None if it has not the form of one."""
        try:
            head = cls(
                record["tree_size"],
                bytes.fromhex(record["root"]),
                bytes.fromhex(record["previous_root"]),
                datetime.fromisoformat(record["at"]),
                record["first_leaf"],
                base64.b64decode(record["leaf_hashes"], validate=True),
                base64.b64decode(record["entry_ids"], validate=True),
            )
        except (KeyError, TypeError, ValueError):
            return None
        if type(head.tree_size) is not int or type(head.first_leaf) is not int:
            return None
        added = head.tree_size - head.first_leaf
        fits = added > 0 and len(head.hashes) == 32 * added and len(head.ids) == 16 * added
        return head if fits and head.at.tzinfo else None

    def leaves(self) -> Iterator[tuple[bytes, bytes]]:
        """Hash and entry id of each leaf it adds."""
        for at in range(self.tree_size - self.first_leaf):
            yield self.hashes[32 * at : 32 * at + 32], self.ids[16 * at : 16 * at + 16]


class History:
    """What the signed heads say, each checked to grow out of the one before.

    ``marked_root`` is the root at ``mark`` leaves, if a head stands there;
    ``beyond`` the first head that adds leaves after it.
    """

    def __init__(self, mark: int | None) -> None:
        self.size = 0
        self.heads = 0
        self.mark = mark
        self.marked_root = sha256(b"").digest() if mark == 0 else None
        self.beyond: Head | None = None
        self.anchored_size = 0
        self.oldest_unanchored_at: datetime | None = None
        self._peaks: list[bytes] = []

    def add(self, head: Head) -> str | None:
        """Take the next head in; returns what is wrong with it, if anything."""
        if head.first_leaf != self.size:
            return f"begins at leaf {head.first_leaf}, expected was {self.size}"
        if head.previous_root != self._root():
            return "does not grow out of the head before it"
        for leaf, _ in head.leaves():
            self._append(leaf)
        if head.root != self._root():
            return "has a root that does not follow from its leaf hashes"
        self.heads += 1
        if self.size == self.mark:
            self.marked_root = head.root
        if self.mark is not None and head.first_leaf >= self.mark and self.beyond is None:
            self.beyond = head
        return None

    def _append(self, node: bytes) -> None:
        rest = self.size
        while rest % 2:
            node = sha256(b"\x01" + self._peaks.pop() + node).digest()
            rest //= 2
        self._peaks.append(node)
        self.size += 1

    def _root(self) -> bytes:
        if not self._peaks:
            return sha256(b"").digest()
        root = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            root = sha256(b"\x01" + peak + root).digest()
        return root


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE_BYTES):
            number += 1
            yield number, line


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different: of two, programs would read either."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object)


def parse(content: bytes) -> dict[str, Any] | None:
    """The JSON object in UTF-8; None if it is not one, or one that can be read in two ways."""
    try:
        value = _DECODER.decode(content.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def anchored_records(path: Path, report: Report) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of the anchor file. A torn line is one that the next one repeats whole."""
    torn: list[tuple[int, bytes]] = []
    repeated = 0
    for number, line in lines(path):
        record = parse(line)
        if record is None:
            torn.append((number, line.rstrip(b"\n")))
            continue
        for torn_number, part in torn:
            if line.startswith(part):
                repeated += 1
            else:
                report.add("anchor", f"anchor file, line {torn_number}: unreadable")
        torn.clear()
        yield number, record
    if repeated:
        report.notes.append(f"anchor file: {repeated} torn lines, each repeated whole")
    if torn:
        report.notes.append(f"anchor file, line {torn[0][0]}: not written to its end")


def shown_heads(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The head records of the export; empty for one that has no form."""
    for number, line in lines(path):
        if not line.startswith(_PLAIN_ENTRY):
            value = parse(line)
            if value is not None and value.get("kind") == "head":
                head = value.get("head")
                yield number, head if isinstance(head, dict) else {}


@dataclass(frozen=True, slots=True)
class Shown:
    """A line of the export where an entry should stand; ``hash`` is None if it is none."""

    line: int
    leaf_index: int | None = None
    entry_id: str | None = None
    hash: bytes | None = None
    names_itself: bool = False


def shown_entries(
    path: Path, unsealed: Callable[[dict[str, Any]], None] | None = None
) -> Iterator[Shown]:
    """The lines that are entries, or should be; ``unsealed`` is given those not sealed."""
    for number, line in lines(path):
        value = parse(line)
        kind = None if value is None else value.get("kind")
        if value is None or kind not in ("entry", "head", "unsealed", "log"):
            yield Shown(number)
        elif kind == "entry":
            yield _shown(number, value)
        elif kind == "unsealed" and unsealed is not None:
            unsealed(value)
        elif kind == "log" and number > 1:
            yield Shown(number)


def _shown(number: int, value: dict[str, Any]) -> Shown:
    if value.keys() not in _ENTRY_NAMES:
        return Shown(number)
    id_, index = value["entry_id"], value["leaf_index"]
    try:
        if "body" in value:
            content = value["body"].encode()
        else:
            content = base64.b64decode(value["body_base64"], validate=True)
    except (AttributeError, TypeError, ValueError):
        return Shown(number)
    if not isinstance(id_, str) or type(index) is not int:
        return Shown(number)
    hash_ = sha256(b"\x00" + content).digest()
    return Shown(number, index, id_, hash_, _id_inside(content) == id_)


def _id_inside(content: bytes) -> object:
    """The id that an entry gives itself; None if it has none."""
    try:
        inside = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return inside.get("entry_id") if isinstance(inside, dict) else None
