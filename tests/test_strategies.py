# SPDX-License-Identifier: GPL-2.0-only
"""The bundled strategies: their patches apply, are run, and say the same to model and kernel."""

from __future__ import annotations

import dis
import linecache
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

import strategies
from difftest import facts, kernels
from difftest.backends.model import ModelBackend, ModelRunner, load
from difftest.patching import touched_files
from difftest.workload import generate

if TYPE_CHECKING:
    from types import FrameType

    from difftest.model import code
    from difftest.strategy import Strategy

KNOWN = {one.name: one for one in strategies.STRATEGIES}
FIXES = [one for one in strategies.STRATEGIES if one.name != "unpatched"]


@pytest.mark.parametrize("strategy", strategies.STRATEGIES, ids=lambda one: one.name)
def test_a_strategy_tells_its_story(strategy: Strategy) -> None:
    assert strategy.claim.endswith(".")
    assert strategy.reference
    assert strategy.weakness
    assert set(strategy.kernel_patches) == set(kernels.SERIES)
    assert strategy.model_patch is not None


@pytest.mark.parametrize("series", kernels.SERIES)
@pytest.mark.parametrize("strategy", FIXES, ids=lambda one: one.name)
def test_model_and_kernel_patch_touch_the_same_files(strategy: Strategy, series: str) -> None:
    assert strategy.model_patch is not None
    model = touched_files(strategy.model_patch, strategy.name)
    kernel = touched_files(strategy.kernel_patches[series], strategy.name)
    assert [name.removesuffix(".py") for name in model] == [
        name.removesuffix(".c") for name in kernel
    ]


@pytest.mark.parametrize("strategy", FIXES, ids=lambda one: one.name)
def test_random_workloads_run_every_line_that_a_model_patch_adds(strategy: Strategy) -> None:
    chain = facts.chain(strategy, KNOWN)
    patched = load(tuple((one.name, one.model_patch or "") for one in chain))
    module = patched.shmem if "shmem" in (strategy.model_patch or "") else _mm(patched)
    before = load(tuple((one.name, one.model_patch or "") for one in chain[:-1]))
    old = before.shmem if module is patched.shmem else _mm(before)
    added = _lines(module) - _lines(old)
    ran: set[str] = set()

    def tracer(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_globals is not vars(module):
            return None
        if event == "line":
            ran.add(f"{frame.f_code.co_name}: {_source(module, frame.f_lineno)}")
        return tracer

    before_tracer = sys.gettrace()
    sys.settrace(tracer)
    try:
        for _ in ModelRunner(patched).run(generate.shard(1, 0, 150)):
            pass
    finally:
        sys.settrace(before_tracer)
    assert added <= ran
    if re.search(r"^\+(?!\+)", strategy.model_patch or "", re.MULTILINE):
        assert added


def _mm(patched: code.Code) -> Any:
    return patched.fs.mm_userfaultfd


def _source(module: Any, line: int) -> str:
    return linecache.getline(module.__file__, line).strip()


def _lines(module: Any) -> set[str]:
    """Return "function: source line" for every line of a module's functions that has code."""
    found = set()
    for name, value in vars(module).items():
        if getattr(value, "__module__", "") == module.__name__ and hasattr(value, "__code__"):
            for _, line in dis.findlinestarts(value.__code__):
                if line and line != value.__code__.co_firstlineno:
                    found.add(f"{name}: {_source(module, line)}")
    return found


def test_the_model_has_a_function_of_the_same_name_for_each_kernel_function() -> None:
    patched = ModelBackend()
    patched.prepare([KNOWN["unpatched"]])
    assert callable(load(()).shmem.shmem_mfill_atomic_pte)
    assert callable(vars(_mm(load(())))["__mcopy_atomic"])
