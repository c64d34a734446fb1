# SPDX-License-Identifier: GPL-2.0-only
"""A program: a witness in C, which needs nothing but a C library and kernel headers.

It stops its copies as the guest agent does (a userfaultfd watches their source), so what it shows
it shows each time. It exits with 0 if the kernel does not show it, with 1 if it does, and with 77
(a self-test of the kernel's: 4) where it cannot run. A kernel may as well panic.
"""

from __future__ import annotations

import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from difftest import facts, replay
from difftest.errors import UsageError
from difftest.facts import model_for
from difftest.outcome import Window
from difftest.reproducer import checks
from difftest.reproducer.statements import STRIDE, Body, set_up
from difftest.workload import codec
from difftest.workload.codec import line_of_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.outcome import Outcome
    from difftest.plugins import Plugins
    from difftest.witness import Head
    from difftest.workload.workload import Workload

_HEADERS = (
    "errno.h",
    "fcntl.h",
    "linux/userfaultfd.h",
    "poll.h",
    "pthread.h",
    "stdbool.h",
    "stdint.h",
    "stdio.h",
    "stdlib.h",
    "string.h",
    "sys/eventfd.h",
    "sys/ioctl.h",
    "sys/mman.h",
    "sys/mount.h",
    "sys/stat.h",
    "sys/statfs.h",
    "sys/syscall.h",
    "unistd.h",
)

_FALLBACKS = (("MADV_PAGEOUT", "21"), ("MLOCK_ONFAULT", "1"))
"""What older headers lack, with the numbers that all architectures have."""

_COUNTED = ("check(", "check_tag(", "expect(")

_WIDTH = 76

_HOW = (
    "A copy whose source page is missing stops there, without a lock of the address space: a "
    "userfaultfd of its own watches the source. What the workload has in a window happens then."
)
_BUILD = (
    "Build: gcc -O2 -Wall -Wextra -pthread FILE.c. Run it as root, on a machine that may crash. "
    "Exit status: 0 not shown, 1 shown, {status} it cannot run here; or the kernel panics."
)


def program(
    head: Head, workload: Workload, reference: Outcome, *, question: str, kselftest: bool = False
) -> str:
    """Return the program that shows what a witness shows.

    `reference` is the outcome on the model with a strategy that the oracle passes; `question` is
    the oracle's. Raises UsageError for what no program can do.
    """
    for fault in workload.faults:
        raise UsageError(
            f"`{line_of_fault(fault)}` cannot be exported: the call fails because the kernel was "
            "built with knobs for that, and a program cannot bring it about. `difftest replay` "
            "plays the witness"
        )
    check = checks.of(head.oracle)
    opens = {one.at for one in reference.trace if isinstance(one, Window)}
    body = Body(workload, opens, checks.due(reference) if check.by_results else {})
    if workload.maps:
        body.uses |= {"destination", "userfaultfd"}
    set_up(body)
    prepared, body.lines = body.lines, []
    for number, op in enumerate(workload.steps):
        body.step(str(number), op)
    body.land()
    played, body.lines = body.lines, []
    check.add(body, reference)
    counted = sum(line.strip().startswith(_COUNTED) for line in (*played, *body.lines))
    return (
        _environment()
        .get_template("program.c.jinja")
        .render(
            about=list(_about(head, workload, question, kselftest=kselftest)),
            headers=_HEADERS,
            fallbacks=_FALLBACKS,
            kselftest=kselftest,
            checks=counted,
            blocks=workload.blocks,
            files=body.files,
            maps=len(workload.maps),
            stride=STRIDE,
            copies=body.copies,
            threads=body.threads,
            uses=body.uses,
            set_up=prepared,
            play=played[1:] if played[:1] == [""] else played,
            checks_made=body.lines,
        )
    )


def _about(head: Head, workload: Workload, question: str, *, kselftest: bool) -> Sequence[str]:
    """Return the lines of the comment at the head."""
    status = "4 (skipped)" if kselftest else "77"
    paragraphs = [
        f"{head.oracle}: {question}",
        f"Fails with the fix {head.strategy}: {head.evidence}.",
        *([f"Passes with {', '.join(head.passes)}."] if head.passes else []),
        "",
        *codec.to_text(workload).splitlines(),
        "",
        _HOW,
        "",
        _BUILD.format(status=status),
    ]
    lines = []
    for one in paragraphs:
        lines += textwrap.wrap(one, _WIDTH, drop_whitespace=one == one.strip()) or [""]
    return [line.replace("*/", "* /") for line in lines]


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701 - it makes C
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=False,
        keep_trailing_newline=True,
    )


def exported(head: Head | None, workload: Workload, plugins: Plugins, *, kselftest: bool) -> str:
    """Return the program of a witness file. Raises UsageError if it cannot be one."""
    if head is None:
        raise UsageError(
            "the file has no head that says what it shows: expected a witness, as runs leave them "
            "(its first line is `# difftest witness 1`)"
        )
    oracle = plugins.oracle(head.oracle)
    reference = _reference(head, workload, plugins)
    return program(head, workload, reference, question=oracle.question, kselftest=kselftest)


def _reference(head: Head, workload: Workload, plugins: Plugins) -> Outcome:
    """Play the workload with a strategy that passes, which shows what is due.

    On the models of all kernels that the head names: what they do not agree on is due on none.
    """
    models = {name: plugins.backend(name) for name in map(model_for, head.backends)
              if name in plugins.backends}  # fmt: skip
    for name in head.passes:
        known = plugins.strategies.get(name)
        chain = facts.chain(known, plugins.strategies) if known else ()
        fits = [one for one in models.values() if not any(one.supports(link) for link in chain)]
        if known and fits:
            return checks.agreed(
                [replay.replay(plugins, workload, known, one, ()).outcome for one in fits]
            )
    raise UsageError(
        "what a kernel without the failure does is not known: the head has to name a strategy "
        f"with a patch for the model that {head.oracle} passes (`# passes: NAME`)"
        + (f"; it names {', '.join(head.passes)}" if head.passes else "")
    )
