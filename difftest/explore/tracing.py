# SPDX-License-Identifier: GPL-2.0-only
"""Tracing: what a step reads and writes of the state that threads share.

For the length of a step the objects of the model become instances of subclasses that note each
access to a field; so no strategy's code has to say what it touches. A resource is a field of an
object, or a key of a dict. Objects that a thread makes meanwhile are its own until it stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from difftest.model import objects
from difftest.model.system import Area, System

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from difftest.explore.execution import Execution

_READS: list[tuple[object, Any]] = []
_WRITES: list[tuple[object, Any]] = []
WHOLE = "*"
"""Stands for all keys of a dict: whoever iterates reads it, whoever adds or removes one writes."""


class Effects(NamedTuple):
    """The resources that steps read, write, and change in a way that commutes, as bit masks."""

    reads: int = 0
    writes: int = 0
    updates: int = 0

    def __or__(self, other: Effects) -> Effects:
        return Effects(
            self.reads | other.reads, self.writes | other.writes, self.updates | other.updates
        )

    def conflicts(self, other: Effects) -> bool:
        """Say whether it may matter which of the two comes first."""
        return bool(
            self.writes & (other.reads | other.writes | other.updates)
            or self.reads & (other.writes | other.updates)
            or self.updates & (other.reads | other.writes)
        )


class Keyed(dict[Any, Any]):
    """A dict that the model shares between threads."""

    __slots__ = ()


class Listed(list[Any]):
    """A list that the model shares between threads."""

    __slots__ = ()


def _noting(base: type, name: str, *, key: bool, reads: bool, writes: bool) -> Callable[..., Any]:
    method = getattr(base, name)

    def noted(self: Any, *args: Any) -> Any:
        at = args[0] if key else WHOLE
        if reads:
            _READS.append((self, at))
        if writes:
            _WRITES.append((self, at))
            if key:
                _WRITES.append((self, WHOLE))
        return method(self, *args)

    return noted


def _refusing(base: type, name: str) -> Callable[..., Any]:
    def refused(self: Any, *args: Any) -> Any:
        raise NotImplementedError(f"{base.__name__}.{name}() of shared state is not traced")

    return refused


def _traced_container(base: type, **kinds: tuple[bool, bool, bool]) -> type:
    methods: dict[str, Any] = {"__slots__": ()}
    for name, (key, reads, writes) in kinds.items():
        methods[name] = _noting(base, name, key=key, reads=reads, writes=writes)
    plain = {"__class__", "__getattribute__", "__class_getitem__", "__repr__", "__sizeof__"}
    kin = base.__mro__[1]
    for name in vars(kin).keys() - methods.keys() - plain - vars(object).keys():
        if callable(getattr(kin, name)):
            methods[name] = _refusing(base, name)
    return type(base.__name__, (base,), methods)


_KEY_R, _KEY_W, _KEY_RW = (True, True, False), (True, False, True), (True, True, True)
_ALL_R, _ALL_RW = (False, True, False), (False, True, True)
_TracedKeyed = _traced_container(
    Keyed,
    __getitem__=_KEY_R, __contains__=_KEY_R, get=_KEY_R, __setitem__=_KEY_W, __delitem__=_KEY_RW,
    pop=_KEY_RW, __iter__=_ALL_R, __len__=_ALL_R, keys=_ALL_R, values=_ALL_R, items=_ALL_R,
)  # fmt: skip
_TracedListed = _traced_container(
    Listed,
    __getitem__=_ALL_R, __contains__=_ALL_R, __iter__=_ALL_R, __len__=_ALL_R, index=_ALL_R,
    count=_ALL_R, __reversed__=_ALL_R, append=_ALL_RW, remove=_ALL_RW, pop=_ALL_RW,
    insert=_ALL_RW, extend=_ALL_RW, __setitem__=_ALL_RW, __delitem__=_ALL_RW,
)  # fmt: skip


def traced(base: type) -> type:
    """Return the subclass that notes each access to a field."""
    get, put = object.__getattribute__, object.__setattr__

    def __getattribute__(self: Any, name: str) -> Any:  # noqa: N807
        value = get(self, name)
        _READS.append((self, name))
        if type(value) is dict or type(value) is list:
            # Nobody sees what is done to it: it may be changed.
            _WRITES.append((self, name))
        return value

    def __setattr__(self: Any, name: str, value: Any) -> None:  # noqa: N807
        _WRITES.append((self, name))
        put(self, name, value)

    methods = {
        "__slots__": (),
        "__getattribute__": __getattribute__,
        "__setattr__": __setattr__,
    }
    return type(base.__name__, (base,), methods)


_SHARED = (
    objects.Page,
    objects.AddressSpace,
    objects.SuperBlock,
    objects.Inode,
    objects.Pte,
    objects.Userfaultfd,
    objects.Vma,
    objects.Hstate,
    objects.Memory,
    objects.Mm,
    Area,
    System,
)
TRACED: dict[type, type] = {base: traced(base) for base in _SHARED} | {
    Keyed: _TracedKeyed,
    Listed: _TracedListed,
}
_become = object.__setattr__


def adopt(execution: Execution) -> None:
    """Make the containers of a system that was just set up such that can be traced."""
    for owner in set_up_objects(execution.system):
        for name in _fields(owner):
            value = getattr(owner, name)
            if type(value) is dict:
                _become(owner, name, Keyed(value))
            elif type(value) is list:
                _become(owner, name, Listed(value))


def _fields(owner: object) -> tuple[str, ...]:
    if isinstance(owner, System):
        return tuple(vars(owner))
    return tuple(type(owner).__slots__)  # type: ignore[attr-defined]


def set_up_objects(system: System) -> list[Any]:
    """Return the objects that a system has before any thread runs, in the order of their names."""
    inodes = [*system.files, system.filler]
    found = [system, system.sb, system.shm_mnt, system.mm, system.mm.memory]
    found += [system.mm.memory.hstate]
    found += inodes
    found += [inode.i_mapping for inode in inodes]
    for vma in system.mm.vmas:
        found += [vma]
        found += [vma.vm_file, vma.vm_file.i_mapping] if vma.vm_file else []
    found += system.maps
    found += [*filter(None, (system._source, system._own_sources, system._destination))]  # noqa: SLF001
    return list({id(one): one for one in found}.values())


class Tracer:
    """Names resources by where they are found, so that a name means the same in every execution.

    `exact_commit`: whether the machine has a limit of committed memory, at some time.
    """

    def __init__(self, *, exact_commit: bool) -> None:
        self._bits: dict[tuple[str, Any], int] = {}
        self._commutes = {("mm", "readers"), ("memory.pages", WHOLE)}
        if not exact_commit:
            self._commutes.add(("memory", "vm_committed_as"))

    def names(self, execution: Execution) -> dict[int, str]:
        """Return the names of what a system has before any thread runs, by identity."""
        system = execution.system
        found = {}
        known = {id(system): "system", id(system.mm): "mm", id(system.mm.memory): "memory"}
        for number, one in enumerate(set_up_objects(system)):
            name = known.get(id(one), f"{type(one).__name__}{number}")
            found[id(one)] = name
            for field in _fields(one):
                value = getattr(one, field)
                if type(value) in (Keyed, Listed):
                    found[id(value)] = f"{name}.{field}"
        return found

    def step(
        self, execution: Execution, number: int, names: dict[int, str], shared: list[Any]
    ) -> Effects:
        """Run a step; return what it did to the objects in `shared`, all that there are."""
        open_before = execution.system._destination_open  # noqa: SLF001
        _READS.clear()
        _WRITES.clear()
        for one in shared:
            _become(one, "__class__", TRACED[type(one)])
        try:
            execution.advance(number)
        finally:
            reads, writes = _READS.copy(), _WRITES.copy()
            for one in shared:
                _become(one, "__class__", type(one).__base__)
        execution.note_pages(number)
        still_open = open_before and execution.system._destination_open  # noqa: SLF001
        return self._effects(reads, writes, names, in_flight=still_open)

    def _effects(
        self,
        reads: list[tuple[object, Any]],
        writes: list[tuple[object, Any]],
        names: dict[int, str],
        *,
        in_flight: bool,
    ) -> Effects:
        written = set(self._named(writes, names))
        read = set(self._named(reads, names))
        updated = {key for key in written if key in self._commutes}
        updated |= {key for key in written if key[1] == WHOLE and key not in read}
        if in_flight:
            # While it is open nobody asks how many ioctls hold it.
            updated |= {key for key in written if key == ("system", "_in_flight")}
        return Effects(
            self._masks(read - updated), self._masks(written - updated), self._masks(updated)
        )

    def _named(
        self, accesses: list[tuple[object, Any]], names: dict[int, str]
    ) -> Iterator[tuple[str, Any]]:
        for one, field in accesses:
            name = names.get(id(one))
            if name != "system" or field not in _UNSHARED:
                # What has no name came later: one name for all of its kind.
                yield name or type(one).__name__, field

    def _masks(self, keys: set[tuple[str, Any]]) -> int:
        mask = 0
        for key in keys:
            mask |= self.mask(key)
        return mask

    def mask(self, key: tuple[str, Any]) -> int:
        """Return the bit of a resource."""
        return 1 << self._bits.setdefault(key, len(self._bits))


_UNSHARED = frozenset({"copy"})
"""Of the system: what is set and read in one step."""
