# SPDX-License-Identifier: GPL-2.0-only
"""Leaves the code as it is: the baseline that every fix is compared with."""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim="Leaves the code as it is: the baseline that every fix is compared with.",
    reference="cb658a453b93 brought it in; CVE-2021-46988",
    weakness="A charge that fails on the retry leaves the page with the caller, who calls BUG().",
    history=(
        "Shipped from 4.11 to 5.12; found by Hugh Dickins in April 2021, when he reviewed other "
        "code."
    ),
    must_fail=("no_kernel_bug",),
)
