# SPDX-License-Identifier: GPL-2.0-only
"""The bundled strategies: their patches apply, are run, and say the same to model and kernel."""

from __future__ import annotations

import dis
import linecache
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from played import FITTING, KNOWN

import strategies
from difftest import facts, kernels
from difftest.backends.model import ModelBackend, ModelRunner, load
from difftest.model.kernel import EEXIST
from difftest.patching import touched_files
from difftest.workload import codec, generate

if TYPE_CHECKING:
    from types import FrameType

    from difftest.model import code
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

FIXES = [one for one in strategies.STRATEGIES if one.name != "unpatched"]

#: Lines that a model patch adds and no workload runs, with the reason.
UNREACHED = {
    # The line before them stops the kernel: that is what is wrong with it.
    "release_page_v1": {"put_page(pagep.page)"},
}

#: In the window of a private mapping a shared one of a full mount takes its place: one in a
#: thousand random workloads.
SWAPPED = """\
mount blocks=2
file pages=1
map_anonymous pages=1
copy map=0 page=0 source=M
  window
    remap map=0 file=0 offset=0
    fill leave=0
"""


@pytest.mark.parametrize("strategy", strategies.STRATEGIES, ids=lambda one: one.name)
def test_a_strategy_tells_its_story(strategy: Strategy) -> None:
    assert strategy.claim.endswith(".")
    assert strategy.reference
    assert strategy.weakness
    assert strategy.history.endswith(".")
    assert {*strategy.kernel_patches, *strategy.does_not_apply} == {*kernels.SERIES}
    assert strategy.model_patch is not None


@FITTING
def test_model_and_kernel_patch_touch_the_same_files(strategy: Strategy, series: str) -> None:
    model = touched_files(strategy.model_patch_for(series) or "", strategy.name)
    kernel = touched_files(strategy.kernel_patches[series], strategy.name)
    assert [name.removesuffix(".py") for name in model] == [
        name.removesuffix(".c") for name in kernel if name.endswith(".c")
    ]


@cache
def drawn() -> list[Workload]:
    return generate.shard(1, 0, 150)


@pytest.mark.parametrize("strategy", FIXES, ids=lambda one: one.name)
def test_random_workloads_run_every_line_that_a_model_patch_adds(
    strategy: Strategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = facts.chain(strategy, KNOWN)
    patched, before = (
        load(tuple((one.name, one.model_patch or "") for one in links))
        for links in (chain, chain[:-1])
    )
    modules, befores = (patched.shmem, _mm(patched)), (before.shmem, _mm(before))
    added = {
        line
        for module, old in zip(modules, befores, strict=True)
        for line in _lines(module) - _lines(old)
    }
    ran: set[str] = set()

    def tracer(frame: FrameType, event: str, _: Any) -> Any:
        for module in modules:
            if frame.f_globals is vars(module):
                if event == "line":
                    ran.add(f"{frame.f_code.co_name}: {_source(module, frame.f_lineno)}")
                return tracer
        return None

    some = drawn()
    before_tracer = sys.gettrace()
    sys.settrace(tracer)
    try:
        for _ in ModelRunner(patched).run([*some, codec.from_text(SWAPPED)]):
            pass
        monkeypatch.setattr(modules[1], "mfill_atomic_install_pte", _occupied)
        for _ in ModelRunner(patched).run(some[:20]):
            pass
    finally:
        sys.settrace(before_tracer)
    assert {line.partition(": ")[2] for line in added - ran} == UNREACHED.get(strategy.name, set())
    old_lines = {line.partition(": ")[2] for old in befores for line in _lines(old)}
    new = re.findall(r"^\+(?!\+)\s*(.*)$", strategy.model_patch or "", re.MULTILINE)
    if not {*new} <= old_lines:
        assert added


def _occupied(*_: object, **__: object) -> int:
    """Fail as an entry that appeared in the meantime does, which no workload can bring about."""
    return -EEXIST


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
