# SPDX-License-Identifier: GPL-2.0-only
"""What a step did to shared state is seen, whatever it was; and states are told apart by it."""

from __future__ import annotations

import pytest

from difftest.backends.model import load
from difftest.explore import tracing
from difftest.explore.execution import Execution
from difftest.explore.fingerprint import fingerprint, local
from difftest.explore.scenario import bundled
from difftest.explore.tracing import TRACED, Effects, Keyed, Tracer, adopt
from difftest.model.memory import alloc_page

SCENARIO = bundled()["two_copiers_filler"]


class Play:
    """An execution whose steps are traced."""

    def __init__(self) -> None:
        self.execution = Execution(SCENARIO, load(()))
        adopt(self.execution)
        self._tracer = Tracer(exact_commit=False)
        self._names = self._tracer.names(self.execution)

    def digest(self) -> bytes:
        return self._seen().digest

    def _seen(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - private to tests
        return fingerprint(self.execution, [local(one) for one in self.execution.threads])

    def step(self, *schedule: int) -> Effects:
        for number in schedule:
            shared = self._seen().shared
            done = self._tracer.step(self.execution, number, self._names, shared)
        return done


def test_two_charges_conflict_and_a_lock_for_reading_does_not() -> None:
    play = Play()
    first_lock = play.step(0, 0)
    charge = play.step(0)
    second_lock = play.step(1, 1)
    second_charge = play.step(1)
    assert charge.conflicts(second_charge)
    assert not first_lock.conflicts(second_lock)
    assert not first_lock.conflicts(charge)


def test_steps_that_do_not_conflict_lead_to_one_state_in_either_order() -> None:
    one, other = Play(), Play()
    a, b = one.step(0, 0), one.step(1, 1)
    other.step(1, 1, 0, 0)
    assert not a.conflicts(b)
    assert one.digest() == other.digest()


def test_states_that_differ_in_one_field_have_different_fingerprints() -> None:
    for change in ("used_blocks", "max_blocks"):
        one, other = Play(), Play()
        assert one.digest() == other.digest()
        setattr(other.execution.system.sb, change, 7)
        assert one.digest() != other.digest()
    for change in ("nr_huge_pages", "free_huge_pages", "resv_huge_pages", "temporary"):
        one, other = Play(), Play()
        pool = other.execution.system.mm.memory.hstate
        setattr(pool, change, getattr(pool, change) + 7)
        assert one.digest() != other.digest()


def test_a_page_that_nobody_refers_to_counts_while_it_is_held() -> None:
    play = Play()
    before = play.digest()
    page = alloc_page(play.execution.system.mm.memory)
    assert play.digest() != before
    page.refcount = 0
    assert play.digest() == before


class Note:
    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = ""


def test_what_a_fix_shares_between_threads_is_traced_whatever_it_is() -> None:
    play = Play()
    play.execution.system.note = Note()  # type: ignore[attr-defined]
    assert any(type(one) is Note for one in play._seen().shared)
    assert Note in TRACED
    del TRACED[Note]


def test_shared_state_is_never_changed_by_what_is_not_traced() -> None:
    traced = Keyed({1: 2})
    traced.__class__ = TRACED[Keyed]
    with pytest.raises(NotImplementedError):
        traced.clear()
    assert traced == {1: 2}


def test_a_key_that_is_written_counts_for_whoever_reads_all_keys() -> None:
    tracing._READS.clear()
    tracing._WRITES.clear()
    kept = Keyed({1: 2})
    kept.__class__ = TRACED[Keyed]
    kept[3] = 4
    assert sorted(kept) == [1, 3]
    assert [(kept, 3), (kept, tracing.WHOLE)] == tracing._WRITES
    assert set(map(repr, tracing._READS)) == {repr((kept, tracing.WHOLE))}
