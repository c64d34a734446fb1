# SPDX-License-Identifier: GPL-2.0-only
"""The ledger: what files and mappings should hold, kept from what the operations reported.

It knows the documentation and the results, and nothing of how a kernel comes to them; so it can
judge a kernel and the model alike.
"""

from difftest.ledger.books import MIXTURE, Book, Mapping
from difftest.ledger.flights import Attempt, Filling, Flight, Removal, Returned, UntoldError
from difftest.ledger.walk import Ledger, Suspect, follow

__all__ = [
    "MIXTURE",
    "Attempt",
    "Book",
    "Filling",
    "Flight",
    "Ledger",
    "Mapping",
    "Removal",
    "Returned",
    "Suspect",
    "UntoldError",
    "follow",
]
