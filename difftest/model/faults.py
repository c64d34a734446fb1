# SPDX-License-Identifier: GPL-2.0-only
"""Fault knobs: chosen calls fail, or do nothing, while a userfaultfd fills a page.

Functions are wrapped by name in modules that are loaded, so the code under test, and what
strategies change of it, says nothing of them. `difftest/kernels/knobs/` does the same to kernels.
"""

from __future__ import annotations

import inspect
from collections import Counter
from typing import TYPE_CHECKING, Any

from difftest.model.kernel import EEXIST, May
from difftest.model.objects import PageRef, Pte

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

_FILL = "mfill_atomic_pte"
_CHECKS_ENTRY = "mfill_zeropage_pte"
"""Checks an entry as those do that install a page, and installs none."""

#: What is wrapped for each site, and what a call returns that fails with an error.
SITES: dict[str, tuple[str, Callable[[int], Any]]] = {
    "block_charge": ("shmem_inode_acct_block", lambda _: False),
    "page_alloc": ("alloc_page", lambda _: None),
    "cache_insert": ("shmem_add_to_page_cache", lambda error: -error),
    "pte_install": ("mfill_atomic_install_pte", lambda error: -error),
    "callee_keeps_page": (_FILL, lambda error: -error),
}


class Faults:
    """The faults that are armed, and those that hit, by their numbers.

    Calls count while a page is filled, which is between `enter` and `leave`.
    """

    def __init__(self) -> None:
        self._armed: dict[tuple[str, int], tuple[int, int]] = {}
        self._calls: Counter[str] = Counter()
        self._hits: list[int] = []
        self._filling = False
        self._taken = 0
        """What the -EEXIST of an entry that looked taken stands for."""

    def arm(self, faults: Iterable[tuple[str, int, int]]) -> None:
        """Let the calls fail that are given as site, call and errno; count from now on."""
        self._armed = {
            (site, call): (number, error) for number, (site, call, error) in enumerate(faults)
        }
        self._calls.clear()
        self._hits.clear()

    def take_hits(self) -> tuple[int, ...]:
        """Return the faults that hit since the last time that somebody asked."""
        hits = tuple(self._hits)
        self._hits.clear()
        return hits

    def at(self, site: str) -> int | None:
        """Count a call; return the errno that it is to fail with, 0 for none, or None."""
        if not self._filling:
            return None
        self._calls[site] += 1
        number, error = self._armed.get((site, self._calls[site]), (-1, 0))
        if number < 0:
            return None
        self._hits.append(number)
        return error

    def inside(self, running: May[Any]) -> May[Any]:
        """Let a kernel function run, with its calls counted; whoever runs where it stops is not."""
        while True:
            self._filling = True
            try:
                stop = next(running)
            except StopIteration as done:
                return done.value
            finally:
                self._filling = False
            yield stop

    def aside(self, call: Callable[[], Any]) -> Any:
        """Make a call with nothing counted."""
        before, self._filling = self._filling, False
        try:
            return call()
        finally:
            self._filling = before

    def keeps_page(self) -> int | None:
        """Say, for a call that fills a page and comes in with one, whether it is to keep that."""
        self._filling = True
        try:
            return self.at("callee_keeps_page")
        finally:
            self._filling = False

    def entry_taken(self) -> bool:
        """Say whether an entry of the page table is to look taken; `filled` has the errno."""
        self._taken = self.at("pte_install") or 0
        return bool(self._taken)

    def filled(self, ret: int) -> int:
        """Return what filling a page came to."""
        taken, self._taken = self._taken, 0
        return -taken if taken and ret == -EEXIST else ret


class Entries(dict[int, Pte]):
    """Page-table entries, of a series in which a check of one stands for its installation."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    def __contains__(self, address: object) -> bool:
        return self._faults.entry_taken() or super().__contains__(address)


def install(modules: Iterable[ModuleType]) -> tuple[Faults, bool]:
    """Wrap the functions of all sites in modules of mm/.

    Returns the faults, and whether a page table must have Entries for there to be all sites.
    """
    faults = Faults()
    found = set()
    for module in modules:
        for site, (name, failed) in SITES.items():
            original = getattr(module, name, None)
            if original is None:
                continue
            found.add(site)
            wrap = _filling(faults, original) if name == _FILL else None
            setattr(module, name, wrap or _failing(faults, site, original, failed))
        if plain := getattr(module, _CHECKS_ENTRY, None):
            setattr(module, _CHECKS_ENTRY, _aside(faults, plain))
    return faults, "pte_install" not in found


def _failing(faults: Faults, site: str, original: Any, failed: Callable[[int], Any]) -> Any:
    if inspect.isgeneratorfunction(original):

        def may(*args: Any, **more: Any) -> May[Any]:
            error = faults.at(site)
            if error is not None:
                return failed(error)
            return (yield from original(*args, **more))

        return may

    def does(*args: Any, **more: Any) -> Any:
        error = faults.at(site)
        return original(*args, **more) if error is None else failed(error)

    return does


def _aside(faults: Faults, original: Any) -> Any:
    return lambda *args, **more: faults.aside(lambda: original(*args, **more))


def _filling(faults: Faults, original: Any) -> Any:
    def fill(*args: Any, **more: Any) -> May[int]:
        comes_in = any(isinstance(one, PageRef) and one.page for one in args)
        error = faults.keeps_page() if comes_in else None
        if error is not None:
            return -error
        return faults.filled((yield from faults.inside(original(*args, **more))))

    return fill
