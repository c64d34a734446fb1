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
from difftest.explore.tracing import TRACED, Keyed, Listed
from difftest.model.kernel import Wait
from difftest.model.objects import Memory, Vma
from difftest.model.system import System
from difftest.workload.ops import Op

if TYPE_CHECKING:
    from types import CodeType

    from difftest.explore.execution import Execution, Thread

_ATOMS = frozenset({int, str, bool, type(None), bytes})
_CONSTANTS = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, System, Op)
_REFS = tuple(f"@{number}" for number in range(4096))
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
        (one.offset, one.argval)
        for one in dis.get_instructions(code)
        if one.opname == "FOR_ITER"
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
def _fields(kind: type) -> tuple[str, ...]:
    slots = getattr(kind, "__slots__", ())
    names = tuple(slots) if isinstance(slots, tuple) else ()
    return tuple(name for name in names if not name.startswith("__"))


@cache
def _getter(kind: type) -> Any:
    names = _fields(kind)
    if len(names) == 1:
        only = attrgetter(*names)
        return lambda value: (only(value),)
    return attrgetter(*names)


def fingerprint(execution: Execution, locals_: list[Local]) -> Seen:
    """Return the fingerprint of an execution whose threads have these locals."""
    system = execution.system
    numbers: dict[int, int] = {}
    queue: list[Any] = []
    out: list[Any] = [execution.crash]

    def refer(value: Any) -> Any:
        if type(value) in _ATOMS:
            return value
        number = numbers.get(id(value))
        if number is None:
            if isinstance(value, _CONSTANTS):
                return getattr(value, "__qualname__", "")
            number = numbers[id(value)] = len(numbers)
            queue.append(value)
        return _REFS[number]

    for name, value in vars(system).items():
        if name not in _SET_UP:
            out.append(refer(value))
    out += [refer(one) for one in system.files]
    for thread, mine in zip(execution.threads, locals_, strict=True):
        out += (mine.standing, thread.results)
        out += [refer(one) for one in mine.refers]

    shared: list[Any] = [system, system.files]
    at = 0
    while at < len(queue):
        value = queue[at]
        at += 1
        kind = type(value)
        if kind in TRACED:
            shared.append(value)
        if kind is Keyed or kind is dict:
            for key in sorted(value):
                out += (key, refer(value[key]))
            out.append(None)
        elif kind is Listed or kind is list or kind is tuple:
            if value and type(value[0]) is Vma:
                # In which order mappings are looked through makes no difference.
                value = sorted(value, key=_start)
            out += [refer(one) for one in value]
            out.append(None)
        elif kind is Memory:
            shared.append(value.pages)
            out += (value.vm_committed_as, value.commit_limit, value.total_swap_pages)
        elif kind is Wait:
            out.append(value.name)
        elif _fields(kind):
            out += [refer(one) for one in _getter(kind)(value)]
        elif hasattr(value, "__dict__"):
            out += [refer(one) for one in vars(value).values()]
        else:
            raise RigError(f"a thread holds {value!r}: the explorer cannot see into it")
    leaked = [page for page in system.mm.memory.pages if page.refcount > 0]
    out.append(sum(id(page) not in numbers for page in leaked))
    return Seen(blake2b(marshal.dumps(out, 2), digest_size=16).digest(), shared)


_start = attrgetter("vm_start")
