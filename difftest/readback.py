# SPDX-License-Identifier: GPL-2.0-only
"""Reading back: what memory and files hold at the end, against what was put there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.ledger import Ledger, Mapping
    from difftest.outcome import State


def lost(ledger: Ledger, state: State, *, reclaimed: bool) -> Iterator[str]:
    """Yield what is wrong with pages that were filled, one sentence for each.

    Of those that were to be reclaimed since, or of the others. `ledger` has walked to the end.
    """
    for number, (book, file) in enumerate(zip(ledger.files, state.files, strict=True)):
        for page, tag in enumerate(file.content):
            expected = book.pages.get(page)
            if expected is not None and tag != expected and (page in book.reclaimed) is reclaimed:
                yield f"page {page} of file {number} {difference(tag, expected)}"
    for number, (mapping, tags) in enumerate(zip(ledger.maps, state.maps, strict=True)):
        for page, held in enumerate(tags or ()):
            if mapping.was_reclaimed(page) is reclaimed:
                wrong = _in_memory(mapping, page, held)
                if wrong:
                    yield f"page {page} of map {number} {wrong}"


def _in_memory(mapping: Mapping, page: int, held: int | None) -> str:
    """Say what is wrong with a page of a mapping, of which a private one has no other copy."""
    private = not mapping.is_of_file(page)
    if held is None:
        return "is gone" if private and page in mapping.present else ""
    if not mapping.shared and page not in mapping.own:
        return "is there, and should be gone"
    expected = mapping.holds(page)
    return "" if held == expected else difference(held, expected)


def difference(found: int, expected: int) -> str:
    """Say what a page holds and what it should hold, by their tags."""
    return f"holds {_words(found)}, and should hold {_words(expected)}"


def _words(tag: int) -> str:
    if tag == 0:
        return "zeros"
    if tag < 0:
        return "a mixture"
    return f"page {tag % 256 - 1} of what operation {tag // 256 - 1} (counting all) wrote"
