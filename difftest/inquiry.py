# SPDX-License-Identifier: GPL-2.0-only
"""An inquiry: a failure of which a kernel shows only the symptom, on one that names the culprit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from difftest.errors import DifftestError
from difftest.kernels import DEBUG
from difftest.outcome import Ending
from difftest.replay import replay
from difftest.workload.codec import from_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from difftest.backends import Backend
    from difftest.outcome import Outcome
    from difftest.plugins import Plugins
    from difftest.result import Witness
    from difftest.strategy import Strategy

#: A title that names a function of a C file names the place. Others come from a helper in a header
#: or from whoever met the damage: "BUG: Bad page state", "panic: Kernel mode fault".
_PLACE = re.compile(r" at \S+\.c ")


def is_symptom(outcome: Outcome) -> bool:
    """Say whether an outcome shows that a page went wrong, and not where."""
    if outcome.ending is Ending.OUT_OF_MEMORY:
        return True
    return bool(outcome.held) or (
        outcome.ending is Ending.CRASHED and not _PLACE.search(outcome.title)
    )


def inquire(
    plugins: Plugins, known: Mapping[str, Strategy], witnesses: Iterable[Witness]
) -> dict[tuple[str, int], str]:
    """Return what debugging kernels say of witnesses, by strategy and number of the workload.

    The first backend that shows a symptom is asked about, if it has a debugging one beside it
    (named after it: "uml:6.1+debug"). Its kernel is built where it has to be; if it cannot be
    built, that is what is said.
    """
    told = {}
    for witness in witnesses:
        key = witness.strategy, witness.number
        for name in witness.backends:
            debug = plugins.backends.get(f"{name}{DEBUG.suffix}")
            if debug is not None and key not in told:
                found = _ask(plugins, known[witness.strategy], witness, name, debug)
                if found:
                    told[key] = found
    return told


def _ask(plugins: Plugins, strategy: Strategy, witness: Witness, plain: str, debug: Backend) -> str:
    workload = from_text(witness.text)
    try:
        seen = replay(plugins, workload, strategy, plugins.backend(plain), ())
        if not is_symptom(seen.outcome):
            return ""
        asked = replay(plugins, workload, strategy, debug, ())
    except DifftestError as error:
        return f"cannot be told, {debug.name} does not run here: {error}"
    if asked.culprit:
        return f"{asked.culprit} ({debug.name})"
    return f"{debug.name} names nobody: {asked.outcome.title or asked.outcome.ending}"
