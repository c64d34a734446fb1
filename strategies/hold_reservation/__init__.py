# SPDX-License-Identifier: GPL-2.0-only
"""Keeps the block charged while the copy waits, with a reference to the file, and gives it back when the page goes elsewhere or is dropped."""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim=(
        "Keeps the block charged while the copy waits, with a reference to the file, and gives "
        "it back when the page goes elsewhere or is dropped."
    ),
    function="shmem_mfill_atomic_pte",
    reference="naive_hold, with the ways out that cb658a453b93 found missing",
    weakness=(
        "Holds the file, so also its mount, as long as a copy waits; three files, one more "
        "protocol."
    ),
    history=(
        "Nobody sent it: Hugh Dickins noted that the block is given back early because the "
        "caller may be unable to retry."
    ),
)
