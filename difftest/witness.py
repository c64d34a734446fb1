# SPDX-License-Identifier: GPL-2.0-only
"""A witness file: a workload, below a head that says what it shows, and where.

    # difftest witness 1
    # strategy: naive_hold
    # oracle: block_accounting
    # verdict: fail
    # evidence: 1 of 1 blocks are in use when every file is closed and deleted
    # backends: model uml:6.1
    # passes: release_page
    # seed: 1
    # workload: 61
    # shrunk: yes
    # replay: difftest replay FILE
    mount blocks=1
    ...

The first line has the version of the form. `passes` are strategies that the same oracle passes on
the same workload and backends; the line may be missing. `workload` is the number in a run with that
seed, of which the text is what is left, if it was `shrunk`. Comments may follow the head behind a
line that is `#` alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from difftest.errors import UsageError
from difftest.outcome import Record
from difftest.verdict import Value
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.replay import Replay
    from difftest.workload.workload import Workload

VERSION = 1
"""Of the form of the head. The operations of workloads have none: one that is added changes no
file that there is."""

_FIRST = re.compile(r"# difftest witness (\S+)$")
_FIELD = re.compile(r"# (\w+): (.*)$")
_LISTS = ("backends", "passes")
_REPLAY = "difftest replay FILE"


class Head(Record, frozen=True, forbid_unknown_fields=True):
    """What a witness shows: `oracle` says `verdict` of `strategy` on all of `backends`."""

    strategy: str
    oracle: str
    verdict: Value
    evidence: str
    backends: tuple[str, ...]
    seed: int
    workload: int
    shrunk: bool
    passes: tuple[str, ...] = ()

    @property
    def strategies(self) -> tuple[str, ...]:
        """Return those that it says anything of, the one that it is about first."""
        return (self.strategy, *self.passes)

    def tells_of(self, strategy: str) -> bool:
        return strategy in self.strategies

    def expected(self, strategy: str) -> Value:
        """Return the verdict on a strategy; on one that it does not tell of, as on its own."""
        return Value.PASS if strategy in self.passes else self.verdict


def to_text(head: Head, workload: str, comment: str = "") -> str:
    """Return the file: the head, a comment if there is one, then the workload's text form."""
    fields = [
        ("strategy", head.strategy),
        ("oracle", head.oracle),
        ("verdict", head.verdict.value),
        ("evidence", " ".join(head.evidence.split())),
        ("backends", " ".join(head.backends)),
        *([("passes", " ".join(head.passes))] if head.passes else []),
        ("seed", str(head.seed)),
        ("workload", str(head.workload)),
        ("shrunk", "yes" if head.shrunk else "no"),
        ("replay", _REPLAY),
    ]
    lines = [f"# difftest witness {VERSION}", *(f"# {name}: {value}" for name, value in fields)]
    if comment:
        lines += ["#", f"# {comment}"]
    return "\n".join(lines) + f"\n{workload}"


def from_text(text: str, source: str) -> tuple[Head | None, Workload]:
    """Read a file: its head, None if it has none, and the workload.

    `source` is what messages call the text. Raises UsageError, also for a file of a newer version.
    """
    head = _head(text.splitlines(), source)
    try:
        return head, codec.from_text(text, source)
    except codec.UnknownOperationError as error:
        if head is None:
            raise
        raise UsageError(
            f"{error}. If a newer difftest wrote this witness, replay it with that one"
        ) from None


def _head(lines: Sequence[str], source: str) -> Head | None:
    first = _FIRST.match(lines[0]) if lines else None
    if first is None:
        return None
    if first[1] != str(VERSION):
        raise UsageError(
            f"{source}: a witness of version {first[1]}, and this difftest reads version "
            f"{VERSION}: replay it with the difftest that wrote it, or a newer one"
        )
    fields: dict[str, str | list[str]] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line.startswith("#") or line == "#":
            break
        found = _FIELD.match(line)
        if found is None or found[1] in fields:
            raise UsageError(
                f"{source}, line {number}: {line!r}: expected `# NAME: VALUE`, each name once, in "
                "the head of a witness, or `#` alone before other comments"
            )
        fields[found[1]] = found[2].split() if found[1] in _LISTS else found[2]
    fields.pop("replay", None)
    if fields.get("shrunk") in ("yes", "no"):
        fields["shrunk"] = str(fields["shrunk"] == "yes")
    try:
        return msgspec.convert(fields, Head, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{source}: the head of the witness is not one of version {VERSION}: {error}"
        ) from None


def compared(
    head: Head, replays: Sequence[Replay], *, others: bool = False
) -> Iterator[tuple[bool, str]]:
    """Say of each replay whether it shows what the head says, and in a sentence what it shows.

    Without `others` only of the strategies that the head tells of.
    """
    for one in replays:
        if not others and not head.tells_of(one.strategy):
            continue
        expected = head.expected(one.strategy)
        verdict = dict(one.verdicts).get(head.oracle)
        where = f"{one.strategy} on {one.backend}: {head.oracle}"
        if verdict is None:
            yield False, f"{where} cannot be asked here, and {_due(expected)}"
        elif verdict.value is expected and not verdict.reached:
            yield False, f"{where}: PASS, but it never came to where it could have been a FAIL"
        elif verdict.value is expected:
            yield True, f"{where}: {expected.value.upper()}, as the witness says"
        else:
            why = f" ({verdict.evidence})" if verdict.evidence else ""
            yield False, f"{where}: {verdict.value.upper()}{why}, and {_due(expected)}"


def _due(expected: Value) -> str:
    return f"the witness says {expected.value.upper()}"
