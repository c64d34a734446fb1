# SPDX-License-Identifier: GPL-2.0-only
"""Exported witnesses: C that compiles without a warning, and shows in a guest what it should."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from corpus import CORPUS
from played import KNOWN

from difftest import plugins, witness
from difftest.backends.program import Boots, Program
from difftest.errors import UsageError
from difftest.guest.build import STATIC, launcher
from difftest.outcome import Ending
from difftest.reproducer.program import exported
from difftest.reproducer.statements import EMITTERS
from difftest.workload import codec

PLUGINS = plugins.load()
PLAIN = [name for name, one in CORPUS.items() if not one.workload.faults]
FORMS = pytest.mark.parametrize("kselftest", [False, True], ids=["c", "kselftest"])
KERNELS = ("uml:5.10", "uml:6.1", "uml:6.12")

#: Every operation that can be exported, and both kinds of windows: with something in them, without.
EVERYTHING = """\
mount blocks=8
file pages=6
memfd pages=3
map file=0 offset=0 pages=6
map_private file=1 offset=0 pages=2
map_anonymous pages=2
map_shared_anonymous pages=2
write file=0 page=0 pages=1
copy map=0 page=1 source=RMU
  window
    truncate file=0 pages=5
copy_unaligned map=0 page=1 source=MMR
  window
    punch file=0 page=0 pages=1
    munmap_source
