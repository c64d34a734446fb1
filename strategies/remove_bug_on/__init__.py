# SPDX-License-Identifier: GPL-2.0-only
"""Deletes BUG_ON(page): the caller puts the page on its way out anyway."""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim="Deletes BUG_ON(page): the caller puts the page on its way out anyway.",
    function="__mcopy_atomic",
    reference="first answer in the review of April 2021",
    weakness="Nothing stops a callee that forgets the page: the next page gets its contents.",
    history=(
        "Offered by Hugh Dickins as one of two ways, not taken: Peter Xu preferred to keep a guard."
    ),
)
