"""Concurrent submissions share a commit, in order per key, and fail together only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.errors import Unavailable
from gateway.service.group_commit import GroupCommitter


class _Store:
    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fail = False

    async def commit(self, group: Sequence[int]) -> Sequence[int]:
        await self.gate.wait()
        if self.fail:
            raise Unavailable("away")
        self.groups.append(list(group))
        return [item * 10 for item in group]


async def test_what_waits_together_is_committed_together() -> None:
    store = _Store()
    committer = GroupCommitter(store.commit, limit=100, writers=1)
    outcomes = await asyncio.gather(*(committer.submit(n, n) for n in range(20)))
    assert outcomes == [n * 10 for n in range(20)]
    assert len(store.groups) == 1


async def test_a_group_holds_at_most_the_limit() -> None:
    store = _Store()
    committer = GroupCommitter(store.commit, limit=7)
    await asyncio.gather(*(committer.submit(n, n) for n in range(20)))
    assert max(map(len, store.groups)) <= 7
    assert sorted(item for group in store.groups for item in group) == list(range(20))


async def test_twins_never_stand_in_one_group_and_keep_their_order() -> None:
    store = _Store()
    committer = GroupCommitter(store.commit, limit=100, writers=3)
    await asyncio.gather(*(committer.submit(n, n % 3) for n in range(12)))
    for group in store.groups:
        assert len({n % 3 for n in group}) == len(group)
    for key in range(3):
        stored = [n for group in store.groups for n in group if n % 3 == key]
        assert stored == sorted(stored)


async def test_a_failed_commit_fails_every_sender_of_the_group_and_no_later_one() -> None:
    store = _Store()
    store.fail = True
    committer = GroupCommitter(store.commit, limit=100)
    outcomes = await asyncio.gather(
        *(committer.submit(n, n) for n in range(3)), return_exceptions=True
    )
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    store.fail = False
    assert await committer.submit(5, 5) == 50


async def test_a_sender_that_went_away_takes_nobody_with_it() -> None:
    store = _Store()
    store.gate.clear()
    committer = GroupCommitter(store.commit, limit=1, writers=1)
    first = asyncio.create_task(committer.submit(1, 1))
    second = asyncio.create_task(committer.submit(2, 2))
    third = asyncio.create_task(committer.submit(3, 3))
    await asyncio.sleep(0.01)
    second.cancel()
    store.gate.set()
    assert await first == 10
    assert await third == 30
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_a_twin_waits_without_work(monkeypatch: pytest.MonkeyPatch) -> None:
    store = _Store()
    committer = GroupCommitter(store.commit, limit=100, writers=2)
    store.gate.clear()
    first = asyncio.create_task(committer.submit(1, "note"))
    await asyncio.sleep(0)
    looks = 0
    next_group = committer._next_group

    def counted() -> list[object]:
        nonlocal looks
        looks += 1
        return list(next_group())

    twin = asyncio.create_task(committer.submit(2, "note"))
    monkeypatch.setattr(committer, "_next_group", counted)
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert looks < 10
    store.gate.set()
    assert list(await asyncio.gather(first, twin)) == [10, 20]
    assert store.groups == [[1], [2]]
