# SPDX-License-Identifier: GPL-2.0-only
"""Charges the block when the page has its contents and its place in the cache.

The order of 7.1: what can fail for another reason fails first, with the errno of that.
"""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim="Charges the block when the page has its contents and its place in the cache.",
    function="shmem_mfill_atomic_pte",
    reference="third way named in the review of April 2021; the order of 7.1",
    weakness="Where two things fail at once, another error is returned than before.",
    history="Named by Hugh Dickins as not to be done then; 7.1 has this order.",
)
