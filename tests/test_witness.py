# SPDX-License-Identifier: GPL-2.0-only
"""Witness files: a head that says what the workload below it shows, and whether it still does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner

from difftest import witness
from difftest.cli.replay import replay
from difftest.errors import DifftestError, UsageError
from difftest.outcome import Ending, Outcome
from difftest.replay import Replay
from difftest.verdict import PASS, UNREACHED, Value, Verdict, fail, unknown
from difftest.witness import Head
from difftest.workload import codec

if TYPE_CHECKING:
    from pathlib import Path

HEAD = Head(
    strategy="naive_hold",
    oracle="block_accounting",
    verdict=Value.FAIL,
    evidence="1 block too many",
    backends=("model", "model:5.10"),
    seed=3,
    workload=61,
    shrunk=True,
    passes=("release_page", "acct_last"),
)
WORKLOAD = """\
mount blocks=1
file pages=0
map file=0 offset=0 pages=1
copy map=0 page=0 source=U
"""
TEXT = witness.to_text(HEAD, WORKLOAD)


def refusal(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        witness.from_text(text, "my.workload")
    return str(caught.value)


def test_a_file_is_read_as_it_was_written() -> None:
    assert witness.from_text(TEXT, "") == (HEAD, codec.from_text(WORKLOAD))
    alone = msgspec.structs.replace(HEAD, passes=(), shrunk=False, backends=("model",))
    assert witness.from_text(witness.to_text(alone, WORKLOAD), "")[0] == alone


def test_a_comment_stands_below_the_head_and_is_no_part_of_what_is_read() -> None:
    text = witness.to_text(HEAD, WORKLOAD, "not shrunk to the end: why")
    assert "\n# replay: difftest replay FILE\n#\n# not shrunk to the end: why\nmount " in text
    assert witness.from_text(text, "") == (HEAD, codec.from_text(WORKLOAD))


def test_the_form_of_version_1_stays_what_it_is() -> None:
    """Files are kept for years: whoever changes this raises the version, and reads both."""
    assert (
        "# difftest witness 1\n# strategy: naive_hold\n# oracle: block_accounting\n"
        "# verdict: fail\n# evidence: 1 block too many\n# backends: model model:5.10\n"
        "# passes: release_page acct_last\n# seed: 3\n# workload: 61\n# shrunk: yes\n"
        f"# replay: difftest replay FILE\n{WORKLOAD}"
    ) == TEXT


def test_the_head_is_comments_to_whatever_reads_workloads() -> None:
    assert codec.from_text(TEXT) == codec.from_text(WORKLOAD)


@pytest.mark.parametrize("comment", ["", "# what it is about\n", "\n# difftest witness 9\n"])
def test_a_workload_without_a_head_is_one_all_the_same(comment: str) -> None:
    assert witness.from_text(comment + WORKLOAD, "") == (None, codec.from_text(WORKLOAD))


def test_evidence_of_several_lines_stays_in_its_line() -> None:
    head = msgspec.structs.replace(HEAD, evidence="a\n# verdict: pass\nb")
    read, _ = witness.from_text(witness.to_text(head, WORKLOAD), "")
    assert read
    assert (read.evidence, read.verdict) == ("a # verdict: pass b", Value.FAIL)


def test_other_comments_follow_behind_an_empty_one() -> None:
    text = TEXT.replace("mount", "#\n# to whom it may concern: nothing\nmount")
    assert witness.from_text(text, "")[0] == HEAD


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("witness 1", "witness 2", "my.workload: a witness of version 2, and this difftest reads"),
        ("copy map", "copy_twice map", "line 15: 'copy_twice map=0 page=0 source=U': unknown"),
        ("copy map", "copy_twice map", "If a newer difftest wrote this witness"),
        ("# seed: 3\n", "", "missing required field `seed`"),
        ("# seed: 3", "# seed: three", "Expected `int`"),
        ("# shrunk: yes", "# shrunk: perhaps", "Expected `bool`"),
        ("# verdict: fail", "# verdict: bad", "Invalid enum value 'bad'"),
        ("# seed: 3", "# seed: 3\n# colour: red", "unknown field `colour`"),
        ("# seed: 3", "# seed: 3\n# seed: 4", "line 9: '# seed: 4': expected `# NAME: VALUE`"),
        ("# seed: 3", "# seed three", "line 8: '# seed three': expected `# NAME: VALUE`"),
    ],
)
def test_a_head_that_cannot_be_read_is_refused(old: str, new: str, words: str) -> None:
    assert words in refusal(TEXT.replace(old, new))


def test_an_unknown_operation_without_a_head_is_no_newer_difftest() -> None:
    with pytest.raises(UsageError, match="unknown operation") as caught:
        witness.from_text(WORKLOAD.replace("copy", "kopy"), "")
    assert "newer" not in str(caught.value)


def replayed(strategy: str, verdict: Verdict | None) -> Replay:
    verdicts = ((HEAD.oracle, verdict),) if verdict else ()
    return Replay(strategy, "model", Outcome(Ending.FINISHED, ()), {}, verdicts)


@pytest.mark.parametrize(
    ("strategy", "verdict", "shown", "words"),
    [
        ("naive_hold", fail("2 blocks"), True, "block_accounting: FAIL, as the witness says"),
        ("naive_hold", PASS, False, "PASS, and the witness says FAIL"),
        ("naive_hold", unknown("lost"), False, "UNKNOWN (lost), and the witness says FAIL"),
        ("naive_hold", None, False, "cannot be asked here, and the witness says FAIL"),
        ("release_page", PASS, True, "PASS, as the witness says"),
        ("release_page", UNREACHED, False, "it never came to where it could have been a FAIL"),
        ("release_page", fail("2"), False, "FAIL (2), and the witness says PASS"),
        ("release_page", unknown("lost"), False, "UNKNOWN (lost), and the witness says PASS"),
        ("other", fail("2 blocks"), True, "FAIL, as the witness says"),
        ("other", PASS, False, "PASS, and the witness says FAIL"),
    ],
)
def test_a_replay_shows_what_the_head_says_or_not(
    strategy: str, verdict: Verdict | None, *, shown: bool, words: str
) -> None:
    ((as_said, sentence),) = witness.compared(HEAD, [replayed(strategy, verdict)], others=True)
    assert (as_said, words in sentence) == (shown, True), sentence


def test_strategies_that_the_head_does_not_name_are_compared_only_if_asked_for() -> None:
    assert not list(witness.compared(HEAD, [replayed("other", PASS)]))


def told(tmp_path: Path, text: str, *options: str) -> tuple[int, str]:
    file = tmp_path / "my.workload"
    file.write_text(text)
    done = CliRunner().invoke(replay, [str(file), *options])
    if isinstance(done.exception, DifftestError):
        return 2, str(done.exception)
    return done.exit_code, done.output


def test_replay_takes_strategies_and_backends_from_the_head(tmp_path: Path) -> None:
    status, output = told(tmp_path, TEXT)
    assert status == 0
    said = [line for line in output.splitlines() if "as the witness says" in line]
    assert said == [
        f"naive_hold on {backend}: block_accounting: FAIL, as the witness says"
        for backend in HEAD.backends
    ]


@pytest.mark.parametrize(
    ("change", "options", "status", "words"),
    [
        ("", ("--backend", "model:6.12"), 0, "naive_hold on model:6.12: block_accounting: FAIL, "),
        ("", ("--strategy", "naive_hold", "--oracle", "content"), 0, "PASS: content"),
        ("", ("--strategy", "naive_hold", "--no-expect"), 1, "block_accounting: FAIL"),
        ("", ("--strategy", "hold_reservation"), 0, "PASS: no_kernel_bug, block_accounting"),
        ("", ("--strategy", "hold_reservation", "--expect"), 1, "PASS, and the witness says FAIL"),
        ("", ("--strategy", "acct_last", "--strategy", "naive_hold"), 0, "PASS, as the witness"),
        ("source=U", (), 1, "naive_hold on model: block_accounting: PASS, and the witness says"),
        ("naive_hold", (), 2, "a strategy 'gone', which is not known here: give its patch"),
        ("", ("--expect", "--oracle", "content"), 2, "is about the oracle block_accounting"),
    ],
)
def test_options_go_before_the_head(
    tmp_path: Path, change: str, options: tuple[str, ...], status: int, words: str
) -> None:
    text = TEXT.replace(change, "source=R" if "=" in change else "gone") if change else TEXT
    got, output = told(tmp_path, text, *options)
    assert (got, words in output) == (status, True), output


def test_a_plain_workload_has_nothing_to_expect(tmp_path: Path) -> None:
    options = ("--strategy", "naive_hold", "--backend", "model")
    assert told(tmp_path, WORKLOAD, *options)[0] == 1
    status, output = told(tmp_path, WORKLOAD, *options, "--expect")
    assert (status, "the file has no head that says what to expect" in output) == (2, True)


def test_a_strategy_that_does_not_apply_somewhere_is_said_not_to_have_run(tmp_path: Path) -> None:
    text = TEXT.replace("naive_hold", "install_pte_v6")
    status, output = told(tmp_path, text)
    assert (status, "install_pte_v6 cannot run on model:5.10" in output) == (2, True)
    status, output = told(tmp_path, WORKLOAD, "--strategy", "install_pte_v6",
                          "--backend", "model:5.10")  # fmt: skip
    assert "install_pte_v6 cannot run on model:5.10" in output
