# SPDX-License-Identifier: GPL-2.0-only
"""What every kernel function stands on: errno, BUG_ON, and the points at which one may stop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeAlias, TypeVar

PAGE_SIZE = 4096
PAGE_SHIFT = 12
BLOCKS_PER_PAGE = PAGE_SIZE // 512
HPAGE_SHIFT = 21
HPAGE_SIZE = 1 << HPAGE_SHIFT
HPAGE_PAGES = HPAGE_SIZE // PAGE_SIZE

ENOENT, EINTR, EBADF, EAGAIN, ENOMEM, EFAULT = 2, 4, 9, 11, 12, 14
EEXIST, EINVAL, ENOSPC = 17, 22, 28


class KernelBug(Exception):  # noqa: N818 - the kernel calls it a BUG
    """The kernel stopped itself. The title is what a console would be reduced to."""

    @property
    def title(self) -> str:
        return str(self)


def BUG_ON(condition: object, where: str = "") -> None:
    """Stop the kernel, in the name of the function that asked, or of `where`."""
    if condition:
        raise KernelBug(f"BUG at {where or _caller()}")


def WARN_ON(condition: object) -> None:
    """Warn, in the name of the function that asked: the end of a kernel with panic_on_warn."""
    if condition:
        raise KernelBug(f"WARNING at {_caller()}")


def _caller() -> str:
    code = sys._getframe(2).f_code  # noqa: SLF001 - C has __FILE__ and __func__
    file = PurePath(code.co_filename)
    return f"{file.parent.name}/{file.stem}.c {code.co_name.strip('_')}"


VM_BUG_ON = BUG_ON
"""With CONFIG_DEBUG_VM, which all our kernels have."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A task touched a page that a userfaultfd watches, and waits with no lock held."""

    address: int


@dataclass(frozen=True, slots=True)
class Wait:
    """A task wants a lock: it may go on only while `free()`, and takes the lock as it does."""

    name: str
    free: Callable[[], bool]


#: Where a function may sleep, it yields the name of what it waits for; where it faults, a Fault;
#: where it takes a lock that somebody else may hold meanwhile, a Wait.
Stop: TypeAlias = str | Fault | Wait
T = TypeVar("T")
#: A kernel function that may stop.
May: TypeAlias = Generator[Stop, None, T]
