# SPDX-License-Identifier: GPL-2.0-only
"""Puts the page where the charge fails, so that the caller never sees it."""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim="Puts the page where the charge fails, so that the caller never sees it.",
    function="shmem_mfill_atomic_pte",
    reference="7ed9d238c7db, merged for 5.13",
    weakness="Mends this callee only; that a failing callee keeps no page stays unwritten.",
    history="Second version of the fix: merged for 5.13, and into the stable series.",
)
