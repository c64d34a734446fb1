# SPDX-License-Identifier: GPL-2.0-only
"""Text of strangers: patches, consoles and exceptions have it, in many fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis.strategies as st
from made import BUNDLED, HUNG, campaign, except_for, run, strategy
from msgspec.structs import replace

from difftest.assemble import result_of
from difftest.characters import printable
from difftest.result import Attack

if TYPE_CHECKING:
    from difftest.result import Result

#: What some format or other takes for its own.
SIGNS = (
    *("]]>", "<![CDATA[", "<script>", "</details>", "<!--", "-->", "<a@b.c>", "<http://a.b>", "<"),
    *("&", "&lt;", "&#64;", "|", "\\", "\\|", "`", "``", "```", "~~~", "*", "**", "_", "~~", "$"),
    *("# ", "- ", "+ ", "1. ", "> ", "===", "---", "[a](b)", "![a](b)", "[a]: b", "    ", "\t"),
    *(
        "@everyone",
        "#1",
        "GH-1",
        "http://a.b/c",
        "www.a.bc",
        "WWW.a.bc",
        "ftp://x.y",
        "mailto:a@b.cd",
        "a@b.cd",
        "{{ x }}",
        "%s",
        "'",
        '"',
    ),
    *("\n", "\n\n", "\r\n", "\x00", "\x1b[31m", "\x08", "\x85", "\u2028", "\u202e", "\ufffe"),
    *("\ud800", "\N{GRINNING FACE}", "e\N{COMBINING ACUTE ACCENT}", "\U0001fffe", "x", " "),
)

TEXTS = (
    st.lists(
        st.sampled_from(SIGNS) | st.text(st.characters(codec=None), max_size=5),
        min_size=1,
        max_size=8,
    )
    .map("".join)
    .filter(lambda text: printable(text).strip())
)


def _whole() -> Result:
    """Make a result that has something in every field that a stranger's text may be in."""
    other = strategy("other", added=["x"], series=["5.10"], base="naive_hold")
    play = except_for("remove_bug_on", range(0, 100, 7), run(0, HUNG))
    parts = campaign(play, [*BUNDLED, other], workloads=100)
    parts.attacked = [Attack("release_page", "uml:6.1", 1, default=True, crashed=True, how="so")]
    parts.told = {("unpatched", 3): "who"}
    return result_of(parts)


_WHOLE = _whole()


def result(text: str) -> Result:
    """Return a result in which a stranger wrote all that strangers write."""
    given = _WHOLE
    return replace(
        given,
        strategies=tuple(
            replace(
                one,
                claim=text,
                weakness=text,
                history=text,
                reference=text,
                against_base=text if one.base else "",
                ruled_out=(text,) if one.ruled_out else (),
                patch=replace(one.patch, does_not_apply=dict.fromkeys(["6.1"], text))
                if one.name == "other"
                else one.patch,
            )
            for one in given.strategies
        ),
        cells=tuple(
            replace(
                one,
                causes=(text,) if one.causes else (),
                unseen=text if one.oracle == "contract" else "",
            )
            for one in given.cells
        ),
        witnesses=tuple(
            replace(one, evidence=text, culprit=text, said={"uml:6.1": text})
            for one in given.witnesses
        ),
        controls=tuple(replace(one, detail=text) for one in given.controls),
        attacks=tuple(replace(one, how=text) for one in given.attacks),
        platforms={"uml:6.1": (text,)},
        releases={"uml:6.1": text},
        decision=replace(given.decision, reasons=(text,), severity=(text,)),
    )
