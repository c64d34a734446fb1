# SPDX-License-Identifier: GPL-2.0-only
"""The result in short for GitHub: the summary of a step, or a comment on a pull request.

The report `markdown` has everything, and is too long for that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import escape

from difftest import digest, gfm
from difftest.rendering import command, headline, introduction, leading, listing, origin, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.result import Result, Witness

#: A comment takes no more characters; the summary of a step takes more.
LIMIT = 65_536
#: So much of a sentence is shown: consoles and exceptions may say more.
_SENTENCE = 400
#: GitHub makes a mention of `@name` and a link of `#1`, and tells those who are named. Nobody is to
#: be told because a stranger wrote so: a character without width stands between.
_LINKED = re.compile(r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=GH-)(?=\d)")
_JOINER = "\N{WORD JOINER}"


class GithubReport:
    """A summary for a step of GitHub's Actions, or a comment."""

    name = "github"
    suffix = ".github.md"

    def render(self, result: Result, run: str = "RUN") -> str:
        found = "\n".join([*_decision(result), *_table(result)])
        least = [leading(result, one.name)[0] for one in result.strategies if one.ruled_out]
        blocks = ["\n".join(_witness(one, run)) for one in least if one]
        blocks.append("\n".join(_checks(result, run)))
        # Whole blocks are left out, the last first, so that what is left stays what it is.
        kept = [*blocks]
        while kept and len(found) + sum(map(len, kept)) > LIMIT - 2 * _SENTENCE:
            kept.pop()
        page = "\n".join([found, *kept]).rstrip("\n")
        if len(kept) < len(blocks):
            page += f"\n\n{_text(f'More of it: difftest report {run} --format markdown')}"
        return page + "\n"


def _text(text: str) -> str:
    return gfm.plain(_quiet(text))


def _quiet(text: str) -> str:
    """Return text in which nobody is mentioned, and of which a sentence is left."""
    short = text if len(text) <= _SENTENCE else f"{text[:_SENTENCE]} ..."
    return _LINKED.sub(_JOINER, short)


def _decision(result: Result) -> Iterator[str]:
    decision = result.decision
    yield from (f"## {_text(headline(decision))}", "")
    yield from (f"{_text(introduction(result))}.", "")
    for reason in (decision.void, *decision.reasons, *decision.severity):
        if reason:
            yield f"- {_text(reason)}"
    yield ""


def _table(result: Result) -> Iterator[str]:
    rows = [
        (one.name, one.verdict, "; ".join(one.fails) or "nothing", one.below, one.unjudged)
        for one in digest.rows(result)
    ]
    yield from gfm.table(digest.HEADERS, [list(map(_quiet, row)) for row in rows])
    yield from (_text(f"{digest.LEGEND} {digest.clean_oracles(result)}"), "")


def _witness(witness: Witness, run: str) -> Iterator[str]:
    """Tell of a strategy's smallest workload, folded away behind a line."""
    yield f"<details><summary>{escape(f'{witness.strategy} fails {witness.oracle}')}</summary>"
    yield ""
    where = listing(witness.backends)
    yield from (_text(f"{origin(witness)}, seen on {where}: {witness.evidence}"), "")
    if witness.culprit:
        yield from (_text(f"Who: {witness.culprit}"), "")
    for backend, line in witness.said.items():
        yield from (_text(f"{backend} says: {line}"), "")
    yield from gfm.fence("text", steps(witness.text))
    yield from gfm.fence("sh", command(witness, run))
    yield from ("</details>", "")


def _checks(result: Result, run: str) -> Iterator[str]:
    yield from (f"- {_text(one)}" for one in digest.checks(result, run))
