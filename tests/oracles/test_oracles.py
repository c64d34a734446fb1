# SPDX-License-Identifier: GPL-2.0-only
"""Each oracle fails for a fix that is wrong in just its way, and passes a right one."""

import pytest
from known import may_find_hugetlb
from wrong import wrong

import oracles
import strategies
from difftest import facts
from difftest.backends.model import ModelBackend
from difftest.outcome import Ending, Outcome, Step, Window
from difftest.strategy import Strategy
from difftest.verdict import Oracle, Value, Verdict, judge_safely
from difftest.workload import generate
from difftest.workload.codec import from_text, to_text
from difftest.workload.workload import Workload

KNOWN = {one.name: one for one in strategies.STRATEGIES}
ORACLES = {one.name: one for one in oracles.ORACLES}

#: A full mount at the retry of the second page.
FULL = from_text(
    "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "copy map=0 page=0 source=RM\n  window\n    fill leave=0\n"
)
#: The mapping is gone when the copy comes back.
GONE = from_text(
    "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "copy map=0 page=0 source=M\n  window\n    munmap map=0\n"
)


def verdicts(strategy: Strategy, workloads: list[Workload]) -> dict[str, list[Verdict]]:
    chain = facts.chain(strategy, KNOWN)
    with ModelBackend().runner(chain) as runner:
        outcomes = list(runner.run(workloads))
    return {
        name: [judge_safely(one, w, o) for w, o in zip(workloads, outcomes, strict=True)]
        for name, one in ORACLES.items()
    }


@pytest.mark.parametrize("name", ["release_page", "remove_bug_on"])
def test_a_right_fix_passes_every_oracle(name: str, request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("randomly_seed") % 1_000_000
    drawn = [one for shard in range(4) for one in generate.shard(seed, shard, 250)]
    workloads = [one for one in drawn if not may_find_hugetlb(one)]
    for oracle, given in verdicts(KNOWN[name], workloads).items():
        for workload, verdict in zip(workloads, given, strict=True):
            assert verdict.value is Value.PASS, (oracle, verdict.evidence, to_text(workload))


@pytest.mark.parametrize(
    ("strategy", "oracle", "workload", "evidence"),
    [
        (KNOWN["unpatched"], "no_kernel_bug", FULL, "BUG at mm/userfaultfd.c mcopy_atomic, after"),
        (KNOWN["naive_hold"], "block_accounting", GONE, "after step 0 (copy) 1 blocks are in use"),
        (wrong("forgets_page"), "page_leak", FULL, "1 pages are still allocated"),
        (wrong("half_copy"), "content", FULL, "page 1 of file 0 holds a mixture"),
        (wrong("wrong_errno"), "contract", GONE, ""),
        (wrong("double_put"), "no_kernel_bug", FULL, "BUG at"),
    ],
    ids=lambda value: getattr(value, "name", "") if isinstance(value, Strategy) else "",
)
def test_a_fix_that_is_wrong_in_one_way_fails_that_oracle_alone(
    strategy: Strategy, oracle: str, workload: Workload, evidence: str
) -> None:
    if oracle == "content":  # the retry must get through
        workload = from_text(
            "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\n"
            "copy map=0 page=0 source=RM\n"
        )
    if oracle == "contract":  # no block from the start: the only reason there is is ENOMEM
        workload = from_text(
            "mount blocks=1\nfile pages=4\nmap file=0 offset=0 pages=4\n"
            "fill leave=0\ncopy map=0 page=0 source=R\n"
        )
        evidence = "step 1: returned EEXIST, where ENOMEM was due"
    given = verdicts(strategy, [workload])
    assert given[oracle][0].value is Value.FAIL
    assert evidence in given[oracle][0].evidence
    assert [name for name, one in given.items() if one[0].value is Value.FAIL] == [oracle]


@pytest.mark.parametrize("name", ["block_accounting", "page_leak", "content"])
def test_a_crash_leaves_the_end_unknown(name: str) -> None:
    given = verdicts(KNOWN["unpatched"], [FULL])[name][0]
    assert given.value is Value.UNKNOWN
    assert given.evidence.startswith("the kernel crashed")


def test_a_leak_before_a_crash_still_fails_block_accounting() -> None:
    trace = (Step("0", 0, 1, 0),)
    workload = from_text(
        "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\nfree pages=1\n"
    )
    verdict = ORACLES["block_accounting"].judge(workload, Outcome(Ending.CRASHED, trace, "BUG"))
    assert verdict.value is Value.FAIL


@pytest.mark.parametrize("ending", [one for one in Ending if one not in ("finished", "crashed")])
def test_no_oracle_has_an_opinion_of_a_broken_rig(ending: Ending) -> None:
    for oracle in oracles.ORACLES:
        verdict = judge_safely(oracle, FULL, Outcome(ending, (), "cause"))
        assert verdict.value is Value.UNKNOWN
        assert verdict.evidence == f"{ending}: cause"


def test_an_oracle_that_raises_is_unknown_with_its_exception() -> None:
    class Raising:
        name = "raising"
        question = ""

        def judge(self, workload: Workload, outcome: Outcome) -> Verdict:  # noqa: ARG002
            raise ZeroDivisionError("by what?")

    oracle: Oracle = Raising()
    verdict = judge_safely(oracle, FULL, Outcome(Ending.FINISHED, ()))
    assert verdict == Verdict(Value.UNKNOWN, "oracle raising raised ZeroDivisionError: by what?")


@pytest.mark.parametrize(
    ("trace", "evidence"),
    [
        ((Step("0", 0, 1, 8192),), "filled every page and returned"),
        ((Step("0", 0, 2, None),), "did not write the byte count"),
        ((Step("0", 0, 2, 4096),), "filled 1 of 2 pages and returned 0"),
        ((Step("0", -11, 2, 4097),), "the byte count is 4097"),
        ((Step("0", -11, 1, 4096),), "stopped after 1 of 2 pages for no reason"),
        ((Step("0", -12, 0, -14),), "returned ENOMEM, and -14 as byte count"),
        ((Step("0", -17, 0, -17),), "returned EEXIST, where nothing was due"),
        ((Step("0", 0, 2, 8192), Step("1", 5, 2)), "returned 5"),
    ],
)
def test_contract_reads_every_part_of_a_result(
    trace: tuple[Step | Window, ...], evidence: str
) -> None:
    workload = from_text(
        "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\n"
        "copy map=0 page=0 source=RR\nmunmap map=0\n"
    )
    if evidence.startswith("filled every"):
        trace = (Step("0", -11, 2, 8192),)
    verdict = ORACLES["contract"].judge(workload, Outcome(Ending.FINISHED, trace))
    assert verdict.value is Value.FAIL
    assert evidence in verdict.evidence


def test_contract_finds_a_page_filled_where_it_must_not_be() -> None:
    trace = (Window("0.0", 0), Step("0.0.0", 0, 0), Step("0", 0, 1, 4096))
    verdict = ORACLES["contract"].judge(GONE, Outcome(Ending.FINISHED, trace))
    assert "page 0 was filled, where ENOENT was due" in verdict.evidence
