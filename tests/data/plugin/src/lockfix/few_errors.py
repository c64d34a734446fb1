# SPDX-License-Identifier: GPL-2.0-only
"""An oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest import PASS, Step, Verdict, fail

if TYPE_CHECKING:
    from difftest import Outcome, Workload


class FewErrors:
    """Fails where more than three operations of a workload do not succeed."""

    name = "few_errors"
    question = "do most operations succeed?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:  # noqa: ARG002
        errors = sum(isinstance(one, Step) and one.ret < 0 for one in outcome.trace)
        return fail(f"{errors} operations failed") if errors > 3 else PASS
