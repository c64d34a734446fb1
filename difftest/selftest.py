# SPDX-License-Identifier: GPL-2.0-only
"""Self-tests: the kernel's own tests of userfaultfd, from its source, in a guest."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
from tabulate import tabulate

from difftest import kernels
from difftest.backends.program import Boots, Program
from difftest.errors import BuildError, UsageError
from difftest.guest.build import STATIC, launcher
from difftest.kernels.series import DEFAULT, patches_for
from difftest.outcome import Ending
from difftest.progress import progress
from difftest.rendering import listing
from difftest.session import unsupported
from difftest.toolchain import CommandError, build_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from difftest.backends import Backend
    from difftest.backends.program import Ended
    from difftest.plugins import Plugins
    from difftest.strategy import Strategy

MEMORY = 256
"""MiB of the guest. The tests hold a few areas of SIZE, and threads' stacks; those of 6.12 two of
32, and as much in huge pages where a kernel has them."""

PATIENCE = 240.0
"""Seconds for one test. Each takes 1 to 5 on a processor of its own, all of 6.12 in QEMU 25."""

SIZE, BOUNCES = "4", "4"
"""MiB, and rounds: each round is another mode (racing, random, polling, verifying)."""

_SKIPPED = 4
"""The exit status that the kernel's self-tests have for it (KSFT_SKIP)."""

_FOLDER = "tools/testing/selftests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selftest:
    """One of the kernel's own tests. `units` are compiled together, below its self-tests.

    `last_words` are patterns of what it prints only if it came that far; `optional` are kinds of
    faults, of _OPTIONAL, that it leaves out without a word if the kernel lacks them. If `unfit`
    says why it cannot run under User-mode Linux, it is not tried there.
    """

    name: str
    units: tuple[str, ...]
    arguments: tuple[str, ...]
    last_words: tuple[str, ...]
    optional: tuple[str, ...] = ()
    unfit: str = ""


_MINOR, _PROTECTED = "minor faults", "write-protection faults"
_OPTIONAL = MappingProxyType({_MINOR: r"\b\d+ minor\b", _PROTECTED: r"\b[1-9]\d* wp\b"})
"""How a test tells that it had them."""


def _old(*units: str, **optional: tuple[str, ...]) -> tuple[Selftest, ...]:
    return tuple(
        Selftest(
            name=f"userfaultfd {memory}",
            units=units,
            arguments=(memory, SIZE, BOUNCES),
            last_words=(
                r"^bounces: 0, .*userfaults:",
                r"^testing UFFDIO_ZEROPAGE: done\.",
                r"^testing signal delivery: done\.",
                r"^testing events \(fork, remap, remove\): userfaults:",
            ),
            optional=optional[memory],
        )
        for memory in ("shmem", "anon")
    )


_COMMON = ("mm/uffd-common.c", "mm/vm_util.c")

SELFTESTS: Mapping[str, tuple[Selftest, ...]] = MappingProxyType(
    {
        "5.10": _old("vm/userfaultfd.c", shmem=(), anon=(_PROTECTED,)),
        "6.1": _old(
            "vm/userfaultfd.c", "vm/vm_util.c", shmem=(_MINOR, _PROTECTED), anon=(_PROTECTED,)
        ),
        "6.12": (
            *(
                Selftest(
                    name=f"uffd-stress {memory}",
                    units=("mm/uffd-stress.c", *_COMMON),
                    arguments=(memory, SIZE, BOUNCES),
                    last_words=(r"^bounces: 0, .*userfaults:",),
                    optional=(_PROTECTED,),
                )
                # Minor faults are tested by themselves here, see "the others".
                for memory in ("shmem", "anon")
            ),
            Selftest(
                name="uffd-unit-tests zeropage",
                units=("mm/uffd-unit-tests.c", *_COMMON),
                arguments=("-f", "zeropage"),
                last_words=(r"^Testing zeropage on shmem\.\.\. done", r"pass=\d+, .*fail=0"),
            ),
            Selftest(
                name="uffd-unit-tests, the others",
                units=("mm/uffd-unit-tests.c", *_COMMON),
                arguments=(),
                last_words=(r"^Testing UFFDIO_API .*\.\.\. done", r"pass=\d+, .*fail=0"),
                unfit="they map at 1 GiB, where User-mode Linux puts whatever asks for no address",
            ),
        ),
    }
)
"""By series."""


class Came(StrEnum):
    """What a test came to."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Report:
    """What a test came to, why, and the parts of it that the test itself left out."""

    strategy: str
    backend: str
    test: str
    came: Came
    why: str = ""
    left_out: tuple[str, ...] = ()


class _Exit(msgspec.Struct, forbid_unknown_fields=True):
    exit: int
    signal: int


def selftests(
    plugins: Plugins, backends: Sequence[Backend], strategies: Sequence[Strategy]
) -> list[Report]:
    """Run the tests on all strategies and those of the backends that boot kernels.

    Raises UsageError if there is nothing to run, and the errors of backends.
    """
    reports: list[Report] = []
    for backend in backends:
        if not isinstance(backend, Boots):
            continue
        fit = [one for one in strategies if not unsupported(backend, one, plugins)]
        for strategy in fit:
            backend.prepare(plugins.chain(strategy))
        count = len(fit) * len(SELFTESTS[patches_for(backend.name) or DEFAULT])
        with progress(f"self-tests on {backend.name}", count, "test") as shown:
            for report in _on(backend, [plugins.chain(one) for one in fit]):
                reports.append(report)
                shown.add(1)
    if not reports:
        raise UsageError(
            "there is no kernel to test: expected a strategy that has a patch for a backend with "
            f"kernels; these are {listing(one.name for one in strategies)} on "
            f"{listing(one.name for one in backends)}"
        )
    return reports


def _on(backend: Boots, chains: Sequence[Sequence[Strategy]]) -> Iterator[Report]:
    """Run all tests of a backend's series on strategies: each with those it stands on."""
    series = patches_for(backend.name) or DEFAULT
    with tempfile.TemporaryDirectory(prefix="difftest-selftest-") as folder:
        for test in SELFTESTS[series]:
            names = [chain[-1].name for chain in chains]
            if test.unfit and backend.name.startswith("uml:"):
                for name in names:
                    yield Report(name, backend.name, test.name, Came.NOT_RUN, test.unfit)
                continue
            program = Program(
                init=launcher(),
                arguments=(str(len(test.arguments)), *test.arguments),
                files={"/test": _compile(test, series, Path(folder))},
                memory=MEMORY,
                patience=PATIENCE,
            )
            for name, chain in zip(names, chains, strict=True):
                yield judge(name, backend.name, test, backend.boot(chain, program))


