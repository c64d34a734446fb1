# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import strategies
from difftest import facts, kernels
from difftest.attack import attacks_on, judge
from difftest.backends import console
from difftest.backends.program import Ended, Program
from difftest.backends.uml import UmlBackend
from difftest.guest.build import SOURCES, attack
from difftest.result import Attack

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = {one.name: one for one in strategies.STRATEGIES}
KERNELS = {name: UmlBackend(one) for name, one in kernels.SERIES.items()}
every_series = pytest.mark.parametrize("series", KERNELS)

BUG = "BUG at mm/userfaultfd.c mcopy_atomic"
NOBODY = '{"default":0}\n{"uid":65534,"capabilities":0,"mount":1,"setting":13}\n'
SURE = '{"userfaultfd":0,"user_mode_only":0}\n{"try":1}\n'
RACE = '{"userfaultfd":1,"user_mode_only":0}\n{"try":1}\n{"try":2}\n'
REFUSED = '{"userfaultfd":1,"user_mode_only":1}\n'
CRASH = "BUG: failure at mm/userfaultfd.c:691/__mcopy_atomic()!\nKernel panic - not syncing: BUG!\n"
KILLED = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\n"
END = '{"end":true}\nreboot: System halted\n'


def judged(text: str, *, setting: int = 0, given_up: bool = False) -> Attack:
    ended = Ended(text, console.read(text), 0, given_up)
    return judge("unpatched", "uml:6.1", setting, ended)


@pytest.mark.parametrize(
    ("text", "crashed", "how"),
    [
        (NOBODY + SURE + CRASH, True, f"at will: {BUG}"),
        (NOBODY + RACE + CRASH, True, f"by a race, within 15 tries: {BUG}"),
        (NOBODY + SURE + '{"copy":12}\n' + END, False, "the copy returned ENOMEM"),
        (NOBODY + RACE + END, False, "not reached by a race, in 15 tries"),
        (NOBODY + REFUSED + END, False, "userfaultfd() is refused: EPERM"),
    ],
)
def test_an_attack_crashes_the_kernel_or_does_not(text: str, crashed: bool, how: str) -> None:  # noqa: FBT001
    assert judged(text) == Attack("unpatched", "uml:6.1", 0, default=True, crashed=crashed, how=how)


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("", "the guest vanished with status 0"),
        (NOBODY + RACE, "the guest vanished with status 0"),
        (CRASH, f"not in the attack: {BUG}"),
        (NOBODY + CRASH, f"not in the attack: {BUG}"),
        (NOBODY + SURE + KILLED, "not in the attack: the guest agent died, exit code 0x0000000b"),
        (NOBODY + SURE + '{"error":"poll: no"}\n' + END, "the attack failed: poll: no"),
        (NOBODY + "{what?}\n" + END, "the attack wrote something unknown: "),
        (NOBODY + '{"what":1}\n' + END, "the attack wrote something unknown: "),
    ],
)
def test_what_is_not_the_end_of_an_attack_tells_nothing(text: str, how: str) -> None:
    seen = judged(text)
    assert seen.crashed is None
    assert seen.how.startswith(how)


def test_an_attack_that_does_not_end_tells_nothing() -> None:
    assert judged(NOBODY + RACE, given_up=True).how == "the attack did not come to an end"


@pytest.mark.parametrize(
    ("shown", "instead"),
    [
        ('"uid":65534', '"uid":0'),
        ('"capabilities":0', '"capabilities":128'),
        ('"mount":1', '"mount":0'),
        ('"setting":13', '"setting":0'),
    ],
)
@pytest.mark.parametrize("rest", [SURE + CRASH, RACE + END], ids=["crash", "end"])
def test_an_attack_with_privileges_tells_nothing(rest: str, shown: str, instead: str) -> None:
    seen = judged(NOBODY.replace(shown, instead) + rest)
    assert (seen.crashed, seen.how) == (None, "the attack had privileges")


def test_the_default_of_the_setting_is_the_kernels() -> None:
    assert judged(NOBODY + SURE + CRASH, setting=1).default is False
    assert judged("").default is None


@pytest.mark.kernel
@every_series
def test_an_unprivileged_user_crashes_the_unpatched_kernel(series: str) -> None:
    chain = [KNOWN["unpatched"]]
    KERNELS[series].prepare(chain)
    sure, race = attacks_on(KERNELS[series], chain)
    assert (sure.setting, sure.crashed, sure.how) == (1, True, f"at will: {BUG}")
    if series == "5.10":  # 0 leaves no userfaultfd at all there, and is not the default
        assert (sure.default, race.default) == (True, False)
        assert (race.crashed, race.how) == (False, "userfaultfd() is refused: EPERM")
    else:
        assert (sure.default, race.default) == (False, True)
        assert race.crashed is not None
    if series == "6.1":  # on 6.12 copies are too short for the race to be won each time
        assert (race.crashed, race.how) == (True, f"by a race, within 15 tries: {BUG}")


@pytest.mark.kernel
@every_series
@pytest.mark.parametrize("name", ["release_page", "unacct_before_return"])
def test_a_fix_withstands_the_same_attacks_or_does_not(series: str, name: str) -> None:
    chain = facts.chain(KNOWN[name], KNOWN)
    KERNELS[series].prepare(chain)
    sure, race = attacks_on(KERNELS[series], chain)
    assert sure.crashed is (name == "unacct_before_return")
    if name == "release_page":
        assert (sure.how, race.crashed) == ("the copy returned ENOMEM", False)


@pytest.mark.kernel
def test_the_attacker_says_who_it_is_and_what_it_may_not() -> None:
    chain = [KNOWN["release_page"]]
    KERNELS["6.1"].prepare(chain)
    ended = KERNELS["6.1"].boot(chain, Program(init=attack(), arguments=("1", "1"), memory=128))
    assert '{"uid":65534,"capabilities":0,"mount":1,"setting":13}' in ended.console.splitlines()
    assert (ended.complaint, ended.status, ended.given_up) == (None, 0, False)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("old", "new", "how"),
    [
        ("\tdrop_privileges();\n", "", "the attack had privileges"),
        ("\tcheck(!mount(", "\tpause();\n\tcheck(!mount(", "the attack did not come to an end"),
    ],
    ids=["root", "no-end"],
)
def test_a_boot_in_which_nobody_attacks_tells_nothing(
    tmp_path: Path, old: str, new: str, how: str
) -> None:
    text = (SOURCES / "attack" / "attack.c").read_text(encoding="utf-8")
    assert old in text
    text = text.replace("static void drop_privileges", "void drop_privileges")
    (tmp_path / "attack.c").write_text(text.replace(old, new, 1), encoding="utf-8")
    chain = [KNOWN["unpatched"]]
    KERNELS["6.1"].prepare(chain)
    program = Program(init=attack(tmp_path), arguments=("1", "1"), memory=128, patience=1.0)
    seen = judge("unpatched", "uml:6.1", 1, KERNELS["6.1"].boot(chain, program))
    assert (seen.crashed, seen.how) == (None, how)
