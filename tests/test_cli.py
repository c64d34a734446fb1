# SPDX-License-Identifier: GPL-2.0-only
"""The command line: exit statuses, help, and a clear error for everything that can be wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from called import Called, difftest, process
from running import kept, until
from wrong import DATA

from difftest import schema

ROOT = Path(__file__).parents[1]


def run(tmp_path: Path, *arguments: object) -> Called:
    return difftest(
        "run", "--backend", "model", "--faults", 0, "--jobs", 1, "--output", tmp_path / "runs",
        *arguments,
    )  # fmt: skip


def words(option: str, *values: str) -> tuple[str, ...]:
    return tuple(word for value in values for word in (option, value))


#: Enough to be caught, ruled out and recommended; with all of them a run takes twice as long.
SOME = words(
    "--strategy",
    "unpatched", "remove_bug_on", "release_page", "naive_hold", "unacct_before_return",
)  # fmt: skip

#: The least that ends in a recommendation: by these oracles so few workloads show enough.
LEAST = (
    *words("--strategy", "unpatched", "release_page"),
    *words("--oracle", "no_kernel_bug", "page_leak", "content"),
    "--workloads", 200,
)  # fmt: skip

#: Enough for a run to be there.
FEW = (
    "run", "--backend", "model", "--strategy", "unpatched", "--workloads", 5, "--faults", 0,
    "--jobs", 1,
)  # fmt: skip

COMMANDS = (
    "run",
    "conform",
    "mutants",
    "report",
    "runs",
    "compare",
    "replay",
    "export",
    "selftest",
    "list",
    "show",
    "kernel",
    "doctor",
)


def test_help_names_every_command() -> None:
    text = process("--help").stdout
    assert all(f"\n  {command} " in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = difftest(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")


def test_a_recommendation_is_status_0_and_the_table_goes_to_standard_output(
    tmp_path: Path,
) -> None:
    done = run(tmp_path, *LEAST)
    assert done.returncode == 0, done.stderr
    assert "Recommended: release_page" in done.stdout
    assert "no_kernel_bug" in done.stdout
    assert "Recommended" not in done.stderr


def test_no_recommendation_is_status_1(tmp_path: Path) -> None:
    done = run(tmp_path, "--workloads", 100, "--strategy", "unpatched")
    assert done.returncode == 1


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Called, Path]:
    """Return what a run of some strategies said, and where it is kept; both are to stay."""
    place = tmp_path_factory.mktemp("cli")
    said = run(place, *SOME, "--workloads", 200, "--format", "json", "--format", "table")
    return said, place / "runs" / "0001"


def test_json_follows_the_published_schema(done: tuple[Called, Path]) -> None:
    result, _ = json.JSONDecoder().raw_decode(done[0].stdout)
    published = json.loads(schema.PATH.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(published).validate(result)
    assert set(result) >= {
        "schema", "seed", "workloads", "backends", "strategies", "cells", "witnesses",
        "controls", "conformance", "decision", "timings",
    }  # fmt: skip


def test_a_stored_run_is_rendered_again_in_any_format(done: tuple[Called, Path]) -> None:
    said, stored = done
    again = difftest("report", stored)
    assert again.stdout
    assert said.stdout.endswith(f"}}\n{again.stdout}")
    assert again.returncode == said.returncode
    assert difftest("report", stored, "--format", "json").stdout.startswith("{")
    assert difftest("report", stored, "--format", "markdown").stdout.startswith("#")
    assert difftest("report", stored, "--format", "html").stdout.startswith("<!DOCTYPE html>")
    assert difftest("report", stored, "--format", "lkml").stdout.startswith("Of 5 strategies")
    assert difftest("report", stored, "--format", "github").stdout.startswith("## ")
    junit = difftest("report", stored, "--format", "junit")
    assert 'testsuite name="unpatched on model"' in junit.stdout
    assert junit.returncode == said.returncode
    assert '"config_name"' not in difftest("report", stored, "--format", "kcidb").stdout


def test_what_the_report_says_to_replay_shows_the_same_failure(done: tuple[Called, Path]) -> None:
    text = (done[1] / "report.md").read_text(encoding="utf-8")
    text = text.replace("\\\n", " ")
    commands = [line.split() for line in text.splitlines() if "difftest replay" in line]
    assert len(commands) >= 3
    told = []
    for command in commands:
        replayed = difftest(*command[command.index("replay") :])
        assert replayed.returncode == 0, replayed.stderr
        assert ": FAIL, as the witness says" in replayed.stdout
        oracle = Path(command[2]).stem.partition("-")[2]
        assert f"{oracle}: FAIL" in replayed.stdout
        told.append(replayed.stdout)
    assert any("(in its window)" in one for one in told)


def test_replay_reads_standard_input_and_passes_what_is_right() -> None:
    text = "mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\ncopy map=0 page=0 source=M\n"
    done = difftest("replay", "-", "--strategy", "release_page", "--backend", "model", stdin=text)
    assert done.returncode == 0, done.stderr
    assert "PASS: no_kernel_bug" in done.stdout
    assert "stops, with no lock held" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workloads", "0"], "0 is not in the range x>=1"),
        (["--workloads", "-3"], "-3 is not in the range x>=1"),
        (["--workloads", "many"], "'many' is not a valid integer"),
        (["--seed", "-1"], "'-1' is neither `random` nor a number of at least 0"),
        (["--jobs", "0"], "'0' is neither `auto` nor a number of at least 1"),
        (["--jobs", "all"], "'all' is neither `auto` nor"),
        (["--strategy", "release"], "unknown strategy 'release': did you mean release_page"),
        (["--backend", "uml:6.2"], "unknown backend 'uml:6.2': did you mean uml:6.1"),
        (["--oracle", "contents"], "unknown oracle 'contents': did you mean content"),
        (["--format", "tabel"], "unknown report 'tabel': did you mean table"),
        (["--patch", "no-such.patch"], "'no-such.patch' does not exist"),
        (["--workload", "5"], "No such option '--workload'. Did you mean '--workloads'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_argument_is_status_2_and_named(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.replace("(", "").split())
    assert not done.stdout
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_no_patch_is_refused(tmp_path: Path) -> None:
    patch = tmp_path / "fix.patch"
    patch.write_text("please apply my fix\n")
    done = run(tmp_path, "--patch", patch)
    assert done.returncode == 2
    assert "fix.patch" in done.stderr
    assert "unified diff" in done.stderr


def test_a_plugin_that_cannot_be_loaded_is_named_and_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "bad-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[difftest]\nbad = bad_plugin\n")
    (tmp_path / "site" / "bad_plugin.py").write_text("raise RuntimeError('not today')\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    done = difftest(*FEW, "--output", tmp_path / "runs")
    assert done.returncode == 2
    assert "plugin bad (bad_plugin) cannot be loaded: RuntimeError: not today" in done.stderr
    assert "--no-plugin bad" in done.stderr
    done = difftest(*FEW, "--output", tmp_path / "runs", "--no-plugin", "bad")
    assert done.returncode == 1, done.stderr


@pytest.mark.parametrize("damage", ["cut", "text", "missing"])
def test_a_corrupt_run_is_named(tmp_path: Path, damage: str) -> None:
    difftest(*FEW, "--output", tmp_path / "runs")
    stored = tmp_path / "runs" / "0001"
    file = stored / "run.sqlite"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "text":
        file.write_text("this is no database\n" * 100)
    else:
        file.unlink()
    done = difftest("report", stored)
    assert done.returncode == 2
    assert "0001" in done.stderr


def test_a_witness_is_exported_to_a_file_or_standard_output(tmp_path: Path) -> None:
    witness = Path(__file__).parent / "witnesses" / "never_dirty-dirty.workload"
    file = tmp_path / "repro.c"
    done = difftest("export", witness, "--c", "-o", file)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    text = file.read_text(encoding="utf-8")
    assert text.startswith("// SPDX-License-Identifier: GPL-2.0-only\n/*\n * dirty: ")
    assert difftest("export", witness, "--c").stdout == text
    assert "TAP version 13" in difftest("export", witness, "--kselftest").stdout


@pytest.mark.parametrize(
    ("name", "forms", "words"),
    [
        ("never_dirty-dirty", (), "name the form: --c or --kselftest"),
        ("remove_bug_on-guard", ("--c",), "remove_bug_on-guard.workload: `fault site="),
    ],
)
def test_what_cannot_be_exported_is_status_2_and_says_why(
    name: str, forms: tuple[str, ...], words: str
) -> None:
    witness = Path(__file__).parent / "witnesses" / f"{name}.workload"
    done = difftest("export", witness, *forms)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_wrong_workload_file_is_named_by_line(tmp_path: Path) -> None:
    file = tmp_path / "my.workload"
    file.write_text("mount blocks=4\nfile pages=2\ncpy map=0\n")
    done = difftest("replay", file, "--backend", "model")
    assert done.returncode == 2
    assert "my.workload, line 3: 'cpy map=0': unknown operation" in done.stderr


def test_ctrl_c_in_a_run_keeps_and_reports_what_is_done(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "difftest", "run", "--backend", "model", "--workloads", "500",
         "--faults", "0", "--jobs", "2", "--output", tmp_path / "runs",
         *words("--strategy", "remove_bug_on", "release_page", "hold_reservation", "acct_last")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until(lambda: kept(tmp_path / "runs" / "0001"))
    os.killpg(running.pid, signal.SIGINT)
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert "the same command goes on from there" in stderr
    assert "workloads" in stdout


def test_without_the_tools_the_model_runs_and_says_what_is_left_out(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "git").symlink_to("/usr/bin/git")
    done = process(
        "run", *LEAST, "--faults", 0, "--output", tmp_path / "runs", "--jobs", 1, PATH=str(tools)
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "uml:6.1 is left out: not installed here: " in done.stderr
    assert "uml:6.12" not in done.stderr
    assert "apt-get install" in done.stderr
    assert "No real kernel was run" in done.stdout
    asked = process("run", "--backend", "uml:6.1", "--workloads", 1, PATH=str(tools))
    assert asked.returncode == 2
    assert "backend uml:6.1 cannot run here" in asked.stderr


def test_list_and_show_know_everything() -> None:
    listed = difftest("list").stdout
    for word in ("release_page", "page_leak", "markdown", "uml:6.1", "munmap_source"):
        assert f"  {word} " in listed or f"  {word}\n" in listed
    rows = {line.split()[0]: line for line in listed.splitlines() if line.startswith("  uml:")}
    named = {name for name, row in rows.items() if row.endswith("when named with --backend")}
    assert set(rows) - named == {"uml:6.1"}
    assert {"uml:5.10", "uml:6.12", "uml:6.1+debug", "uml:6.12+debug"} <= named
    shown = difftest("show", "release_page", columns=200).stdout
    assert "kernel 6.1" in shown
    assert "put_page(*pagep)" in shown
    assert "put_page(pagep.page)" in shown
    assert "merged for 5.13, and into the stable series." in shown
    assert "+6 -1 lines in shmem_mfill_atomic_pte; for 5.10, 6.1 and 6.12" in shown
    assert "R: the source page is resident" in difftest("show", "copy").stdout
    assert "  callee_keeps_page " in listed
    shown = difftest("show", "cache_insert").stdout
    assert shown.startswith("fault site=cache_insert call=… error=ENOMEM\n")
    assert "shmem_add_to_page_cache()" in shown
    assert "did you mean release_page" in difftest("show", "relase_page").stderr
    why = "5.10 has no helper that installs the entry"
    assert f"(not for 5.10: {why}" in difftest("list", columns=400).stdout
    assert f"not for 5.10  {why}" in difftest("show", "install_pte_v6", columns=400).stdout


def test_a_reader_that_goes_away_gets_no_traceback() -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "difftest", "list"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout
    assert running.stderr
    running.stdout.close()
    with running.stderr as stderr:
        assert "Traceback" not in stderr.read()
    assert running.wait() == 1


@pytest.mark.kernel
def test_the_main_job_on_a_real_kernel(tmp_path: Path) -> None:
    """What the README promises, smaller: both backends, one table, one decision, replays."""
    done = process(
        "run", "--workloads", 1500, "--faults", 500, "--format", "json",
        "--output", tmp_path / "runs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["decision"]["recommended"] == "release_page"
    assert result["decision"]["order"][0] == "release_page"
    assert {"remove_bug_on", "hold_reservation", "acct_last", "install_pte_v6"} <= {
        *result["decision"]["order"]
    }
    fails = {
        (cell["strategy"], cell["backend"], cell["oracle"])
        for cell in result["cells"]
        if cell["fail"] > cell["shared"]
        and cell["oracle"] not in result["ranking"] + result["informational"]
    }
    # Memory that stays committed may also fail a write that should succeed, and what was dropped
    # leave room for one that should fail: that is rare.
    rare = {
        (strategy, backend, oracle)
        for backend in ("model", "uml:6.1")
        for strategy, oracle in (
            ("naive_hold", "contract"),
            ("naive_hold", "progress"),
            ("install_pte_v4", "contract"),
            ("install_pte_v4", "progress"),
            ("never_dirty", "contract"),
            ("never_dirty", "block_accounting"),
            ("install_pte_v5", "block_accounting"),
            ("install_pte_v5", "content"),
            ("install_pte_v5", "contract"),
            ("install_pte_v5", "progress"),
            # A copy to shared anonymous memory crashes as well, where memory is short.
            ("unpatched", "other_callers"),
            ("unacct_before_return", "other_callers"),
            ("release_page_v1", "other_callers"),
        )
    }
    assert fails - rare == {
        (strategy, backend, oracle)
        for backend in ("model", "uml:6.1")
        for strategy, oracle in (
            ("unpatched", "no_kernel_bug"),
            ("naive_hold", "block_accounting"),
            ("naive_hold", "committed"),
            ("unacct_before_return", "no_kernel_bug"),
            ("release_page_v1", "no_kernel_bug"),
            ("install_pte_v4", "block_accounting"),
            ("install_pte_v4", "committed"),
            ("install_pte_v5", "stale_cache"),
            ("never_dirty", "dirty"),
        )
    }
    assert [one["differ"] for one in result["conformance"]] == [0] * len(result["strategies"])
    same = {one["name"]: one["same_kernel_as"] for one in result["strategies"]}
    assert same["install_pte_v6"] == ["release_page"]
    applied = {tuple(one["patch"]["applied"]) for one in result["strategies"]}
    assert applied == {("6.1",)}
    unacct = next(s for s in result["strategies"] if s["name"] == "unacct_before_return")
    assert "mends block_accounting" in unacct["against_base"]
    for witness in result["witnesses"]:
        name = f"{witness['strategy']}-{witness['oracle']}.workload"
        replayed = process(
            "replay", tmp_path / "runs" / "0001" / "witnesses" / name,
            "--strategy", witness["strategy"], "--backend", "model", "--backend", "uml:6.1",
        )  # fmt: skip
        assert replayed.returncode == 0, replayed.stdout
        assert "model and uml:6.1 agree in every field" in replayed.stdout


@pytest.mark.kernel
def test_a_patch_file_alone_is_compared_on_the_kernel(tmp_path: Path) -> None:
    patch = tmp_path / "my-fix.patch"
    source = ROOT / "strategies" / "release_page" / "kernel-6.1.patch"
    patch.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    done = process(
        "run", "--patch", patch, "--strategy", "unpatched", "--workloads", 1500,
        "--faults", 0, "--output", tmp_path / "runs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no model patch" in done.stdout
    assert "Recommended: my-fix" in done.stdout


@pytest.mark.kernel
def test_a_patch_that_does_not_apply_names_hunk_file_and_what_was_found(tmp_path: Path) -> None:
    patch = tmp_path / "stale.patch"
    patch.write_text(
        "--- a/mm/shmem.c\n+++ b/mm/shmem.c\n@@ -2440,3 +2440,3 @@\n"
        " \tif (!shmem_inode_acct_block(inode, 1))\n-\t\treturn -ENOSPC;\n+\t\treturn -EIO;\n \n"
    )
    done = process("run", "--patch", patch, "--output", tmp_path / "runs", "--workloads", 5)
    assert done.returncode == 2
    assert "strategy stale" in done.stderr
    assert "mm/shmem.c, hunk 1 of 1" in done.stderr
    assert "expected: \t\treturn -ENOSPC;" in done.stderr
    assert "found:    \t\treturn -ENOMEM;" in done.stderr


@pytest.mark.kernel
def test_kernels_are_fetched_built_and_listed() -> None:
    fetched = process("kernel", "fetch")
    assert fetched.returncode == 0, fetched.stderr
    shmem = Path(fetched.stdout.strip()) / "mm" / "shmem.c"
    assert "We may have got a page" not in shmem.read_text(encoding="utf-8")
    built = process("kernel", "build", "--strategy", "unpatched")
    assert built.returncode == 0, built.stderr
    name, _, digest = built.stdout.strip().partition(": ")
    assert name == "unpatched"
    assert digest in process("kernel", "list").stdout


def test_a_cleaned_cache_lists_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path / "cache"))
    assert difftest("kernel", "clean", "--all").stdout == "0 MB freed\n"
    assert "no kernel is built yet" in difftest("kernel", "list").stdout


@pytest.mark.kernel
def test_doctor_finds_a_machine_that_runs_kernels_sound() -> None:
    done = process("doctor")
    assert done.returncode == 0, done.stdout
    assert "uml: can run now" in done.stdout


def test_doctor_names_what_is_missing_and_the_command_that_installs_it(tmp_path: Path) -> None:
    done = process("doctor", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "model: can" in done.stdout
    assert "flex" in done.stdout
    assert "apt-get install" in done.stdout.splitlines()[-1]


def test_a_self_test_on_no_kernel_is_bad_usage() -> None:
    done = difftest("selftest", "--backend", "model", "--strategy", "release_page")
    assert done.returncode == 2
    assert "no kernel to test" in done.stderr


@pytest.mark.kernel
def test_a_self_test_that_fails_is_status_1_and_others_pass_beside_it(tmp_path: Path) -> None:
    patch = tmp_path / "swallows.patch"
    patch.write_bytes((DATA / "wrong" / "swallows_eexist" / "kernel-6.1.patch").read_bytes())
    done = process("selftest", "--strategy", "release_page", "--patch", patch)
    assert done.returncode == 1, done.stderr
    assert re.search(r"release_page +uml:6\.1 +userfaultfd shmem +passed", done.stdout)
    assert re.search(r"swallows +uml:6\.1 +userfaultfd shmem +failed", done.stdout)


def test_mutants_tell_the_kill_rate_and_the_survivors(tmp_path: Path) -> None:
    done = difftest(
        "mutants", "--strategy", "naive_hold", "--workloads", 60, "--faults", 0,
        "--output", tmp_path, "--jobs", 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "naive_hold~keep-2 on model explained" in done.stdout
    table = [line.split() for line in done.stdout.splitlines()]
    assert ["model", "all", "6", "2", "0", "4", "3", "1", "0", "0", "75", "%"] in table
    again = difftest("report", tmp_path / "0001", "--format", "markdown")
    said = "model: 3 of 4 killed (75 %), 1 equivalent, with a reason, 2 stillborn"
    assert said in again.stdout


def test_a_mutant_that_survives_is_status_1_and_json_has_it(tmp_path: Path) -> None:
    done = difftest(
        "mutants", "--strategy", "release_page", "--oracle", "content", "--workloads", 10,
        "--faults", 0, "--output", tmp_path, "--jobs", 1, "--format", "json",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    printed = json.loads(done.stdout)
    (fate,) = (one["fate"] for one in printed["mutants"] if one["edit"] == "drop+2")
    assert fate == "survived"
    assert printed["kill_rates"][-1]["survived"] > 0


def test_mutants_join_a_run(tmp_path: Path) -> None:
    done = run(
        tmp_path, "--mutants", "--strategy", "release_page", "--strategy", "unpatched",
        "--workloads", 30, "--format", "json", "--jobs", 1,
    )  # fmt: skip
    result = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(schema.PATH.read_text("utf-8"))).validate(result)
    assert result["kill_rates"][-1]["killed"] == 4
    assert {"mutants", "shrink"} <= result["timings"].keys()
