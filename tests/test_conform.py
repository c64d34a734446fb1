# SPDX-License-Identifier: GPL-2.0-only
"""`difftest conform` finds a model that is wrong; what it did not see never counts."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from called import difftest
from drawn import seed_of
from wrong import wrong

from difftest import conform, kernels, plugins, reached, session
from difftest.backends.model import ModelBackend, ModelRunner
from difftest.outcome import Ending, Outcome
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from difftest.result import Result
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

WRONG = wrong("model_goes_too_far")
LEAST = ["file pages=0", "map file=0 offset=0 pages=1"]
"""What it takes to see it, but for the mount and an operation: a page beyond the end of a file."""
WORKLOADS = 100
"""Enough to see it, too, and all that these tests change by hand."""
PAIRS = 2 * WORKLOADS
"""Of outcomes, on two strategies."""


class Other(ModelBackend):
    """A second backend: the model, perhaps with a patch, which may see less or get lost."""

    def __init__(
        self,
        *patches: Strategy,
        unseen: Mapping[str, str] | None = None,
        change: Callable[[Workload, Outcome], Outcome] = lambda _, outcome: outcome,
    ) -> None:
        super().__init__()
        self.name = "other"
        self.unseen = unseen or {}
        self._fixes = patches
        self._change = change

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[ModelRunner]:
        with super().runner([*chain, *self._fixes]) as runner:
            whole, change = runner.run, self._change

            def run(workloads: Sequence[Workload]) -> Iterator[Outcome]:
                return map(change, workloads, whole(workloads))

            runner.run = run  # type: ignore[method-assign]
            yield runner


class Said(NamedTuple):
    status: int
    text: str
    result: Result
    directory: Path


def compared(output: Path, other: Other, **changes: object) -> Said:
    loaded = plugins.load()
    loaded.backends["other"] = other
    fields: dict[str, object] = {
        "strategies": ("unpatched", "release_page"), "patches": (),
        "backends": ("model", "other"), "oracles": None, "workloads": WORKLOADS, "seed": 3,
    }  # fmt: skip
    asked = session.Request(**fields | changes)  # type: ignore[arg-type]
    with session.begin(loaded, asked, output, ()) as running:
        assert not running.run(1)
        result = running.report()
        text = running.conformance(result)
        return Said(conform.status(result), text, result, running.directory)


def smallest(result: Result) -> list[list[str]]:
    """Return the lines of the smallest disagreements but for the mount and the last."""
    found = [one.smallest for one in result.conformance if one.smallest]
    assert all(one.shrunk for one in found)
    return [one.text.splitlines()[1:-1] for one in found]


def test_backends_that_agree_are_status_0_with_a_bound(tmp_path: Path) -> None:
    said = compared(tmp_path, Other())
    assert said.status == 0
    assert f"{WORKLOADS} workloads on model and other, seed 3" in said.text
    assert said.text.splitlines()[-1] == (
        f"other: 0 of {PAIRS} pairs of outcomes disagree (<1.5 %), "
        "fields: trace, ending, title, state, left, held, committed, hits, huge, reserved"
    )
    assert not (said.directory / "disagreements").exists()


def test_a_model_that_is_wrong_is_found_shrunk_and_shown(tmp_path: Path) -> None:
    said = compared(tmp_path, Other(WRONG))
    assert said.status == 1
    assert smallest(said.result) == [LEAST] * 2
    assert "release_page: model and other part:" in said.text
    table = said.text[said.text.index("release_page: model and other part:") :].splitlines()
    assert any(line.split() == ["step", "0:", "ret", "-14", "0"] for line in table)
    assert "pairs of outcomes disagree, fields: trace," in said.text.splitlines()[-1]
    assert "(<" not in said.text.splitlines()[-1]


def test_a_disagreement_is_left_as_a_workload_with_both_outcomes(tmp_path: Path) -> None:
    said = compared(tmp_path, Other(WRONG), strategies=("release_page",))
    folder = said.directory / "disagreements"
    text = (folder / "release_page-other.workload").read_text(encoding="utf-8")
    assert text.startswith("# what is left of workload ")
    (found,) = said.result.conformance
    assert found.smallest
    assert codec.to_text(codec.from_text(text)) == found.smallest.text
    outcomes = json.loads((folder / "release_page-other.json").read_text(encoding="utf-8"))
    seen = {name: msgspec.convert(one, Outcome) for name, one in outcomes.items()}
    assert [one.trace[0].at for one in seen.values()] == ["0", "0"]
    assert list(seen) == ["model", "other"]
    assert seen["model"] != seen["other"]
    assert f"difftest replay {folder}/release_page-other.workload" in said.text


def test_the_same_seed_gives_the_same_words(tmp_path: Path) -> None:
    one, two = (compared(tmp_path / name, Other(WRONG)) for name in ("1", "2"))
    assert one.text.replace(str(one.directory), "") == two.text.replace(str(two.directory), "")


def test_what_is_unknown_is_named_and_never_agreement(tmp_path: Path) -> None:
    def lose(workload: Workload, outcome: Outcome) -> Outcome:
        gone = Outcome(Ending.LOST, (), "the guest vanished with status 9")
        return gone if workload.blocks < 2 else outcome

    said = compared(tmp_path / "some", Other(change=lose))
    unknown = sum(one.unknown for one in said.result.conformance)
    assert said.status == 2
    assert 0 < unknown < PAIRS
    last = said.text.splitlines()[-1]
    assert last.startswith(f"other: 0 of {PAIRS - unknown} pairs of outcomes disagree (<")
    assert f"; {unknown} more pairs are unknown: lost: the guest vanished with status 9" in last

    nothing = compared(
        tmp_path / "all", Other(change=lambda *_: Outcome(Ending.HUNG, (), "silence"))
    )
    assert nothing.status == 2
    assert nothing.text.splitlines()[-1] == (
        f"other: nothing could be compared; {PAIRS} more pairs are unknown: hung: silence"
    )


def test_a_disagreement_counts_more_than_what_is_unknown(tmp_path: Path) -> None:
    def hang(workload: Workload, outcome: Outcome) -> Outcome:
        return Outcome(Ending.HUNG, (), "silence") if workload.blocks < 2 else outcome

    said = compared(tmp_path, Other(WRONG, change=hang))
    assert said.status == 1
    # What hangs is no smaller disagreement, and not tried for ever.
    found = [one.smallest for one in said.result.conformance if one.smallest]
    assert len(found) == 2
    assert all(codec.from_text(one.text).blocks >= 2 for one in found)
    assert {one.caveat for one in found} == {
        "not shrunk to the end: too many guests hung or were lost"
    }


def test_what_a_backend_cannot_see_is_left_out_and_named(tmp_path: Path) -> None:
    def blind(_: Workload, outcome: Outcome) -> Outcome:
        return msgspec.structs.replace(outcome, held=None)

    seeing = compared(tmp_path / "seeing", Other(change=blind))
    assert seeing.status == 1
    said = compared(tmp_path / "blind", Other(change=blind, unseen={"held": "it cannot count"}))
    assert said.status == 0
    assert said.text.splitlines()[-1].endswith(
        "fields: trace, ending, title, state, left, committed, hits, huge, reserved; "
        "not seen: held (it cannot count)"
    )


def test_a_strategy_that_one_side_has_no_patch_for_is_named(tmp_path: Path) -> None:
    patch = tmp_path / "mine.patch"
    patch.write_text("--- a/mm/shmem.c\n+++ b/mm/shmem.c\n@@ -1 +1 @@\n-a\n+b\n")
    said = compared(tmp_path, Other(), patches=(patch,))
    assert said.text.splitlines()[-1].endswith("; mine was not compared: no model patch")


def test_it_tells_what_of_the_vocabulary_was_reached(tmp_path: Path) -> None:
    said = compared(tmp_path, Other())
    assert "\nother: " in said.text
    rows = {tuple(row[:2]): row[2:] for row in reached.rows(said.result, window=False)}
    here, there = rows["copy", "done"]
    assert here == there
    assert int(here) > 30
    table = conform.reached_tables(said.result)
    assert ["copy", "done", here, there] in [line.split() for line in table.splitlines()]
    assert "in a window" in table


def test_a_stored_comparison_can_be_rendered_by_every_report(tmp_path: Path) -> None:
    said = compared(tmp_path, Other(WRONG))
    for report in plugins.load().reports.values():
        page = session.rendered(report, session.stored(said.directory), said.directory)
        assert "release_page" in page


def test_a_run_with_a_wrong_model_is_void_and_names_the_workload(tmp_path: Path) -> None:
    said = compared(tmp_path, Other(WRONG), oracles=())
    assert said.result.decision.void.startswith("model and kernel agree: ")
    assert said.result.decision.recommended is None
    page = session.rendered(plugins.load().report("table"), said.result, said.directory)
    file = f"{said.directory}/disagreements/release_page-other.workload"
    assert file in page
    assert file in (said.directory / "report.md").read_text(encoding="utf-8")
    assert (said.directory / "disagreements" / "release_page-other.workload").exists()


def test_the_model_alone_is_nothing_to_compare(tmp_path: Path) -> None:
    done = difftest("conform", "--backend", "model", "--output", tmp_path / "runs")
    assert done.returncode == 2
    assert "there is nothing to compare the model with" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("backend", "workloads", "chosen"),
    [
        *((f"uml:{series}", 500, ()) for series in kernels.SERIES),
        # A workload costs more there, and a crash a hundred times as much.
        ("qemu:6.1", 500, ("release_page",)),
    ],
)
def test_model_and_kernel_agree_in_every_field(
    tmp_path: Path,
    backend: str,
    workloads: int,
    chosen: tuple[str, ...],
    pytestconfig: pytest.Config,
) -> None:
    """Workloads that are drawn anew each time, with and without faults.

    Without a choice on every strategy.
    """
    seed = seed_of(pytestconfig)
    some = [word for name in chosen for word in ("--strategy", name)]
    faults = workloads // 2
    command = ("--backend", backend, *some, "--workloads", workloads, "--seed", seed)
    command = (*command, "--faults", faults)
    done = difftest("conform", *command, "--jobs", 1, "--output", tmp_path)
    said = f"seed {seed}:\n{done.stdout}{done.stderr}"
    assert done.returncode == 0, said
    assert f"{backend}: 0 of " in done.stdout, said
    assert f"seed {seed}" in done.stdout
    found = session.stored(tmp_path / "0001").conformance
    assert {one.strategy for one in found} >= {*chosen, "release_page"}
    for one in found:
        assert one.differ == 0, said
        assert one.unknown == 0, said
        assert one.compared > (workloads + faults) / 2
        assert one.compared + sum(one.unplayed.values()) == workloads + faults


@pytest.mark.kernel
def test_a_model_that_departs_from_the_kernel_is_found_and_shrunk(tmp_path: Path) -> None:
    """In the model a file has a page more than in the kernel: four lines show it."""
    loaded = plugins.load()
    loaded.strategies[WRONG.name] = WRONG
    places = ("model", f"uml:{kernels.DEFAULT}")
    asked = session.Request((WRONG.name,), (), places, None, 250, 8)
    with session.begin(loaded, asked, tmp_path, ()) as running:
        assert not running.run(1)
        result = running.report()
        text = running.conformance(result)
    assert conform.status(result) == 1
    assert smallest(result) == [LEAST]
    assert f"{WRONG.name}: model and uml:6.1 part:" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["step", "0:", "ret", "0", "-14"] in rows
    assert ["step", "0:", "copy", "4096", "-14"] in rows
