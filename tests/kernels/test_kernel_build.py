# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import dataclasses
import difflib
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from difftest import kernels
from difftest.errors import BuildError, PatchError, UsageError
from difftest.kernels import UML, Patch, cache, config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# `kernels.build` is the function.
building = importlib.import_module("difftest.kernels.build")

PROCESS = """
import sys
from difftest import kernels, sandbox
from difftest.kernels import config
sandbox.missing = lambda: "the fake tree keeps a log outside of it"
config.fragment = lambda _: "# nothing\\n"
kernels.build("6.1", [kernels.Patch("fix x", sys.argv[1])], kernels.UML, "fix x")
"""


def replacing(old: str, new: str) -> Patch:
    line = {"first": 1, "second": 2, "third": 3}[old]
    lines = [" first", " second", " third"]
    lines[line - 1] = f"-{old}\n+{new}"
    hunk = "\n".join(lines)
    return Patch(f"fix {new}", f"--- a/mm/shmem.c\n+++ b/mm/shmem.c\n@@ -1,3 +1,3 @@\n{hunk}\n")


def start(patch: Patch) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, patch.text], stderr=subprocess.PIPE, text=True
    )


def count(builds: Path) -> int:
    return len(builds.read_text().splitlines()) if builds.exists() else 0


def is_gone(group: int) -> bool:
    for _ in range(1000):  # they are dead at once; PID 1 may take its time to notice
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def edit(tree: Path, path: str, change: Callable[[list[str]], list[str]]) -> str:
    """Return the patch that changes the lines of a file like this."""
    old = (tree / path).read_text().splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, change(old), f"a/{path}", f"b/{path}"))


@pytest.mark.usefixtures("fake_tree")
def test_the_kernel_has_the_change_and_is_built_once(builds: Path) -> None:
    kernel = kernels.build("6.1", [replacing("second", "zweite")], UML, "one")
    assert kernel.linux.read_text() == "first\nzweite\nthird\n"
    assert kernel.gen_init_cpio.exists()
    assert count(builds) == 2  # the base, and this
    assert kernels.build("6.1", [replacing("second", "zweite")], UML, "two") == kernel
    assert count(builds) == 2
    (listed,) = kernels.list_kernels()
    assert (listed.series, listed.flavour, listed.labels) == ("6.1", "uml", ("one", "two"))
    assert listed.digest == kernel.digest
    assert list((cache.root() / "tmp").iterdir()) == []


@pytest.mark.usefixtures("fake_tree")
def test_equal_sources_are_one_kernel_however_the_patches_came_to_them() -> None:
    there = replacing("second", "zweite")
    undo = there.text.replace("-second\n+zweite", "-zweite\n+second")
    back = Patch("undo", undo)
    assert kernels.digest("6.1", [there, back], UML) == kernels.digest("6.1", [], UML)
    assert kernels.digest("6.1", [Patch("empty", "\n")], UML) == kernels.digest("6.1", [], UML)
    assert kernels.digest("6.1", [there], UML) != kernels.digest("6.1", [], UML)


@pytest.mark.usefixtures("fake_tree")
def test_compiler_and_configuration_are_part_of_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = kernels.digest("6.1", [], UML)
    monkeypatch.setattr(building, "compiler", lambda: "gcc 99")
    other_compiler = kernels.digest("6.1", [], UML)
    monkeypatch.setattr(building.config, "fragment", lambda _: "CONFIG_KASAN=y\n")
    assert len({before, other_compiler, kernels.digest("6.1", [], UML)}) == 3


#: Makes another image of the fake tree, and keeps a file that UML does not.
OTHER = dataclasses.replace(
    UML,
    name="other",
    variables={"ARCH": "other"},
    target="image",
    image="boot/image",
    others=("usr/gen_init_cpio", "symbols"),
)


@pytest.mark.usefixtures("fake_tree")
def test_another_flavour_is_another_kernel_and_keeps_files_of_its_own() -> None:
    patches = [replacing("second", "zweite")]
    plain, other = (kernels.build("6.1", patches, one, one.name) for one in (UML, OTHER))
    assert plain.linux.read_text() == "first\nzweite\nthird\n"
    assert other.linux.read_text() == "other\n"
    assert other.linux.with_name("symbols").read_text() == "none\n"
    assert other.gen_init_cpio.exists()
    assert building.base("6.1", UML) != building.base("6.1", OTHER)
    assert [one.flavour for one in kernels.list_kernels()] == ["uml", "other"]


