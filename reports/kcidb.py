# SPDX-License-Identifier: GPL-2.0-only
"""The result as KCIDB's JSON, in which systems that test kernels report. Nothing is sent.

A checkout is a source with a strategy's patches, a build a backend's kernel of it, a test an
oracle. Models have no place there: they are no kernels, and nobody may take one for a kernel.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from difftest.case import Case, Status, judged
from difftest.characters import printable
from difftest.errors import UsageError
from difftest.facts import is_model
from difftest.kernels.flavour import UML, X86
from difftest.kernels.series import name_in
from difftest.rendering import absence, code, ground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.result import Cell, Result, StrategyResult

#: Whoever reports has a name there, which this project has not: the placeholder says only what made
#: the report.
ORIGIN = "difftest"
VARIABLE = "DIFFTEST_ORIGIN"
#: All fields used are in this version: what reads a later minor one reads it as well.
_VERSION = {"major": 5, "minor": 0}
#: Of these the worst stands for all tests of a build: FAIL, ERROR, MISS, PASS, DONE, SKIP. So an
#: UNKNOWN, an ERROR ("the status of the tested code is unknown"), hides every PASS beside it.
_STATUS = {
    Status.PASS: "PASS",
    Status.FAIL: "FAIL",
    Status.UNKNOWN: "ERROR",
    Status.NOTHING: "SKIP",
}
_ARCHITECTURES = {"uml": UML.variables["ARCH"], "qemu": X86.variables["ARCH"]}
#: As much of a log as the schema takes.
_EXCERPT = 16384


class KcidbReport:
    """What systems that test kernels report to KCIDB; nothing is sent.

    `origin` is who reports; without one it is that of the environment (VARIABLE), or ORIGIN.
    """

    name = "kcidb"
    suffix = ".kcidb.json"

    def __init__(self, origin: str = "") -> None:
        self._origin = origin

    def render(self, result: Result, run: str = "RUN") -> str:
        """Return the report; raise UsageError for an origin that cannot be one."""
        origin = self._origin or os.environ.get(VARIABLE) or ORIGIN
        if not re.fullmatch("[a-z0-9_]+", origin):
            raise UsageError(
                f"{VARIABLE} is {origin!r}: the name of who reports has a-z, 0-9 and _ only; set "
                f"another one, or none for {ORIGIN!r}"
            )
        made = _Submission(result, origin, run)
        return msgspec.json.format(msgspec.json.encode(made.data()), indent=2).decode() + "\n"


class _Submission:
    """What one result comes to. Equal runs have the same ids, so that nothing is there twice."""

    def __init__(self, result: Result, origin: str, run: str) -> None:
        self._result = result
        self._origin = origin
        self._cases = judged(result, run)
        self._cells = {(one.strategy, one.backend, one.oracle): one for one in result.cells}
        # What may differ between equal runs is no part of what they are.
        same = msgspec.to_builtins(replace(result, timings={}, attacks=()))
        self._run = hashlib.sha256(json.dumps(same).encode()).hexdigest()[:16]

    def data(self) -> dict[str, Any]:
        kernels = [one for one in self._result.backends if not is_model(one)]
        pairs = [(one, backend) for one in self._result.strategies for backend in kernels]
        checkouts: dict[str, dict[str, Any]] = {}
        builds = []
        tests: list[dict[str, Any]] = []
        for strategy, backend in pairs:
            checkout = self._checkout(strategy, backend)
            ran = checkout.get("valid", False)
            # Backends of a series share its source: what one of them built is a valid checkout.
            if ran or checkout["id"] not in checkouts:
                checkouts[checkout["id"]] = checkout
            if ran:
                builds.append(self._build(strategy, backend, checkout["id"]))
                tests += self._tests(strategy, backend)
        return {
            "version": _VERSION,
            "checkouts": list(checkouts.values()),
            "builds": builds,
            "tests": tests,
        }

    def _id(self, *parts: str) -> str:
        return printable(":".join([self._origin, self._run, *parts]))

    def _checkout(self, strategy: StrategyResult, backend: str) -> dict[str, Any]:
        """Return a checkout: valid if a kernel was made of it, else with the reason why not.

        There is no hash of the patches: it would have to count those that are under every strategy.
        """
        source = name_in(backend) or backend
        kernel = self._result.releases.get(backend, source)
        found: dict[str, Any] = {
            "id": self._id(strategy.name, source),
            "origin": self._origin,
            "comment": printable(f"Linux {kernel} with {strategy.name}: {strategy.claim}"),
            "misc": {
                "strategy": strategy.name,
                "release": printable(kernel),
                "difftest": printable(code(self._result)),
                "ruled_out": [printable(one) for one in strategy.ruled_out],
                "recommended": strategy.name == self._result.decision.recommended,
                "void": bool(self._result.decision.void),
            },
        }
        if any(self._cells[key].runs for key in self._keys(strategy, backend)):
            return found | {"valid": True}
        why = absence(strategy, backend)
        invalid = {} if why == "not run" else {"valid": False}
        return found | invalid | {"log_excerpt": printable(why)[:_EXCERPT]}

    def _keys(self, strategy: StrategyResult, backend: str) -> Iterator[tuple[str, str, str]]:
        return (key for key in self._cells if key[:2] == (strategy.name, backend))

    def _build(self, strategy: StrategyResult, backend: str, checkout: str) -> dict[str, Any]:
        architecture = _ARCHITECTURES.get(backend.partition(":")[0])
        return {
            "id": self._id(strategy.name, backend),
            "origin": self._origin,
            "checkout_id": checkout,
            "config_name": printable(backend),
            "comment": printable(ground(self._result, backend)),
            "status": "PASS",
            "misc": {"same_kernel_as": list(strategy.same_kernel_as)},
        } | ({"architecture": architecture} if architecture else {})

    def _tests(self, strategy: StrategyResult, backend: str) -> Iterator[dict[str, Any]]:
        for case in self._cases[strategy.name, backend]:
            path = re.sub(r"[^A-Za-z0-9_-]+", "_", case.name).strip("_")
            yield {
                "id": self._id(strategy.name, backend, case.name),
                "origin": self._origin,
                "build_id": self._id(strategy.name, backend),
                "path": f"difftest.{path}",
                "status": _STATUS[case.status],
                "comment": printable(case.message),
                "log_excerpt": printable(case.detail)[:_EXCERPT],
                "environment": {"comment": printable(ground(self._result, backend))},
                "misc": {"weight": case.weight, **_counts(self._cell(case))},
            }

    def _cell(self, case: Case) -> Cell | None:
        return self._cells.get((case.strategy, case.backend, case.name))


def _counts(cell: Cell | None) -> dict[str, Any]:
    if cell is None:
        return {}
    return {
        "runs": cell.runs,
        "reached": cell.reached,
        "bounding": cell.bounding,
        "fail": cell.fail,
        "shared": cell.shared,
        "unknown": cell.unknown,
        "upper_bound": cell.upper_bound,
    }
