# SPDX-License-Identifier: GPL-2.0-only
"""Keeps the block charged while the copy waits, and sees that it is given back on every way out.

The page remembers the file that was charged, and holds a reference to it: a window may unmap it,
close it and take its mount away, and last as long as a user likes. A reference to the inode alone
would outlive the mount. The caller gives the block back where another kind of mapping, or one of
another file, has come into the place of the first, and wherever it drops the page.
"""

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
