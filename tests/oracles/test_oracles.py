# SPDX-License-Identifier: GPL-2.0-only
"""Each oracle fails for a fix that is wrong in just its way, and passes a right one."""

import errno

import pytest
from drawn import seed_of, some
from known import may_find_hugetlb
from played import KNOWN, MODEL, outcomes
from wrong import CASES, Case, wrong

import oracles
from difftest.outcome import Ending, Outcome, Step, Window
from difftest.strategy import Strategy
from difftest.verdict import Oracle, Value, Verdict, judge_safely
from difftest.workload.codec import from_text, to_text
from difftest.workload.workload import Workload

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
#: The page that a copy is to fill has been written.
TAKEN = from_text(
    "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "write file=0 page=0 pages=1\ncopy map=0 page=0 source=R\n"
)
#: Memory is reclaimed after a copy; in a mount that counts no blocks.
RECLAIMED = from_text(
    "mount blocks=0\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "copy map=0 page=0 source=R\npageout map=0 page=0 pages=4\n"
)

#: A page that is refused for want of space.
REFUSED = "mount blocks=1|fill leave=0|copy map=0 page=0 source=R"


def verdicts(strategy: Strategy, workloads: list[Workload]) -> dict[str, list[Verdict]]:
    baseline = outcomes(MODEL, KNOWN["unpatched"], workloads)
    seen = outcomes(MODEL, strategy, workloads)
    return {
        name: [
            judge_safely(one, w, o, base)
            for w, o, base in zip(workloads, seen, baseline, strict=True)
        ]
        for name, one in ORACLES.items()
    }


@pytest.mark.parametrize("name", ["release_page", "remove_bug_on", "hold_reservation", "acct_last"])
def test_a_right_fix_passes_every_oracle(name: str, request: pytest.FixtureRequest) -> None:
    seed = seed_of(request.config)
    workloads = [one for one in some(seed) if not may_find_hugetlb(one)]
    for oracle, given in verdicts(KNOWN[name], workloads).items():
        if oracle == "unchanged" and name in ("hold_reservation", "acct_last"):
            # They do change what can be seen: blocks in use at a stop, which of two errors comes.
            assert any(verdict.value is Value.FAIL for verdict in given)
            continue
        for workload, verdict in zip(workloads, given, strict=True):
            assert verdict.value is Value.PASS, (oracle, verdict.evidence, to_text(workload))


