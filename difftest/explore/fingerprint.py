# SPDX-License-Identifier: GPL-2.0-only
"""Fingerprints: two executions with equal ones have the same future, and came to the same so far.

Objects are numbered in the order in which they are found from the system and the frames of the
threads, so that what matters is who refers to whom, never an address. What nobody refers to any
more counts only as far as it is held: a leaked page.
"""

from __future__ import annotations

import dis
import marshal
from functools import cache
from hashlib import blake2b
from inspect import CO_GENERATOR
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, GeneratorType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from difftest.errors import RigError
from difftest.explore.tracing import TRACED, Keyed, Listed, traced
from difftest.model.kernel import Wait
from difftest.model.objects import Memory, SwpEntry, Vma
from difftest.model.system import Removal, System
from difftest.workload.ops import Op

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from difftest.explore.execution import Execution, Thread

_ATOMS = frozenset({int, str, bool, type(None), bytes})
_CONSTANTS = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, System, Op)
_SET_UP = frozenset({"code", "copy", "files", "_halves", "_arena", "_slots"})
"""Of the system: what no thread changes, or, like `copy`, means nothing between two steps."""


class Local(NamedTuple):
    """What a thread has for itself: where it stands, by value, and the objects it refers to."""

    standing: tuple[Any, ...]
    refers: tuple[Any, ...]


class Seen(NamedTuple):
    """A fingerprint; and all objects that were found on the way and that threads can share."""

    digest: bytes
    shared: list[Any]


@cache
def _number_of(code: CodeType) -> str:
    """Name a code object; refuse one that hides a part of its state where it stops."""
    if not code.co_flags & CO_GENERATOR:
        raise RigError(f"{code.co_qualname} is no generator: the explorer cannot see into it")
    loops = [
        (one.offset, one.argval) for one in dis.get_instructions(code) if one.opname == "FOR_ITER"
    ]
    for one in dis.get_instructions(code):
        stops = one.opname in ("YIELD_VALUE", "SEND")
        if stops and any(begin < one.offset < end for begin, end in loops):
            raise RigError(
                f"{code.co_qualname} stops inside a `for`, whose iterator the explorer cannot "
                "see: use `while` there"
            )
    return f"{code.co_filename}:{code.co_firstlineno}"


def local(thread: Thread) -> Local:
    """Return what a thread has for itself. It changes only when the thread takes a step."""
    standing: list[Any] = [thread.position]
    refers: list[Any] = []
    running: Any = thread.running
    while running is not None:
        if type(running) is not GeneratorType:
            raise RigError(f"a thread waits in {running!r}: the explorer cannot see into it")
        frame = running.gi_frame
        if frame is None:
            return Local((thread.position, "crashed"), ())
        standing += (_number_of(frame.f_code), frame.f_lasti)
        for name, value in frame.f_locals.items():
            kind = type(value)
            if kind in _ATOMS:
                standing += (name, value)
            elif kind in (tuple, list) and all(type(one) in _ATOMS for one in value):
                standing += (name, tuple(value))
            elif not isinstance(value, _CONSTANTS):
                standing += (name, kind.__name__)
                refers.append(value)
        running = running.gi_yieldfrom
    return Local(tuple(standing), tuple(refers))


@cache
def _getter(kind: Any) -> Callable[[Any], tuple[Any, ...]] | None:
    """Return what reads the slots of a class and of those that it comes from, if it has any."""
    names = [name for base in kind.__mro__ for name in base.__dict__.get("__slots__", ())]
    if len(names) == 1:
        only = attrgetter(*names)
        return lambda value: (only(value),)
    return attrgetter(*names) if names else None