def _compile(test: Selftest, series: str, folder: Path) -> Path:
    """Compile a test from the source of its series. Raises BuildError if that fails."""
    tree = kernels.fetch(series)
    header = folder / "include" / "linux" / "userfaultfd.h"
    header.parent.mkdir(parents=True, exist_ok=True)
    # The series' own, not the C library's. The test of 6.1 asks for all features that the header
    # has, and the kernel refuses those it lacks; asked for none, it says which it has.
    header.write_text(
        f'#include "{tree}/include/uapi/linux/userfaultfd.h"\n'
        "#undef UFFD_API_FEATURES\n#define UFFD_API_FEATURES 0\n",
        encoding="utf-8",
    )
    binary = folder / Path(test.units[0]).stem
    command = [
        *STATIC,
        # As the kernel's Makefile does: that of 5.10 has variables that siglongjmp() would lose.
        "-O0",
        "-w",
        f"-o{binary}",
        "-D_GNU_SOURCE",
        "-D__packed=__attribute__((packed))",  # what installing the header would make of it
        f"-I{folder / 'include'}",
        f"-I{tree}",
        f"-isystem{tree / 'tools/include/uapi'}",
        *(str(tree / _FOLDER / unit) for unit in test.units),
        "-lrt",
        "-lm",
    ]
    try:
        run(command, where=folder, environment=build_environment(folder))
    except CommandError as error:
        raise BuildError(
            f"self-test {test.name} of {series} does not compile:\n{error.output.strip()}"
        ) from None
    return binary


def judge(strategy: str, backend: str, test: Selftest, ended: Ended) -> Report:
    """Say what a boot with a test in it came to."""
    came, why = _verdict(test, ended)
    skipped = re.findall(r"(?m)^Testing (.+?)\.\.\. skipped \[reason: (.+)\]", ended.console)
    left_out = [f"{part}: {reason}" for part, reason in skipped]
    if came is Came.PASSED:
        left_out += [
            f"{faults}: the kernel does not offer them"
            for faults in test.optional
            if not re.search(_OPTIONAL[faults], ended.console)
        ]
    return Report(strategy, backend, test.name, came, why, tuple(left_out))


def _verdict(test: Selftest, ended: Ended) -> tuple[Came, str]:
    lines = [line.strip() for line in ended.console.splitlines()]
    ends = [line for line in lines if line.startswith('{"exit":')]
    said = next((found[0] for line in lines if (found := re.search("(ERROR|skip): .*", line))), "")
    if ended.complaint:
        broke = ended.complaint.ending is Ending.CRASHED
        return Came.FAILED if broke else Came.UNKNOWN, ended.complaint.title
    if not ends:
        vanished = f"the guest vanished with status {ended.status}"
        return Came.UNKNOWN, f"no end in {PATIENCE:.0f} s" if ended.given_up else vanished
    status = msgspec.json.decode(ends[0], type=_Exit)
    if status.exit == _SKIPPED:
        return Came.NOT_RUN, said or "it skips itself and does not say why"
    if status.signal or status.exit:
        how = f"signal {status.signal}" if status.signal else f"exit status {status.exit}"
        return Came.FAILED, f"{how}: {said}" if said else how
    if not all(re.search(words, ended.console, re.MULTILINE) for words in test.last_words):
        return Came.UNKNOWN, "exit status 0, but its last words are missing"
    return Came.PASSED, ""


def render(reports: Sequence[Report]) -> str:
    """Return a table of tests, and below it what they left out."""
    rows = [[one.strategy, one.backend, one.test, one.came, one.why] for one in reports]
    table = tabulate(rows, headers=["strategy", "backend", "self-test", "", ""])
    lines = [line.rstrip() for line in table.splitlines()]
    left_out = dict.fromkeys(
        f"not run on {one.backend}, {one.test}: {part}" for one in reports for part in one.left_out
    )
    return "\n".join([*lines, "", *left_out]).rstrip("\n") + "\n"


def failed(reports: Iterable[Report]) -> bool:
    return any(one.came is Came.FAILED for one in reports)


def complete(reports: Iterable[Report]) -> bool:
    """Say whether every strategy passed a test on every backend, and none is unknown."""
    reports = list(reports)
    ran = {(one.strategy, one.backend) for one in reports if one.came is Came.PASSED}
    every = {(one.strategy, one.backend) for one in reports}
    return bool(reports) and ran == every and all(one.came is not Came.UNKNOWN for one in reports)