begin map=2 page=0 source=MR
begin map=3 page=0 source=RM
zeropage map=0 page=3 pages=1
continue map=0 page=0 pages=1
fill leave=1
free pages=1
resume begin=0
mprotect map=0 write=0
mlock map=3
pageout map=0 page=0 pages=3
unregister map=0
register map=0
mremap map=0
mremap map=0
remap map=0 file=0 offset=1
remap_private map=1 file=0 offset=0
remap_anonymous map=2
munmap map=1
close_destination
"""


def text_of(name: str, *, kselftest: bool = False) -> str:
    _, head, workload = CORPUS[name]
    return exported(head, workload, PLUGINS, kselftest=kselftest)


def text_for(oracle: str, workload: str, *, kselftest: bool = False) -> str:
    """Export a workload as if the oracle failed somebody else on it."""
    head = msgspec.structs.replace(
        CORPUS[PLAIN[0]].head, strategy="unpatched", oracle=oracle, passes=("release_page",)
    )
    return exported(head, codec.from_text(workload), PLUGINS, kselftest=kselftest)


def compiled(text: str, folder: Path, *options: str) -> Path:
    source, program = folder / "program.c", folder / "program"
    source.write_text(text, encoding="utf-8")
    warnings = ("-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
    subprocess.run(["gcc", *warnings, *options, "-o", program, source], check=True)
    return program


@FORMS
@pytest.mark.parametrize("name", PLAIN)
def test_a_witness_compiles_without_a_warning(
    name: str, tmp_path: Path, *, kselftest: bool
) -> None:
    compiled(text_of(name, kselftest=kselftest), tmp_path)


@FORMS
@pytest.mark.parametrize("oracle", ["no_kernel_bug", "block_accounting", "stale_cache", "contract"])
def test_every_operation_compiles_without_a_warning(
    oracle: str, tmp_path: Path, *, kselftest: bool
) -> None:
    compiled(text_for(oracle, EVERYTHING, kselftest=kselftest), tmp_path)


def test_the_workload_that_has_everything_has_every_operation_that_can_be_exported() -> None:
    played = {type(op) for _, op in codec.from_text(EVERYTHING).places()}
    assert played == set(EMITTERS)


@pytest.mark.parametrize("name", CORPUS)
def test_the_operations_of_the_corpus_can_be_exported(name: str) -> None:
    assert {type(op) for _, op in CORPUS[name].workload.places()} <= set(EMITTERS)


@pytest.mark.parametrize("name", PLAIN)
def test_each_step_stands_above_what_it_is_in_c(name: str) -> None:
    text = text_of(name)
    steps = [f"/* {at}: {codec.line_of(op)} */" for at, op in CORPUS[name].workload.places()]
    assert [line.strip() for line in text.splitlines() if line.strip() in steps] == steps


def test_a_copy_that_stops_has_a_function_of_its_own_for_its_thread() -> None:
    text = text_for("contract", EVERYTHING)
    assert text.count("static void *copier_") == text.count("start(&copy_") == 4
    assert "copier_" not in text_of("never_dirty-dirty")


@pytest.mark.parametrize("name", PLAIN)
def test_what_a_witness_does_not_need_is_not_there(name: str) -> None:
    text = text_of(name)
    for word in ("UFFDIO_ZEROPAGE", "UFFDIO_CONTINUE", "memfd", "MREMAP", "fallocate"):
        assert word not in text
    stops = "M" in "".join(getattr(op, "source", "") for _, op in CORPUS[name].workload.places())
    assert ("pthread_create" in text) == stops


def test_what_the_models_of_kernels_do_not_agree_on_is_due_on_none() -> None:
    """5.10 has no UFFDIO_CONTINUE: its result says nothing of a fix."""
    text = text_for("contract", EVERYTHING)
    assert 'tell("6", map_cached(' in text
    assert 'expect("5 returns 0", zeropage(' in text


def refusal(oracle: str, workload: str) -> str:
    with pytest.raises(UsageError) as caught:
        text_for(oracle, workload)
    return str(caught.value)


SMALL = "mount blocks=2\nfile pages=2\nmap file=0 offset=0 pages=2\n"


@pytest.mark.parametrize(
    ("oracle", "workload", "words"),
    [
        ("contract", f"{SMALL}fault site=page_alloc call=1 error=ENOMEM\nfill leave=0\n",
         "error=ENOMEM` cannot be exported: the call fails because the kernel was built with"),
        ("contract", f"{SMALL}fork\n", "step 0 (fork) cannot be exported: there is no C for fork"),
        ("contract", f"{SMALL}copy map=0 page=0 source=M\n  window\n    overcommit leave=0\n",
         "step 0.0.0 (overcommit leave=0) cannot be exported"),
        ("contract", "mount blocks=0\nmap_hugetlb pages=1\n", "no C for hugetlb memory"),
        ("page_leak", f"{SMALL}fill leave=0\n", "a witness for the oracle page_leak cannot be"),
        ("guard", f"{SMALL}fill leave=0\n", "there is C for no_kernel_bug, "),
        ("block_accounting", "mount blocks=0\nfile pages=1\n", "such a mount counts no blocks"),
    ],
)  # fmt: skip
def test_what_no_program_can_do_is_refused(oracle: str, workload: str, words: str) -> None:
    assert words in refusal(oracle, workload)


@pytest.mark.parametrize("passes", [(), ("gone",)])
def test_what_is_due_has_to_be_known(passes: tuple[str, ...]) -> None:
    _, head, workload = CORPUS[PLAIN[0]]
    head = msgspec.structs.replace(head, passes=passes)
    with pytest.raises(UsageError, match="the head has to name a strategy with a patch"):
        exported(head, workload, PLUGINS, kselftest=False)


def test_a_workload_without_a_head_is_no_witness() -> None:
    head, workload = witness.from_text(SMALL, "")
    with pytest.raises(UsageError, match="has no head that says what it shows"):
        exported(head, workload, PLUGINS, kselftest=False)


@FORMS
def test_who_may_not_mount_gets_no_verdict(tmp_path: Path, *, kselftest: bool) -> None:
    """As nobody, where tests run as root: the program must leave this machine alone."""
    program = compiled(text_of("never_dirty-dirty", kselftest=kselftest), tmp_path)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(
            [shutil.copy(program, folder)], capture_output=True, text=True, check=False, **nobody
        )  # type: ignore[call-overload]
    assert done.returncode == (4 if kselftest else 77), done.stdout
    assert "mount a tmpfs of" in done.stdout
    if kselftest:
        lines = [line for line in done.stdout.splitlines() if not line.startswith("# ")]
        plan = int(lines[1].removeprefix("1.."))
        assert lines[0] == "TAP version 13"
        assert [re.match(r"ok (\d+) # SKIP mount", line)[1] for line in lines[2:]] == [  # type: ignore[index]
            str(number) for number in range(1, plan + 1)
        ]


class Came(NamedTuple):
    """How a program ended in a guest: the title of a crash or "", its exit status, its words."""

    crash: str
    status: int
    said: list[str]


def played(text: str, backend: str, strategy: str, folder: Path) -> Came:
    program = compiled(text, folder, *STATIC[1:])
    chain = PLUGINS.chain(KNOWN[strategy])
    place = PLUGINS.backend(backend)
    assert isinstance(place, Boots)
    place.prepare(chain)  # type: ignore[attr-defined]
    ended = place.boot(
        chain,
        Program(init=launcher(), arguments=("0",), files={"/test": program}, patience=30.0),
    )
    said = [line.strip() for line in ended.console.splitlines()]
    ends = [line for line in said if line.startswith('{"exit":')]
    if ended.complaint:
        assert ended.complaint.ending is Ending.CRASHED, ended.console
        return Came(ended.complaint.title, -1, said)
    assert len(ends) == 1, ended.console
    end = msgspec.json.decode(ends[0], type=dict[str, int])
    assert end["signal"] == 0, ended.console
    return Came("", end["exit"], said)


@pytest.mark.kernel
@pytest.mark.parametrize("backend", KERNELS)
@pytest.mark.parametrize("name", PLAIN)
def test_a_program_shows_it_on_the_kernel_that_has_it_and_only_there(
    name: str, backend: str, tmp_path: Path
) -> None:
    text = text_of(name)
    head = CORPUS[name].head
    bad = played(text, backend, head.strategy, tmp_path)
    if head.oracle == "no_kernel_bug":
        assert bad.crash.startswith("BUG at mm/"), bad
    else:
        # 6.12 warns of a block that is charged too many, which ends a guest; the program saw it.
        assert (bad.crash, bad.status) == ("", 1) or "shmem_evict_inode" in bad.crash, bad
        assert any(line.startswith("SHOWN: not so: ") for line in bad.said), bad
    right = played(text, backend, "release_page", tmp_path)
    assert (right.crash, right.status) == ("", 0), right
    assert any(line.startswith("ok: ") for line in right.said)


@pytest.mark.kernel
@pytest.mark.parametrize("name", PLAIN)
def test_a_self_test_says_the_same_in_tap(name: str, tmp_path: Path) -> None:
    text = text_of(name, kselftest=True)
    head = CORPUS[name].head
    bad = played(text, "uml:6.1", head.strategy, tmp_path)
    assert bad.crash or (bad.status, "not ok" in " ".join(bad.said)) == (1, True), bad
    right = played(text, "uml:6.1", "release_page", tmp_path)
    assert (right.crash, right.status) == ("", 0), right
    start = right.said.index("TAP version 13")
    plan = int(right.said[start + 1].removeprefix("1.."))
    numbers = [line.split()[1] for line in right.said if line.startswith("ok ")]
    assert numbers == [str(number) for number in range(1, plan + 1)]


@pytest.mark.kernel
@pytest.mark.parametrize("backend", KERNELS)
def test_operations_do_in_c_what_they_do_on_the_model(backend: str, tmp_path: Path) -> None:
    came = played(text_for("contract", EVERYTHING), backend, "release_page", tmp_path)
    assert (came.crash, came.status) == ("", 0), came
    assert sum(line.startswith("ok: ") for line in came.said) > 20


@pytest.mark.kernel
def test_a_window_that_does_not_open_is_no_kernel_without_the_bug(tmp_path: Path) -> None:
    text = text_of("unpatched-no_kernel_bug")
    resident = text.replace("watch_source(&copy_0);", "memset(copy_0.source, 1, PAGE);", 1).replace(
        "copy_to(&copy_0", "watch_source(&copy_0);\n\tcopy_to(&copy_0", 1
    )
    assert resident != text
    came = played(resident, "uml:6.1", "release_page", tmp_path)
    assert (came.crash, came.status) == ("", 77), came
    assert "cannot run here: window 0.0 did not open" in came.said