def fingerprint(execution: Execution, locals_: list[Local]) -> Seen:
    """Return the fingerprint of an execution whose threads have these locals."""
    system = execution.system
    heap = _Heap()
    refer, out = heap.refer, heap.out
    out.append(execution.crash)
    for name, value in vars(system).items():
        if name not in _SET_UP:
            out.append(refer(value))
    out += [refer(one) for one in system.files]
    heap.follow()
    for thread, mine in zip(execution.threads, locals_, strict=True):
        heap.begin()
        out += (mine.standing, thread.results)
        out += [refer(one) for one in mine.refers]
        heap.follow()
    held = [page for page in system.mm.memory.pages if page.refcount > 0]
    out.append(sum(id(page) not in heap.numbers for page in held))
    digest = blake2b(marshal.dumps(out, 2), digest_size=16).digest()
    return Seen(digest, [system, system.files, *heap.shared])


class _Heap:
    """Objects, numbered as they are found; `out` has their fields, with numbers for references."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.out: list[Any] = []
        self.shared: list[Any] = []
        self._queue: list[Any] = []
        self._at = 0
        self._mine = 0
        """From which number on objects belong to the thread whose frames are read."""

    def begin(self) -> None:
        """Begin with the frames of the next thread."""
        self._mine = len(self.numbers)

    def refer(self, value: Any) -> Any:
        """Return an object's number, and have it written if it is new; a plain value itself."""
        if type(value) in _ATOMS:
            return value
        number = self.numbers.get(id(value))
        if number is None:
            if isinstance(value, _CONSTANTS):
                return getattr(value, "__qualname__", "")
            number = self.numbers[id(value)] = len(self.numbers)
            self._queue.append(value)
        elif number < self._mine and type(value) not in TRACED:
            self._share(value)
        return number, _REF

    def _share(self, value: Any) -> None:
        """Trace what others can reach, too, and is of no class that is known to be shared."""
        kind = type(value)
        if kind in (dict, list):
            raise RigError(f"threads share {value!r} by themselves: the explorer cannot trace it")
        if kind not in _INERT:
            TRACED[kind] = traced(kind)
            self.shared.append(value)

    def follow(self) -> None:
        """Write all that was referred to, and what that refers to."""
        queue, out, refer = self._queue, self.out, self.refer
        while self._at < len(queue):
            value = queue[self._at]
            self._at += 1
            kind: Any = type(value)
            if kind in TRACED:
                self.shared.append(value)
            elif not self._mine and kind not in (dict, list):
                self._share(value)
            write = _WRITERS.get(kind)
            if write:
                write(self, value)
            elif getter := _getter(kind):
                # Most are plain values, and this is where the time goes.
                out += [one if type(one) in _ATOMS else refer(one) for one in getter(value)]
            elif hasattr(value, "__dict__"):
                out += [refer(one) for one in vars(value).values()]
            else:
                raise RigError(f"a thread holds {value!r}: the explorer cannot see into it")

    def keyed(self, value: dict[Any, Any]) -> None:
        for key in sorted(value):
            one = value[key]
            self.out += (key, one if type(one) in _ATOMS else self.refer(one))
        self.out.append(None)

    def listed(self, value: list[Any] | tuple[Any, ...]) -> None:
        if value and type(value[0]) is Vma:
            # In which order mappings are looked through makes no difference.
            value = sorted(value, key=_start)
        self.out += [one if type(one) in _ATOMS else self.refer(one) for one in value]
        self.out.append(None)

    def memory(self, value: Memory) -> None:
        """The pages count where they are referred to."""
        self.shared.append(value.pages)
        self.out += (value.vm_committed_as, value.commit_limit, value.total_swap_pages)
        self.out.append(self.refer(value.hstate))

    def wait(self, value: Wait) -> None:
        self.out.append(value.name)


_REF = "@"
_INERT = (SwpEntry, Removal, tuple)
"""What never changes, whoever has it."""
_WRITERS: dict[type, Any] = {
    dict: _Heap.keyed,
    Keyed: _Heap.keyed,
    list: _Heap.listed,
    tuple: _Heap.listed,
    Listed: _Heap.listed,
    Memory: _Heap.memory,
    Wait: _Heap.wait,
}
_start = attrgetter("vm_start")
