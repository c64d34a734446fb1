# SPDX-License-Identifier: GPL-2.0-only
"""A third party's plugin: a fix of their own, and an oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest import PASS, Step, Verdict, fail, from_folder, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest import Oracle, Outcome, Strategy, Workload


class FewErrors:
    """Fails for a workload in which more than three operations fail."""

    name = "few_errors"
    question = "do most operations succeed?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        errors = sum(isinstance(one, Step) and one.ret < 0 for one in outcome.trace)
        return fail(f"{errors} operations failed") if errors > len(workload.steps) else PASS


@hookimpl
def difftest_strategies() -> Sequence[Strategy]:
    return [from_folder(__file__, claim="Releases the page, differently.")]


@hookimpl
def difftest_oracles() -> Sequence[Oracle]:
    return [FewErrors()]
