"""The Merkle tree of a transparency log: hashes, roots, a growing edge, proofs.

Pure functions over 32-byte SHA-256 values.

Source: RFC 6962 section 2.1; RFC 9162 section 2.1 (algorithms for proofs).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf: SHA-256 over a zero byte and the entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256 over a one byte and both children."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes; of no leaves, the hash of nothing."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


class Frontier:
    """The right edge of a growing tree: all that is needed to append and to find the root.

    Holds the roots of the perfect subtrees the leaves fall into, largest first,
    at most one per bit of the size.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)
        if len(self._peaks) != size.bit_count():
            raise ValueError("the number of subtrees does not fit the size")

    @classmethod
    def from_bytes(cls, size: int, stored: bytes) -> Frontier:
        """Read what :meth:`to_bytes` wrote for a tree of this size."""
        return cls(
            size,
            [stored[at : at + HASH_BYTES] for at in range(0, len(stored), HASH_BYTES)],
        )

    def to_bytes(self) -> bytes:
        """The subtree roots one after another, largest subtree first."""
        return b"".join(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        node = leaf
        size = self.size
        while size & 1:
            node = node_hash(self._peaks.pop(), node)
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The root over everything appended so far."""
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = node_hash(peak, node)
        return node


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Shows that a leaf stands at ``index`` in a tree of ``tree_size`` leaves."""

    index: int
    tree_size: int
    path: tuple[bytes, ...]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> InclusionProof:
    """Make a proof for the leaf at ``index``.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    return InclusionProof(index, len(leaves), tuple(_path(leaves, index)))


def _path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*_path(leaves[:split], index), root_of(leaves[split:])]
    return [*_path(leaves[split:], index - split), root_of(leaves[:split])]


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def includes(proof: InclusionProof, leaf: bytes, root: bytes) -> bool:
    """Does the proof lead from the leaf to the root? (RFC 9162, 2.1.3.2)"""
    if not 0 <= proof.index < proof.tree_size:
        return False
    index, last, node = proof.index, proof.tree_size - 1, leaf
    for sibling in proof.path:
        if last == 0:
            return False
        if index & 1 or index == last:
            node = node_hash(sibling, node)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        index >>= 1
        last >>= 1
    return last == 0 and node == root


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """Shows that a tree of ``new_size`` leaves begins with all of an older one."""

    old_size: int
    new_size: int
    path: tuple[bytes, ...]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> ConsistencyProof:
    """Make a proof that the tree over ``leaves`` grew out of its first ``old_size``.

    Raises:
        IndexError: the old tree is empty or larger than the new one.
    """
    if not 0 < old_size <= len(leaves):
        raise IndexError(old_size)
    return ConsistencyProof(old_size, len(leaves), tuple(_subproof(leaves, old_size, True)))


def _subproof(leaves: Sequence[bytes], old_size: int, is_whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2; ``is_whole``: the verifier holds this subtree's root."""
    if old_size == len(leaves):
        return [] if is_whole else [root_of(leaves)]
    split = _split(len(leaves))
    if old_size <= split:
        return [*_subproof(leaves[:split], old_size, is_whole), root_of(leaves[split:])]
    return [*_subproof(leaves[split:], old_size - split, False), root_of(leaves[:split])]


def is_consistent(proof: ConsistencyProof, old_root: bytes, new_root: bytes) -> bool:
    """Does the proof lead from the old root to the new one? (RFC 9162, 2.1.4.2)"""
    if not 0 < proof.old_size <= proof.new_size:
        return False
    if proof.old_size == proof.new_size:
        return not proof.path and old_root == new_root
    path = list(proof.path)
    if proof.old_size.bit_count() == 1:
        path.insert(0, old_root)
    if not path:
        return False
    old_index, new_index = proof.old_size - 1, proof.new_size - 1
    while old_index & 1:
        old_index >>= 1
        new_index >>= 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if new_index == 0:
            return False
        if old_index & 1 or old_index == new_index:
            old_node = node_hash(sibling, old_node)
            new_node = node_hash(sibling, new_node)
            while not old_index & 1 and old_index:
                old_index >>= 1
                new_index >>= 1
        else:
            new_node = node_hash(new_node, sibling)
        old_index >>= 1
        new_index >>= 1
    return new_index == 0 and old_node == old_root and new_node == new_root
