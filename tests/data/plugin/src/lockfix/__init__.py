# SPDX-License-Identifier: GPL-2.0-only
"""A third party's plugin: a fix of their own, an oracle, a report and a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest import from_folder, hookimpl
from lockfix.few_errors import FewErrors
from lockfix.twice import Twice
from lockfix.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest import Oracle, Strategy
    from difftest.backends import Backend
    from difftest.report import Report


@hookimpl
def difftest_strategies() -> Sequence[Strategy]:
    return [from_folder(__file__, claim="Releases the page, differently.")]


@hookimpl
def difftest_oracles() -> Sequence[Oracle]:
    return [FewErrors()]


@hookimpl
def difftest_reports() -> Sequence[Report]:
    return [Verdicts()]


@hookimpl
def difftest_backends() -> Sequence[Backend]:
    return [Twice()]
