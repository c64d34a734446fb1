# SPDX-License-Identifier: GPL-2.0-only
"""What is known of each kernel series."""

from __future__ import annotations

from importlib import resources

import pytest

from difftest import kernels
from difftest.backends import console
from difftest.kernels.series import patches_for
from difftest.outcome import Ending


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


@pytest.mark.parametrize(
    ("backend", "series"),
    [
        ("model", ""),
        ("model:5.10", "5.10"),
        ("uml:6.12", "6.12"),
        ("uml:6.1+debug", "6.1"),
        ("elsewhere", ""),
    ],
)
def test_the_series_of_a_backend_is_in_its_name(backend: str, series: str) -> None:
    assert patches_for(backend) == series
