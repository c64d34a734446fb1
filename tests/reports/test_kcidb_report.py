# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import json

import pytest
from kcidb_io.schema import LATEST, V5_0
from made import BUNDLED, HUNG, ORACLES, campaign, except_for, run, strategy, whole
from msgspec.structs import replace
from published import kcidb

from difftest.assemble import result_of
from difftest.errors import UsageError
from reports.kcidb import KcidbReport

WHOLE = whole()
TEXT = KcidbReport().render(WHOLE, "runs/0001")
DATA = kcidb(TEXT)


def status(data: dict, strategy: str, oracle: str, backend: str = "uml:6.1") -> str:  # type: ignore[type-arg]
    (found,) = (
        one["status"]
        for one in data["tests"]
        if one["id"].endswith(f"{strategy}:{backend}:{oracle}")
    )
    return str(found)


def test_it_is_valid_by_the_newest_schema_and_by_the_oldest_of_its_major_version() -> None:
    assert LATEST.major == V5_0.major
    assert V5_0.is_valid_exactly(json.loads(TEXT))
    assert LATEST.is_compatible(json.loads(TEXT))


def test_a_checkout_has_a_build_and_that_a_test_for_each_oracle() -> None:
    assert len(DATA["checkouts"]) == len(DATA["builds"]) == len(BUNDLED)
    assert all(one["valid"] for one in DATA["checkouts"])
    for build in DATA["builds"]:
        its = [one for one in DATA["tests"] if one["build_id"] == build["id"]]
        assert [one["path"] for one in its] == [f"difftest.{name}" for name in ORACLES]
        assert build["architecture"] == "um"
    assert status(DATA, "naive_hold", "block_accounting") == "FAIL"
    assert status(DATA, "release_page", "block_accounting") == "PASS"


def test_a_model_is_no_kernel() -> None:
    assert {one["config_name"] for one in DATA["builds"]} == {"uml:6.1"}
    alone = kcidb(KcidbReport().render(result_of(campaign(backends=["model"]))))
    assert (alone["checkouts"], alone["builds"], alone["tests"]) == ([], [], [])


def test_a_failure_has_its_evidence_and_its_workload() -> None:
    (test,) = (
        one for one in DATA["tests"] if one["id"].endswith("naive_hold:uml:6.1:block_accounting")
    )
    assert test["comment"] == "400/2000: 1 block in use after all was closed, expected 0"
    assert "0.0.0 |     fill leave=0" in test["log_excerpt"]
    assert (test["misc"]["fail"], test["misc"]["reached"]) == (400, 2000)


def test_what_is_unknown_is_an_error_that_hides_what_passes() -> None:
    parts = campaign(except_for("release_page", range(0, 100, 7), run(0, HUNG)))
    data = kcidb(KcidbReport().render(result_of(parts)))
    assert status(data, "release_page", "content") == "ERROR"


def test_nothing_passes_in_a_run_that_is_void() -> None:
    data = kcidb(KcidbReport().render(result_of(campaign(lambda _, number: run(number)))))
    assert {one["status"] for one in data["tests"]} == {"ERROR"}
    assert all(one["misc"]["void"] for one in data["checkouts"])


def test_a_strategy_that_does_not_fit_has_an_invalid_checkout_and_no_build() -> None:
    other = strategy("other", added=["x"], series=["5.10"])
    data = kcidb(KcidbReport().render(result_of(campaign(strategies=[*BUNDLED, other]))))
    (found,) = (one for one in data["checkouts"] if one["misc"]["strategy"] == "other")
    assert (found["valid"], found["log_excerpt"]) == (False, "no patch for 6.1")
    assert not any("other" in one["id"] for one in (*data["builds"], *data["tests"]))


def test_backends_of_a_series_share_its_checkout() -> None:
    result = result_of(campaign(backends=["uml:6.1", "uml:6.1+debug", "qemu:6.1"]))
    data = kcidb(KcidbReport().render(result))
    assert len(data["checkouts"]) == len(BUNDLED)
    assert [one["architecture"] for one in data["builds"][:3]] == ["um", "um", "x86_64"]


def test_equal_runs_have_equal_ids_and_others_have_others() -> None:
    assert KcidbReport().render(replace(WHOLE, timings={"campaign": 1.5}), "runs/0001") == TEXT
    other = kcidb(KcidbReport().render(replace(WHOLE, seed=8)))
    assert not {one["id"] for one in DATA["tests"]} & {one["id"] for one in other["tests"]}


def test_who_reports_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {one["origin"] for one in DATA["tests"]} == {"difftest"}
    monkeypatch.setenv("DIFFTEST_ORIGIN", "my_ci")
    assert {one["origin"] for one in kcidb(KcidbReport().render(WHOLE))["tests"]} == {"my_ci"}
    assert kcidb(KcidbReport("mine").render(WHOLE))["builds"][0]["id"].startswith("mine:")


def test_a_name_that_cannot_be_an_origin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFTEST_ORIGIN", "My CI")
    with pytest.raises(UsageError, match=r"DIFFTEST_ORIGIN is 'My CI': .* a-z, 0-9 and _ only"):
        KcidbReport().render(WHOLE)
