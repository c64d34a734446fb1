# SPDX-License-Identifier: GPL-2.0-only
"""An attack: a user without privileges tries to crash a strategy's kernel (guest/attack)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import msgspec

from difftest.backends.program import Program
from difftest.guest.build import attack as program
from difftest.outcome import Ending
from difftest.result import Attack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.backends.program import Boots, Ended
    from difftest.strategy import Strategy

SETTINGS = (1, 0)
"""Of vm.unprivileged_userfaultfd. 0 came with 5.11, as the default; before that it was 1."""

TRIES = 15
"""At the race. Linux 6.1 under User-mode Linux lost it by the sixth in 30 boots of 30; 6.12, where
hardly anything interrupts a copy, in 25 of 30 in 20 tries."""

PATIENCE = 60.0
"""Seconds for one boot. With all tries it takes 1; emulated, 5."""

MEMORY = 128
"""MiB of the guest: the attack fills a tmpfs of 32."""


class _Said(msgspec.Struct, forbid_unknown_fields=True, rename={"tries": "try"}):
    """What the attack writes on the console, its lines taken together. Numbers are errnos."""

    default: int | None = None
    uid: int = 0
    capabilities: int = -1
    mount: int = 0
    setting: int = 0
    userfaultfd: int = 0
    user_mode_only: int = 0
    tries: int = 0
    copy: int = 0
    end: bool = False
    error: str = ""

    @property
    def is_unprivileged(self) -> bool:
        refused = self.mount == errno.EPERM and self.setting == errno.EACCES
        return self.uid > 0 and self.capabilities == 0 and refused


def prepare() -> None:
    """Make ready what attacks have in common: workers of another machine cannot."""
    program()


def attacks_on(backend: Boots, chain: Sequence[Strategy]) -> Iterator[Attack]:
    """Attack a strategy's kernel, in a boot for each setting."""
    for setting in SETTINGS:
        attacker = Program(
            init=program(), arguments=(str(setting), str(TRIES)), memory=MEMORY, patience=PATIENCE
        )
        yield judge(chain[-1].name, backend.name, setting, backend.boot(chain, attacker))


def judge(strategy: str, backend: str, setting: int, ended: Ended) -> Attack:
    """Say what a boot with an attack in it came to."""
    try:
        said = _read(ended.console)
        crashed, how = _verdict(said, ended)
    except msgspec.MsgspecError as error:
        said, crashed, how = _Said(), None, f"the attack wrote something unknown: {error}"
    default = None if said.default is None else said.default == setting
    return Attack(strategy, backend, setting, default, crashed, how)


def _read(console: str) -> _Said:
    said: dict[str, object] = {}
    for line in console.splitlines():
        if line.startswith("{"):
            said |= msgspec.json.decode(line, type=dict[str, object])
    return msgspec.convert(said, _Said)


def _verdict(said: _Said, ended: Ended) -> tuple[bool | None, str]:
    """Return whether the kernel crashed, None if that is not known, and how that came about."""
    if doubt := _doubt(said, ended):
        return None, doubt
    if ended.complaint:
        way = f"by a race, within {TRIES} tries" if said.userfaultfd else "at will"
        return True, f"{way}: {ended.complaint.title}"
    if said.user_mode_only:
        return False, f"userfaultfd() is refused: {errno.errorcode[said.user_mode_only]}"
    if said.userfaultfd:
        return False, f"not reached by a race, in {TRIES} tries"
    return False, f"the copy returned {errno.errorcode.get(said.copy, said.copy)}"


def _doubt(said: _Said, ended: Ended) -> str:
    """Say why a boot tells nothing of the attack, "" if it does."""
    complaint = ended.complaint
    if complaint and (complaint.ending is not Ending.CRASHED or not said.tries):
        return f"not in the attack: {complaint.title}"
    if said.error:
        return f"the attack failed: {said.error}"
    if not complaint and not said.end:
        vanished = f"the guest vanished with status {ended.status}"
        return "the attack did not come to an end" if ended.given_up else vanished
    return "" if said.is_unprivileged else "the attack had privileges"