@pytest.mark.parametrize(
    ("strategy", "oracle", "workload", "evidence"),
    [
        (KNOWN["unpatched"], "no_kernel_bug", FULL, "BUG at mm/userfaultfd.c mcopy_atomic, after"),
        (KNOWN["naive_hold"], "block_accounting", GONE, "after step 0 (copy) 1 blocks are in use"),
        (KNOWN["release_page_v1"], "no_kernel_bug", FULL, "BUG at mm/filemap.c folio_unlock"),
        (KNOWN["install_pte_v4"], "block_accounting", TAKEN, "2 blocks are in use, and the files"),
        (KNOWN["never_dirty"], "dirty", RECLAIMED, "page 0 of file 0 holds zeros"),
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
    if strategy.name == "half_copy":  # the retry must get through
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
    failed = {name for name, one in given.items() if one[0].value is Value.FAIL}
    # A block that is not given back is committed memory that is not, and the change shows.
    also = {"unchanged", "committed"} if oracle == "block_accounting" else {"unchanged"}
    assert failed - also == {oracle}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_oracle_catches_the_fix_that_is_wrong_in_its_way(case: Case) -> None:
    given = verdicts(wrong(case.name), [from_text(case.text)])
    assert given[case.oracle][0].value is Value.FAIL
    assert case.evidence in given[case.oracle][0].evidence
    failed = {name for name, one in given.items() if one[0].value is Value.FAIL}
    # What is wrong where the baseline is right is a change, too.
    assert failed - {"unchanged"} == {case.oracle, *case.also} - {"unchanged"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_workload_passes_with_a_right_fix_and_could_have_failed(case: Case) -> None:
    (verdict,) = verdicts(KNOWN["release_page"], [from_text(case.text)])[case.oracle]
    assert (verdict.value, verdict.reached) == (Value.PASS, True)


@pytest.mark.parametrize(
    ("oracle", "reached", "text"),
    [
        ("no_kernel_bug", True, "mount blocks=2|copy map=0 page=0 source=M"),
        ("no_kernel_bug", False, "mount blocks=2|copy map=0 page=0 source=R"),
        ("block_accounting", True, "mount blocks=2|copy map=0 page=0 source=R"),
        ("block_accounting", False, "mount blocks=0|copy map=0 page=0 source=R"),
        ("block_accounting", False, "mount blocks=2|munmap map=0|copy map=0 page=0 source=R"),
        ("page_leak", True, "mount blocks=2|copy map=0 page=0 source=M"),
        ("page_leak", True, "mount blocks=2|copy map=0 page=0 source=U"),
        ("page_leak", False, "mount blocks=2|copy map=0 page=0 source=R"),
        ("content", True, "mount blocks=2|copy map=0 page=0 source=R"),
        ("content", False, "mount blocks=2|copy map=0 page=0 source=U"),
        ("contract", True, "mount blocks=2|copy map=0 page=0 source=U"),
        ("contract", False, "mount blocks=2|copy map=0 page=0 source=R"),
        ("stale_cache", True, "mount blocks=2|copy map=0 page=0 source=U"),
        ("stale_cache", False, "mount blocks=2|copy map=0 page=0 source=R"),
        ("dirty", True, "mount blocks=2|copy map=0 page=0 source=R|pageout map=0 page=0 pages=1"),
        ("dirty", False, "mount blocks=2|copy map=0 page=1 source=R|pageout map=0 page=0 pages=1"),
        ("dirty", False, "mount blocks=2|pageout map=0 page=0 pages=1|copy map=0 page=0 source=R"),
        ("committed", True, "mount blocks=0|copy map=0 page=0 source=U"),
        ("committed", False, "mount blocks=2|munmap map=0|copy map=0 page=0 source=R"),
        ("lru", True, "mount blocks=2|copy map=0 page=0 source=R|mlock map=0"),
        ("lru", False, "mount blocks=2|mlock map=0"),
        ("progress", False, "mount blocks=1|fill leave=0|copy map=0 page=0 source=R"),
        ("progress", False, f"{REFUSED}|copy map=0 page=0 source=R"),
        ("progress", True, f"{REFUSED}|free pages=1|copy map=0 page=0 source=R"),
        ("progress", False, f"{REFUSED}|free pages=1|copy map=0 page=1 source=R"),
        ("other_callers", False, "mount blocks=2|copy map=0 page=0 source=M"),
        ("other_callers", False, "mount blocks=2|zeropage map=0 page=0 pages=1"),
        ("other_callers", True, "mount blocks=1|fill leave=0|zeropage map=0 page=0 pages=1"),
        ("other_callers", True, "mount blocks=1|fill leave=0|continue map=0 page=0 pages=1"),
        ("unchanged", True, "mount blocks=2|copy map=0 page=0 source=R"),
        ("unchanged", False, "mount blocks=1|copy map=0 page=0 source=M|  window|    fill leave=0"),
    ],
)  # fmt: skip
def test_a_pass_says_whether_the_workload_could_have_failed(
    oracle: str,
    reached: bool,  # noqa: FBT001 - a parameter of the test
    text: str,
) -> None:
    mount, *steps = text.split("|")
    lines = [mount, "file pages=4", "map file=0 offset=0 pages=4", *steps]
    (verdict,) = verdicts(KNOWN["release_page"], [from_text("\n".join(lines))])[oracle]
    assert (verdict.value, verdict.reached) == (Value.PASS, reached)


@pytest.mark.parametrize(
    "name",
    ["block_accounting", "page_leak", "content", "stale_cache", "dirty", "committed", "lru"],
)
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
    if len(trace) == 1:
        trace = (*trace, Step("1", 0, 2))
    verdict = ORACLES["contract"].judge(workload, Outcome(Ending.FINISHED, trace))
    assert verdict.value is Value.FAIL
    assert evidence in verdict.evidence


def test_contract_finds_a_page_filled_where_it_must_not_be() -> None:
    trace = (Window("0.0", 0), Step("0.0.0", 0, 0), Step("0", 0, 1, 4096))
    verdict = ORACLES["contract"].judge(GONE, Outcome(Ending.FINISHED, trace))
    assert "page 0 was filled, where ENOENT was due" in verdict.evidence


@pytest.mark.parametrize(
    ("map_", "window", "kind"),
    [
        ("map_private file=0 offset=0 pages=1", "", "private copy"),
        ("map_anonymous pages=1", "", "anonymous copy"),
        ("map_shared_anonymous pages=1", "", "shared anonymous copy"),
        ("map_hugetlb pages=1", "", "hugetlb copy"),
        ("map_shared_anonymous pages=1", "remap_hugetlb map=0 pages=1", "hugetlb copy"),
        ("map file=0 offset=0 pages=1", "", ""),
        ("map file=0 offset=0 pages=1", "remap_anonymous map=0", "anonymous copy"),
        ("map_anonymous pages=1", "remap map=0 file=0 offset=0", ""),
    ],
)
def test_a_crash_is_that_of_what_is_mapped_when_the_copy_comes_back(
    map_: str, window: str, kind: str
) -> None:
    text = f"mount blocks=1\nfile pages=1\n{map_}\ncopy map=0 page=0 source=M\n"
    workload = from_text(text + (f"  window\n    {window}\n" if window else ""))
    trace: tuple[Step | Window, ...] = (Window("0.0", 0),)
    if window:
        trace = (*trace, Step("0.0.0", 0, 0))
    verdict = ORACLES["other_callers"].judge(workload, Outcome(Ending.CRASHED, trace, "BUG"))
    assert verdict.kinds == ((kind,) if kind else ())
    assert verdict.value is (Value.FAIL if kind else Value.PASS)
    # In the window itself no copy is to blame.
    if window:
        early = Outcome(Ending.CRASHED, trace[:1], "BUG")
        assert ORACLES["other_callers"].judge(workload, early).value is Value.PASS


def test_a_removal_that_ended_with_an_error_bars_no_copy() -> None:
    """madvise() found nothing mapped there, so nobody was told, and it does not wait."""
    workload = from_text(
        "mount blocks=0\nmap_shared_anonymous pages=1\n"
        "remove_begin map=0 page=1 pages=1\ncopy map=0 page=0 source=R\n"
    )
    (outcome,) = outcomes(MODEL, KNOWN["release_page"], [workload])
    assert [one.ret for one in outcome.trace if isinstance(one, Step)] == [-errno.ENOMEM, 0]
    assert ORACLES["contract"].judge(workload, outcome).value is Value.PASS
