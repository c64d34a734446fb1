# SPDX-License-Identifier: GPL-2.0-only
"""Counts the page for the file after it is mapped; where mapping fails, takes all of it back.

The code of 6.1 and 6.12 is this version, so it changes nothing there but what its base does: it is
the kernel of release_page under another name.
"""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim=(
        "Counts the page for the file after it is mapped; where that fails, takes all back. What "
        "6.1 and 6.12 have: the kernel of release_page."
    ),
    function="shmem_mfill_atomic_pte",
    reference="7d64ae3ab648, merged for 5.14",
    weakness="None of its own: a control that must stay clean.",
    history="Version 6: merged for 5.14.",
    base="release_page",
    does_not_apply={
        "5.10": "5.10 has no helper that installs the entry, so nothing to move around it",
    },
)
