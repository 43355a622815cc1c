"""The Merkle functions against the RFC's own definition, written as slowly as it reads."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import merkle

# The eight leaves of the reference implementations of RFC 6962 and their roots.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

Hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=70)


def slow_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + slow_root(leaves[:split]) + slow_root(leaves[split:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference_implementations(size: int) -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES[:size]]
    assert merkle.root_of(leaves).hex() == ROOTS[size]


@given(Hashes)
def test_the_root_is_the_one_the_definition_gives(leaves: list[bytes]) -> None:
    assert merkle.root_of(leaves) == slow_root(leaves)


@given(Hashes, st.integers(0, 70))
def test_a_stored_frontier_grows_on_as_if_never_stored(leaves: list[bytes], cut: int) -> None:
    first = merkle.Frontier()
    first.extend(leaves[:cut])
    second = merkle.Frontier.from_bytes(first.size, first.to_bytes())
    second.extend(leaves[cut:])
    assert second.size == len(leaves)
    assert second.root() == slow_root(leaves)
    assert len(second.to_bytes()) == 32 * len(leaves).bit_count()


def test_a_frontier_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        merkle.Frontier.from_bytes(3, bytes(32))


@given(Hashes.filter(bool), st.data())
def test_every_leaf_can_be_proved(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = merkle.inclusion_proof(leaves, index)
    root = slow_root(leaves)
    assert merkle.includes(proof, leaves[index], root)
    assert len(proof.path) <= (len(leaves) - 1).bit_length()
    assert not merkle.includes(proof, sha256(leaves[index]).digest(), root)
    assert not merkle.includes(proof, leaves[index], sha256(root).digest())
    assert not merkle.includes(replace(proof, path=(*proof.path, root)), leaves[index], root)
    assert not merkle.includes(replace(proof, index=proof.tree_size), leaves[index], root)
    if proof.path:
        assert not merkle.includes(replace(proof, path=proof.path[:-1]), leaves[index], root)


def test_a_proof_does_not_hold_at_another_place() -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES[:7]]
    root = merkle.root_of(leaves)
    for index in range(7):
        proof = merkle.inclusion_proof(leaves, index)
        for other in range(7):
            holds = merkle.includes(replace(proof, index=other), leaves[index], root)
            assert holds == (other == index)


@given(Hashes.filter(bool), st.data())
def test_a_grown_tree_is_consistent_with_what_it_was(
    leaves: list[bytes], data: st.DataObject
) -> None:
    old_size = data.draw(st.integers(1, len(leaves)))
    proof = merkle.consistency_proof(leaves, old_size)
    old_root, new_root = slow_root(leaves[:old_size]), slow_root(leaves)
    assert merkle.is_consistent(proof, old_root, new_root)
    other = sha256(b"other").digest()
    assert not merkle.is_consistent(proof, other, new_root)
    assert not merkle.is_consistent(proof, old_root, other)
    assert not merkle.is_consistent(replace(proof, path=(*proof.path, other)), old_root, new_root)
    if len(proof.path) > 0:
        shorter = replace(proof, path=proof.path[:-1])
        assert not merkle.is_consistent(shorter, old_root, new_root)


@given(Hashes.filter(lambda leaves: len(leaves) > 1), st.data())
def test_a_rewritten_past_is_not_consistent(leaves: list[bytes], data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, len(leaves)))
    touched = data.draw(st.integers(0, old_size - 1))
    rewritten = [*leaves]
    rewritten[touched] = sha256(rewritten[touched] + b"touched").digest()
    proof = merkle.consistency_proof(rewritten, old_size)
    assert not merkle.is_consistent(proof, slow_root(leaves[:old_size]), slow_root(rewritten))


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_proof_for_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        merkle.inclusion_proof([bytes(32)] * 3, index)


@pytest.mark.parametrize("old_size", [0, 4])
def test_there_is_no_proof_for_a_past_that_never_was(old_size: int) -> None:
    with pytest.raises(IndexError):
        merkle.consistency_proof([bytes(32)] * 3, old_size)
