# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts beside what history says: who agrees, who does not, and who cannot tell."""

from __future__ import annotations

import msgspec
import pytest
from made import BUNDLED, campaign, except_for, run

from difftest import history
from difftest.assemble import result_of
from difftest.strategy import Strategy
from difftest.verdict import Traits

KNOWN = {one.name: one for one in BUNDLED}


def told(strategy: Strategy, **fields: object) -> Strategy:
    values = {name: getattr(strategy, name) for name in Strategy.__dataclass_fields__}
    return Strategy(**values | {"history": "It came to pass."} | fields)


BAD = told(KNOWN["unpatched"], must_fail=("no_kernel_bug",))
RIGHT = told(KNOWN["release_page"])


def test_a_wrong_one_that_is_caught_and_a_right_one_that_is_clean_agree() -> None:
    result = result_of(campaign(strategies=[BAD, RIGHT]))
    found = history.findings(result, [BAD, RIGHT])
    assert [(one.strategy, one.backend, one.agrees) for one in found] == [
        ("unpatched", "model", True),
        ("unpatched", "uml:6.1", True),
        ("release_page", "model", True),
        ("release_page", "uml:6.1", True),
    ]
    assert history.status(result, found) == history.AGREE
    page = history.render(result, [BAD, RIGHT], found)
    assert "4 of 4 verdicts are what history says." in page
    assert "It came to pass." in page


def test_a_right_one_that_fails_something_differs() -> None:
    parts = campaign(except_for("release_page", [4], run(4, content="x")), [BAD, RIGHT])
    result = result_of(parts)
    found = history.findings(result, [BAD, RIGHT])
    assert [one.agrees for one in found] == [True, True, False, False]
    assert found[-1].fails == ("content",)
    assert history.status(result, found) == history.DIFFER
    assert "DIFFERS" in history.render(result, [BAD, RIGHT], found)


@pytest.mark.parametrize("oracle", ["must_fail", "gives_up"])
def test_a_wrong_one_that_is_not_caught_differs(oracle: str) -> None:
    sly = told(KNOWN["release_page"], **{oracle: ("content",)})
    parts = campaign(strategies=[BAD, sly])
    traits = {"content": Traits(ranks=oracle == "gives_up")}
    parts.settings = msgspec.structs.replace(parts.settings, traits=traits)
    result = result_of(parts)
    found = history.findings(result, [BAD, sly])
    assert [one.agrees for one in found] == [True, True, False, False]
    assert history.status(result, found) == history.DIFFER


def test_what_ranks_is_no_failure_of_a_right_one() -> None:
    parts = campaign(except_for("release_page", [4], run(4, content="x")), [BAD, RIGHT])
    traits = {"content": Traits(ranks=True)}
    parts.settings = msgspec.structs.replace(parts.settings, traits=traits)
    found = history.findings(result_of(parts), [BAD, RIGHT])
    assert all(one.agrees for one in found)


def test_with_too_few_workloads_it_cannot_be_told() -> None:
    result = result_of(campaign(strategies=[BAD, RIGHT], workloads=20, shard_size=20))
    found = history.findings(result, [BAD, RIGHT])
    assert [one.agrees for one in found if one.strategy == "release_page"] == [None, None]
    assert history.status(result, found) == history.UNKNOWN
    assert "not shown" in history.render(result, [BAD, RIGHT], found)
