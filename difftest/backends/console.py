# SPDX-License-Identifier: GPL-2.0-only
"""A guest's console: reduced to how the kernel ended and a title for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest.outcome import Ending

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING: Mapping[tuple[str, str], str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the console tells. `title` is stable: no line numbers, addresses or process names.

    `fatal`: the kernel stopped over it, so it belongs to what ran last.
    """

    ending: Ending
    title: str
    fatal: bool


#: Earlier ones win: a warning is followed by the panic it causes. Each has the groups of its title.
_PATTERNS: tuple[tuple[re.Pattern[str], Ending, str], ...] = (
    (
        # User-mode Linux. __func__ is the function before inlining; underscores differ by series.
        re.compile(r"BUG: failure at (?P<file>[\w./-]+):\d+/_*(?P<where>\w+)\(\)!"),
        Ending.CRASHED,
        "BUG at {file} {where}",
    ),
    (
        # x86: the place and, some lines on, the function after inlining.
        re.compile(
            r"kernel BUG at (?P<file>[\w./-]+):\d+!\n(?s:.)*?RIP: [0-9a-f]+:_*(?P<where>\w+)"
        ),
        Ending.CRASHED,
        "BUG at {file} {where}",
    ),
    (
        re.compile(r"WARNING: CPU: \d+ PID: \d+ at (?P<file>[\w./-]+):\d+ _*(?P<where>\w+)"),
        Ending.CRASHED,
        "WARNING at {file} {where}",
    ),
    (
        re.compile(r"BUG: KASAN: (?P<what>[\w-]+) in _*(?P<function>\w+)"),
        Ending.CRASHED,
        "KASAN: {what} in {function}",
    ),
    (
        # Lockdep; what it says of UML's own fork ("suspicious RCU usage") is no lock's affair.
        re.compile(r"^(?:\[[ \d.]+\] )?WARNING: (?P<what>[a-z ]*lock[a-z ]*\w)", re.MULTILINE),
        Ending.CRASHED,
        "WARNING: {what}",
    ),
    (
        re.compile(r"BUG: (?P<what>Bad (?:page|rss-counter) (?:state|map|cache)\w*)"),
        Ending.CRASHED,
        "BUG: {what}",
    ),
    (
        # User-mode Linux; x86, where the address decides which of three it is.
        re.compile(
            r"Kernel mode fault at addr|BUG: kernel NULL pointer dereference"
            r"|BUG: unable to handle page fault|general protection fault(?:, |: )"
        ),
        Ending.CRASHED,
        "panic: Kernel mode fault",
    ),
    (
        re.compile(r"^(?:\[[ \d.]+\] )?BUG: (?P<what>\w[\w ]*\w)", re.MULTILINE),
        Ending.CRASHED,
        "BUG: {what}",
    ),
    (
        re.compile(r"Kernel panic - not syncing: (?:System is deadlocked on|Out of) memory"),
        Ending.OUT_OF_MEMORY,
        "the guest has no memory left",
    ),
    (
        re.compile(
            r"Kernel panic - not syncing: Attempted to kill init! exitcode=0x(?P<code>[0-9a-f]+)"
        ),
        Ending.AGENT_FAILED,
        "the guest agent died, exit code 0x{code}",
    ),
    (
        re.compile(r"Kernel panic - not syncing: (?:No working init|Requested init)"),
        Ending.AGENT_FAILED,
        "the guest agent cannot be started",
    ),
    (
        re.compile(r"Kernel panic - not syncing: (?P<what>[^\n]*\w)"),
        Ending.CRASHED,
        "panic: {what}",
    ),
)


#: What a kernel puts before a line: the time.
_STAMP = re.compile(r"^\[[ \d.]+\] ")


def words(text: str) -> str:
    """Return the line in which a kernel says what is wrong, "" if it says nothing."""
    for pattern, _, _ in _PATTERNS:
        if match := pattern.search(text):
            begin = text.rfind("\n", 0, match.start()) + 1
            return _STAMP.sub("", text[begin:].partition("\n")[0]).strip()
    return ""


#: What the fault knobs print: when they are armed, and which fault hits.
_ARMED = "faults armed"
_HIT = re.compile(r"fault (\d+) hit: call")


def hits(text: str) -> tuple[int, ...]:
    """Return the numbers of the faults that hit in the last workload that had any."""
    return tuple(map(int, _HIT.findall(text.rpartition(_ARMED)[2])))


def read(text: str, renamed: Mapping[tuple[str, str], str] = _NOTHING) -> Complaint | None:
    """Return what a console complains of, None if of nothing.

    `renamed` gives other names for functions, by file and name, as `Series.renamed` has them.
    """
    for pattern, ending, title in _PATTERNS:
        match = pattern.search(text)
        if match:
            words = match.groupdict()
            if "where" in words:
                where = words["where"]
                words["where"] = renamed.get((words["file"], where), where)
            fatal = "Kernel panic - not syncing" in text[match.start() :]
            return Complaint(ending, title.format(**words), fatal)
    return None