@pytest.mark.usefixtures("fake_tree")
@pytest.mark.parametrize(
    "change",
    [{"name": "x"}, {"variables": {"ARCH": "x"}}, {"target": "x"}, {"fragments": ("x.config",)}],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_a_flavour_is_part_of_the_digest(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    monkeypatch.setattr(building.config, "fragment", lambda flavour: repr(flavour.fragments))
    other = dataclasses.replace(UML, **change)
    assert kernels.digest("6.1", [], other) != kernels.digest("6.1", [], UML)
    assert building.base_name("6.1", other) != building.base_name("6.1", UML)


def test_a_flavour_that_needs_a_patch_fits_the_series_that_have_one() -> None:
    assert [one for one in kernels.SERIES if kernels.GCOV.fits(one)] == list(kernels.SERIES)
    assert not kernels.GCOV.fits("2.4")
    (patch,) = kernels.GCOV.patches("6.1")
    assert "__gcov_dump" in patch.text
    assert UML.patches("5.10") == ()


@pytest.mark.usefixtures("fake_tree")
def test_a_flavour_upon_another_is_built_from_the_base_of_that(builds: Path) -> None:
    upon = dataclasses.replace(UML, name="uml+upon", variables={"CFLAGS": "-O0"}, upon=UML)
    plain, other = (kernels.build("6.1", [], one) for one in (UML, upon))
    assert plain.digest != other.digest
    assert building.base("6.1", upon) == building.base("6.1", UML)
    # The base, and each kernel.
    assert len(builds.read_text().splitlines()) == 3


def test_a_flavour_upon_another_has_its_configuration() -> None:
    """What is compiled already is of use only then."""
    stacked = [one for one in kernels.FLAVOURS if one.upon]
    assert stacked
    for one in stacked:
        assert one.upon
        assert one.fragments == one.upon.fragments
        assert one.variables.items() >= one.upon.variables.items()


def test_flavours_have_names_of_their_own_and_fragments_that_exist() -> None:
    assert len({one.name for one in kernels.FLAVOURS}) == len(kernels.FLAVOURS)
    for flavour in kernels.FLAVOURS:
        assert len(flavour.kept) == 1 + len(flavour.others)
        assert "CONFIG_USERFAULTFD=y" in config.fragment(flavour)


@pytest.mark.usefixtures("fake_tree")
def test_a_kernel_that_does_not_compile_says_where_and_whose_patches() -> None:
    with pytest.raises(BuildError) as caught:
        kernels.build("6.1", [replacing("second", "error: here")], UML, "broken")
    assert "mm/shmem.c:2:error: here" in str(caught.value)
    assert "patches: fix error: here" in str(caught.value)
    assert kernels.list_kernels() == []
    assert list((cache.root() / "tmp").iterdir()) == []


@pytest.mark.usefixtures("fake_tree")
def test_a_patch_that_does_not_fit_is_told_before_anything_is_built(builds: Path) -> None:
    text = "--- a/mm/none.c\n+++ b/mm/none.c\n@@ -1 +1 @@\n-a\n+b\n"
    with pytest.raises(PatchError, match=r"strategy y on kernel 6\.1.*\n.*mm/none.c: no such file"):
        kernels.build("6.1", [Patch("strategy y", text)], UML)
    assert count(builds) == 0


def test_an_unknown_series_names_the_choice() -> None:
    with pytest.raises(UsageError, match=r"'2\.4'.*the choice is 5\.10, 6\.1, 6\.12"):
        kernels.fetch("2.4")


@pytest.mark.usefixtures("fake_tree")
def test_two_processes_build_the_same_kernel_once(builds: Path) -> None:
    patch = replacing("second", "zweite")
    with start(patch) as one, start(patch) as two:
        assert (one.wait(60), two.wait(60)) == (0, 0)
    assert count(builds) == 2
    assert len(kernels.list_kernels()) == 1


@pytest.mark.usefixtures("fake_tree")
def test_an_interrupt_ends_the_compilers_and_leaves_nothing_half_made(builds: Path) -> None:
    waits = builds.with_name("builds.waits")
    with start(replacing("second", "wait")) as process:
        while not waits.exists() or not waits.read_text():
            assert process.poll() is None
            time.sleep(0.01)
        group = os.getpgid(int(waits.read_text()))
        assert group != os.getpgid(0)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    assert is_gone(group)
    assert kernels.list_kernels() == []
    assert list((cache.root() / "tmp").iterdir()) == []


@pytest.mark.usefixtures("fake_tree")
def test_make_flags_of_the_caller_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "--dry-run")
    assert kernels.build("6.1", [], UML).linux.exists()


@pytest.mark.usefixtures("fake_tree")
def test_nothing_comes_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    kernels.build("6.1", [], UML, "unpatched")
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "building kernel 6.1 for uml, once for all fixes",
        "building kernel 6.1 for uml (unpatched)",
    ]


