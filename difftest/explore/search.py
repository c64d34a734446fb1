# SPDX-License-Identifier: GPL-2.0-only
"""The search: every schedule of a scenario, each state visited once, equivalent orders left out.

**States.** Generators cannot be copied. A state is reached again by playing its schedule from the
beginning; what a step leads to is remembered, so that each step of each state is played once.

**Reduction.** In a state only a persistent set of threads takes its next step: one such that no
other thread can ever do, before it, what conflicts with those steps. What a thread may do from
where it stands is learned: the footprints of all steps seen so far from there, and from wherever
those led. The search is repeated, on what is remembered, until a whole pass has learned nothing.
Then nothing is left to learn. For suppose that some schedule has a step that is not in a
footprint, and take the first such step from a state of the last pass. What comes before it is
within the footprints, so the persistent set's steps commute with it, and the same unknown step is
reached from the next state of the pass, too; as no schedule goes on for ever, it is reached in the
pass. A crash conflicts with every other crash, so that each that may come first is found.

**Preemptions.** A bound on them makes orders matter that a reduction takes for one, so there is
none then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from difftest.errors import RigError
from difftest.explore.execution import Execution
from difftest.explore.fingerprint import Seen, fingerprint, local
from difftest.explore.footprints import Footprints
from difftest.explore.tracing import Effects, Tracer, adopt
from difftest.explore.violations import BUG, KINDS, Violation, violations
from difftest.workload.ops import Overcommit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from difftest.explore.scenario import Scenario
    from difftest.model.code import Code

_CRASHES = ("crash", "")


class Bounds(NamedTuple):
    """How far to go: preemptions in a schedule (None: any number), states in all."""

    preemptions: int | None = None
    states: int = 200_000
    reduction: bool = True

    @property
    def reduced(self) -> bool:
        return self.reduction and self.preemptions is None


class Found(NamedTuple):
    """A violation: in how many final states, and a schedule that leads there."""

    violation: Violation
    ends: int
    schedule: tuple[int, ...]


class Exploration(NamedTuple):
    """What a search came to.

    `states` are those of the last pass, `schedules` how many ways lead through them from the
    beginning to an end, `steps` the steps played. `ends` are the fingerprints of final states and
    the titles of crashes. `complete`: within the bounds nothing is left.
    """

    states: int
    schedules: int
    steps: int
    passes: int
    found: tuple[Found, ...]
    ends: frozenset[bytes]
    complete: bool
    seconds: float


class Node:
    """A state, and what is known of it."""

    __slots__ = (
        "digest", "enabled", "inside", "next", "parent", "stands", "thread", "violations",
    )  # fmt: skip

    def __init__(self, digest: bytes, parent: Node | None, thread: int) -> None:
        self.digest = digest
        self.parent = parent
        self.thread = thread
        """Which thread led here from the parent."""
        self.enabled: tuple[int, ...] = ()
        self.inside: tuple[bool, ...] = ()
        """By thread: whether to leave it here takes a preemption."""
        self.stands: tuple[int, ...] = ()
        """By thread: where it stands; -1 if it has returned from all its operations."""
        self.next: dict[int, Node] = {}
        self.violations: tuple[Violation, ...] | None = None

    def schedule(self) -> list[int]:
        found = []
        node: Node = self
        while node.parent is not None:
            found.append(node.thread)
            node = node.parent
        return found[::-1]


class _Live:
    """An execution with all that is needed to go on from it."""

    def __init__(self, execution: Execution, tracer: Tracer, schedule: list[int]) -> None:
        self.execution = execution
        adopt(execution)
        self._names = tracer.names(execution)
        self._tracer = tracer
        self._owned = [0] * len(execution.threads)
        self._named = 0
        execution.run(schedule)
        self._name_pages()
        self._locals = [local(thread) for thread in execution.threads]
        self.seen: Seen = fingerprint(execution, self._locals)

    def _name_pages(self) -> None:
        """Name pages after who allocated them, and as the how manieth of theirs."""
        creators = self.execution.creators
        while self._named < len(creators):
            page = self.execution.system.mm.memory.pages[self._named]
            creator = creators[self._named]
            self._names[id(page)] = f"Page{creator}.{self._owned[creator]}"
            self._owned[creator] += 1
            self._named += 1

    def step(self, number: int) -> Effects:
        effects = self._tracer.step(self.execution, number, self._names, self.seen.shared)
        self._name_pages()
        self._locals[number] = local(self.execution.threads[number])
        self.seen = fingerprint(self.execution, self._locals)
        return effects

    def standing(self, number: int) -> tuple[object, ...]:
        return (number, *self._locals[number].standing)


class Search:
    """A scenario on a model. `progress` is told how many states there are, now and then."""

    def __init__(
        self,
        scenario: Scenario,
        code: Code,
        bounds: Bounds,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._scenario = scenario
        self._code = code
        self._bounds = bounds
        self._progress = progress
        self._tracer = Tracer(
            exact_commit=any(isinstance(op, Overcommit) for _, _, op in scenario.ops())
        )
        self._crashes = self._tracer.mask(_CRASHES)
        self._nodes: dict[bytes, Node] = {}
        self._footprints = Footprints()
        self._live: tuple[_Live, Node] | None = None
        self._steps = 0
        self._chosen: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, ...]] = {}
        self._chosen_at = 0

    def run(self) -> Exploration:
        """Search until nothing is left, or the bound of states is reached.

        Raises RigError where the model holds what the explorer cannot see.
        """
        began = time.monotonic()
        live = _Live(Execution(self._scenario, self._code), self._tracer, [])
        root = self._node(live, None, -1)
        self._live = (live, root)
        passes = 0
        while True:
            passes += 1
            version = self._footprints.version
            walk = _Walk(self, root)
            complete = walk.run()
            if not complete or not self._bounds.reduced or version == self._footprints.version:
                break
        ends = [key for key in walk.counts if not key.node.enabled]
        return Exploration(
            states=len({key.node for key in walk.counts}),
            schedules=walk.counts[Key(root, -1, 0)],
            steps=self._steps,
            passes=passes,
            found=tuple(_found(walk, ends)),
            ends=frozenset(_end(key.node) for key in ends),
            complete=complete,
            seconds=time.monotonic() - began,
        )

    @property
    def full(self) -> bool:
        return len(self._nodes) >= self._bounds.states

    def child(self, node: Node, thread: int) -> Node:
        """Return the state that a thread's next step leads to."""
        known = node.next.get(thread)
        if known:
            return known
        live = self._at(node)
        effects = live.step(thread)
        self._steps += 1
        if live.execution.crash:
            effects |= Effects(writes=self._crashes)
        child = node.next[thread] = self._node(live, node, thread)
        then = -1 if live.execution.crash else child.stands[thread]
        self._footprints.learn(node.stands[thread], effects, then)
        # Judging an end is the end of its execution.
        self._live = (live, child) if child.enabled else None
        return child

    def _at(self, node: Node) -> _Live:
        if self._live and self._live[1] is node:
            return self._live[0]
        return _Live(Execution(self._scenario, self._code), self._tracer, node.schedule())

    def _node(self, live: _Live, parent: Node | None, thread: int) -> Node:
        known = self._nodes.get(live.seen.digest)
        if known:
            return known
        node = self._nodes[live.seen.digest] = Node(live.seen.digest, parent, thread)
        execution = live.execution
        node.stands = tuple(
            -1 if each.done else self._footprints.place(live.standing(each.number))
            for each in execution.threads
        )
        if not execution.crash:
            node.enabled = tuple(execution.enabled())
            node.inside = tuple(each.inside for each in execution.threads)
        if not node.enabled:
            node.violations = violations(execution)
        if len(self._nodes) % 256 == 0:
            self._progress(len(self._nodes))
        return node

    def choices(self, key: Key) -> tuple[int, ...]:
        """Return the threads whose next step is to be taken, in order."""
        node, last, used = key
        if self._bounds.reduced:
            return self._persistent(node)
        most = self._bounds.preemptions
        if last < 0 or most is None:
            return node.enabled
        return (last, *(one for one in node.enabled if one != last)) if used < most else (last,)

    def key_after(self, key: Key, thread: int, child: Node) -> Key:
        if self._bounds.preemptions is None:
            return Key(child, -1, 0)
        used = key.used + (key.last >= 0 and key.last != thread)
        goes_on = thread in child.enabled and child.inside[thread]
        return Key(child, thread if goes_on else -1, used)

    @property
    def version(self) -> int:
        return self._footprints.version

    def _persistent(self, node: Node) -> tuple[int, ...]:
        """Return the enabled threads of the smallest persistent set."""
        if self._chosen_at != self._footprints.version:
            self._chosen.clear()
            self._chosen_at = self._footprints.version
        known = self._chosen.get((node.stands, node.enabled))
        if known is None:
            sets = (self._closure(node, seed) for seed in node.enabled)
            known = min(sets, key=len, default=())
            self._chosen[node.stands, node.enabled] = known
        return known

    def _closure(self, node: Node, seed: int) -> tuple[int, ...]:
        chosen = {seed}
        todo = [seed]
        while todo:
            steps = self._footprints.next[node.stands[todo.pop()]]
            for other, stands in enumerate(node.stands):
                if stands >= 0 and other not in chosen:
                    future = self._footprints.future[stands]
                    if steps.conflicts(future):
                        chosen.add(other)
                        todo.append(other)
        return tuple(one for one in node.enabled if one in chosen)


