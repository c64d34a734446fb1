# SPDX-License-Identifier: GPL-2.0-only
"""What is known of each kernel series."""

from __future__ import annotations

from importlib import resources

import pytest

from difftest import kernels
from difftest.backends import console
from difftest.kernels.series import comparable, of_backend
from difftest.outcome import Ending, Outcome, Step

STEP = Step("0", 0, 2)
CLEAN = Outcome(Ending.FINISHED, (STEP,), left=0, held=0)
LEAK = Outcome(Ending.FINISHED, (STEP,), left=1, held=0)
WARNED = Outcome(Ending.CRASHED, (STEP,), "WARNING at mm/shmem.c shmem_evict_inode")


def test_the_default_is_a_series() -> None:
    assert kernels.DEFAULT in kernels.SERIES
    assert all(one.name == name for name, one in kernels.SERIES.items())


@pytest.mark.parametrize("series", kernels.SERIES)
def test_a_series_has_a_baseline_and_a_platform(series: str) -> None:
    folder = resources.files("difftest.kernels") / "patches" / series
    assert {file.name for file in folder.iterdir()} == {"baseline.patch", "platform.patch"}


def test_there_are_no_patches_for_other_series() -> None:
    folder = resources.files("difftest.kernels") / "patches"
    assert {file.name for file in folder.iterdir()} == set(kernels.SERIES)


@pytest.mark.parametrize(
    ("series", "function", "title"),
    [
        ("5.10", "__mcopy_atomic", "mcopy_atomic"),
        ("6.1", "__mcopy_atomic", "mcopy_atomic"),
        ("6.12", "mfill_atomic", "mcopy_atomic"),
        ("6.12", "mfill_atomic_hugetlb", "mfill_atomic_hugetlb"),
        ("6.1", "mfill_atomic", "mfill_atomic"),
    ],
)
def test_the_same_crash_has_the_same_title_on_every_series(
    series: str, function: str, title: str
) -> None:
    text = f"BUG: failure at mm/userfaultfd.c:700/{function}()!\n"
    found = console.read(text, kernels.SERIES[series].renamed)
    assert found == console.Complaint(
        Ending.CRASHED, f"BUG at mm/userfaultfd.c {title}", fatal=False
    )


def test_a_function_of_that_name_in_another_file_keeps_it() -> None:
    found = console.read(
        "BUG: failure at mm/shmem.c:700/mfill_atomic()!\n", kernels.SERIES["6.12"].renamed
    )
    assert found
    assert found.title == "BUG at mm/shmem.c mfill_atomic"


def test_from_6_6_on_a_leaked_block_is_a_warning() -> None:
    """As `naive_hold` shows it; the kernel tests compare thousands of outcomes by this."""
    seen = {series: one.sees(LEAK) for series, one in kernels.SERIES.items()}
    assert seen == {"5.10": LEAK, "6.1": LEAK, "6.12": WARNED}
    assert all(one.sees(other) == other for one in kernels.SERIES.values()
               for other in (CLEAN, WARNED))  # fmt: skip


@pytest.mark.parametrize(
    ("here", "there", "both"),
    [
        ("model", "uml:6.1", LEAK),
        ("model", "uml:6.12", WARNED),
        ("model", "uml:6.12+debug", WARNED),
        ("uml:6.12", "uml:5.10", WARNED),
        ("model", "elsewhere", LEAK),
        ("qemu:6.12", "model", WARNED),
    ],
)
def test_outcomes_compare_as_both_backends_would_see_them(
    here: str, there: str, both: Outcome
) -> None:
    seen = of_backend(here).sees(LEAK), of_backend(there).sees(LEAK)
    assert comparable(seen[0], here, seen[1], there) == (both, both)
    assert comparable(CLEAN, here, WARNED, there) == (CLEAN, WARNED)