@pytest.mark.usefixtures("fake_tree")
def test_cleaning_keeps_source_and_base_until_everything_goes() -> None:
    kernels.build("6.1", [], UML, "unpatched")
    kernels.clean()
    assert kernels.list_kernels() == []
    assert cache.finished("bases", building.base_name("6.1", UML))
    kernels.clean(everything=True)
    assert not list((cache.root() / "sources").iterdir())


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the programs that a build starts have printed so far."""
    outputs: list[str] = []
    run = building.run

    def listen(*args: object, **kwargs: object) -> str:
        outputs.append(run(*args, **kwargs))
        return outputs[-1]

    monkeypatch.setattr(building, "run", listen)
    return outputs


@pytest.mark.kernel
def test_a_real_kernel_takes_new_files_and_headers_and_recompiles_only_what_they_touch(
    made: list[str],
) -> None:
    source = kernels.fetch("6.1")
    kernels.build("6.1", [], UML, "unpatched")  # the base build is not what is measured here
    mark = uuid.uuid4().hex

    def use(old: list[str]) -> list[str]:
        new = '#include "../mm/internal.h"\n#include "../mm/new.h"\n'
        whole = "".join(old).replace('"(null)"', "DIFFTEST_MARK DIFFTEST_NEW")
        return re.sub('#include "../mm/internal.h".*\n', new, whole).splitlines(keepends=True)

    text = (
        edit(source, "mm/internal.h", lambda old: [f'#define DIFFTEST_MARK "{mark}"\n', *old])
        + edit(source, "lib/vsprintf.c", use)
        + '--- /dev/null\n+++ b/mm/new.h\n@@ -0,0 +1 @@\n+#define DIFFTEST_NEW "-new"\n'
    )
    kernel = kernels.build("6.1", [Patch("marked", text)], UML)
    try:
        compiled = made[-1].count("\n  CC ")
        assert f"{mark}-new".encode() in kernel.linux.read_bytes()
        assert 1 < compiled < 100  # of some 450: those that include mm/internal.h
        assert mark not in (source / "mm/internal.h").read_text()
    finally:
        shutil.rmtree(kernel.linux.parent)


@pytest.mark.kernel
def test_a_change_to_one_file_compiles_one_file(made: list[str]) -> None:
    source = kernels.fetch("6.1")
    kernels.build("6.1", [], UML, "unpatched")
    text = edit(source, "mm/shmem.c", lambda old: [f"/* {uuid.uuid4()} */\n", *old])
    kernel = kernels.build("6.1", [Patch("comment", text)], UML)
    shutil.rmtree(kernel.linux.parent)
    steps = [line for line in made[-1].splitlines() if building._STEP.match(line)]
    assert [line.split() for line in steps if line.startswith("  CC ")] == [["CC", "mm/shmem.o"]]
    assert len(steps) <= UML.patch_steps


@pytest.mark.kernel
def test_a_real_compiler_error_is_shown() -> None:
    source = kernels.fetch("6.1")
    text = edit(source, "mm/shmem.c", lambda old: ["int difftest = ;\n", *old])
    with pytest.raises(BuildError) as caught:
        kernels.build("6.1", [Patch("strategy nonsense", text)], UML, "nonsense")
    assert "mm/shmem.c:1:16: error: expected expression" in str(caught.value)
    assert "patches: strategy nonsense" in str(caught.value)


@pytest.mark.usefixtures("fake_tree")
def test_what_patches_a_source_takes_is_known_without_a_build(builds: Path) -> None:
    assert kernels.misfit("6.1", [replacing("second", "other")]) == ""
    twice = [replacing("second", "other"), replacing("second", "third")]
    assert "fix third on kernel 6.1 does not apply" in (kernels.misfit("6.1", twice) or "")
    assert count(builds) == 0


@pytest.mark.usefixtures("own_cache")
def test_what_a_source_that_is_not_here_takes_is_not_known() -> None:
    assert kernels.misfit("6.1", [replacing("second", "other")]) is None