class Key(NamedTuple):
    """A state as a search with a bound of preemptions sees it.

    `last` is the thread that could go on in its operation, -1 if leaving it is free.
    """

    node: Node
    last: int
    used: int


class _Frame:
    __slots__ = ("children", "choices", "key", "tried", "version")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.version = -1
        self.choices: tuple[int, ...] = ()
        self.tried: set[int] = set()
        self.children: list[Key] = []


class _Walk:
    """One pass, depth first. `counts` has the schedules from each state to an end."""

    def __init__(self, search: Search, root: Node) -> None:
        self._search = search
        self._root = Key(root, -1, 0)
        self.counts: dict[Key, int] = {}
        self.came: dict[Key, tuple[Key, int]] = {}

    def run(self) -> bool:
        """Return whether it came to the end."""
        stack = [_Frame(self._root)]
        on_stack = {self._root}
        complete = True
        while stack:
            frame = stack[-1]
            thread = self._next(frame) if complete else None
            if thread is None:
                known = (self.counts.get(one, 0) for one in frame.children)
                self.counts[frame.key] = sum(known) if frame.key.node.enabled else 1
                on_stack.remove(frame.key)
                stack.pop()
                continue
            if self._search.full and thread not in frame.key.node.next:
                complete = False
                continue
            frame.tried.add(thread)
            child = self._search.child(frame.key.node, thread)
            key = self._search.key_after(frame.key, thread, child)
            frame.children.append(key)
            if key in on_stack:
                raise RigError("a schedule comes back to a state that it began with, without end")
            if key not in self.counts:
                self.came[key] = (frame.key, thread)
                on_stack.add(key)
                stack.append(_Frame(key))
        return complete

    def _next(self, frame: _Frame) -> int | None:
        """Return the next thread to try. What has been learned meanwhile may add some."""
        if frame.version != self._search.version:
            frame.version = self._search.version
            frame.choices = self._search.choices(frame.key)
        return next((one for one in frame.choices if one not in frame.tried), None)

    def schedule(self, key: Key) -> tuple[int, ...]:
        found = []
        while key != self._root:
            key, thread = self.came[key]
            found.append(thread)
        return tuple(found[::-1])


def _end(node: Node) -> bytes:
    """Return what tells an end from others; a crash is told by its title alone."""
    titles = [one.detail for one in node.violations or () if one.kind == BUG]
    return titles[0].encode() if titles else node.digest


def _found(walk: _Walk, ends: list[Key]) -> Iterator[Found]:
    """Return the violations of ends, BUGs by title and others by kind, with a short schedule."""
    by_kind: dict[tuple[str, str], list[tuple[Key, Violation]]] = {}
    for key in ends:
        for one in key.node.violations or ():
            title = one.detail if one.kind == BUG else ""
            by_kind.setdefault((one.kind, title), []).append((key, one))
    for kind in sorted(by_kind, key=lambda each: (KINDS.index(each[0]), each[1])):
        schedules = [(walk.schedule(key), one) for key, one in by_kind[kind]]
        schedule, violation = min(schedules, key=lambda each: (len(each[0]), each[0]))
        yield Found(violation, len({key.node for key, _ in by_kind[kind]}), schedule)
