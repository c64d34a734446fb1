# SPDX-License-Identifier: GPL-2.0-only
"""The catalogue: what `difftest list` and `difftest show` say of everything that is installed."""

from __future__ import annotations

import difflib
import functools
import inspect
import shutil
from itertools import zip_longest
from typing import TYPE_CHECKING

from tabulate import tabulate

from difftest import kernels
from difftest.errors import UsageError
from difftest.explore import scenario
from difftest.facts import chain, facts_of
from difftest.kernels import trees
from difftest.rendering import patch_line
from difftest.workload.codec import fields_of
from difftest.workload.faults import SITES
from difftest.workload.ops import OPS, Op

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from difftest.backends import Backend
    from difftest.plugins import Plugins
    from difftest.strategy import Strategy
    from difftest.workload.faults import Site


def listing(plugins: Plugins) -> str:
    """Return all there is, in sections, a line each."""
    sections = {
        "strategies": [(one.name, _claim(one)) for one in plugins.strategies.values()],
        "oracles": [(one.name, one.question) for one in plugins.oracles.values()],
        "reports": [(one.name, _first_line(one)) for one in plugins.reports.values()],
        "backends": [(one.name, _state(one)) for one in plugins.backends.values()],
        "operations": [(op.name, _first_line(op)) for op in OPS],
        "scenarios": [(one.name, one.about) for one in scenario.bundled().values()],
        "faults": [(one.name, one.about.partition("\n")[0]) for one in SITES.values()],
        "kernels": [
            (one.digest, f"{one.series} {one.flavour}: {', '.join(one.labels)}")
            for one in kernels.list_kernels()
        ],
    }
    parts = []
    for title, rows in sections.items():
        shown = rows or [("(none)", "`difftest kernel build` makes them")]
        parts.append(f"{title}:\n" + _indent(tabulate(shown, tablefmt="plain")))
    return "\n\n".join(parts) + "\n"


def description(plugins: Plugins, name: str) -> str:
    """Return all that is known of one strategy, oracle, report, backend, operation or fault."""
    if name in plugins.strategies:
        return "\n".join(_strategy(plugins.strategies[name], plugins.strategies))
    ops = {op.name: op for op in OPS}
    if name in ops:
        return _operation(ops[name])
    if name in SITES:
        return _site(SITES[name])
    scenarios = scenario.bundled()
    if name in scenarios:
        return f"{name}: {scenarios[name].about}\n\n{scenario.to_text(scenarios[name])}"
    for kind in (plugins.oracles, plugins.reports, plugins.backends):
        if name in kind:
            return f"{name}\n\n{inspect.getdoc(type(kind[name])) or '(it says nothing)'}\n"
    known = [*plugins.strategies, *plugins.oracles, *plugins.reports, *plugins.backends]
    known += [*ops, *scenarios, *SITES]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(f"nothing is called {name!r}: {hint}`difftest list` lists all there is")


def kernels_listing() -> str:
    """Return a table of the kernels that are built, and one of the user's own trees."""
    rows = [
        (
            one.digest,
            one.series,
            one.flavour,
            ", ".join(one.labels),
            f"{one.bytes / 1e6:.1f} MB",
            f"{one.built:%Y-%m-%d %H:%M}",
        )
        for one in kernels.list_kernels()
    ]
    headers = ("kernel", "series", "flavour", "for", "size", "built")
    none = "no kernel is built yet: `difftest kernel build` builds them all"
    # As they are: 5.10 is no number, nor is a digest of digits.
    plain = functools.partial(tabulate, tablefmt="plain", disable_numparse=True)
    tables = [plain(rows, headers) if rows else none]
    if own := trees.listing():
        tables.append(plain(own, ("tree", "version", "commit", "repository")))
    return "\n\n".join(tables) + "\n"


def _operation(op: type[Op]) -> str:
    words = " ".join([op.name, *(f"{field}=…" for field in fields_of(op))])
    return f"{words}\n\n{inspect.getdoc(op)}\n"


def _site(site: Site) -> str:
    errors = "\n".join(f"fault site={site.name} call=… error={error}" for error in site.errors)
    return f"{errors}\n\n{site.about}\n"


def _claim(one: Strategy) -> str:
    gaps = [f"not for {series}: {why}" for series, why in one.does_not_apply.items()]
    return " ".join([one.claim, *(f"({gap})" for gap in gaps)])


def _strategy(one: Strategy, known: Mapping[str, Strategy]) -> Iterator[str]:
    rows = {
        "claim": one.claim,
        "changes": one.function,
        "see": one.reference,
        "weakness": one.weakness,
        "history": one.history,
        "stands on": one.base or "",
        "its patch": patch_line(facts := facts_of(one, known)),
        "applies to": ", ".join(_applied(one, known, facts.series)),
    }
    rows |= {f"not for {series}": why for series, why in one.does_not_apply.items()}
    yield one.name
    yield ""
    yield tabulate([row for row in rows.items() if row[1]], tablefmt="plain")
    for series, patch in one.kernel_patches.items():
        yield ""
        yield from _side_by_side(
            f"kernel {series}", patch, f"model of {series}", one.model_patch_for(series)
        )
    yield ""


def _applied(one: Strategy, known: Mapping[str, Strategy], series: Sequence[str]) -> Iterator[str]:
    """Yield the series that take a strategy's patches without fuzz, and those that do not.

    Nothing is said of one whose source is not here.
    """
    for name in series:
        links = chain(one, known)
        patches = [kernels.Patch(link.name, link.kernel_patches[name]) for link in links]
        why = kernels.misfit(name, patches)
        if why is not None:
            yield f"{name} (it does not: {' '.join(why.split())})" if why else f"{name} exactly"


def _side_by_side(left: str, patch: str, right: str, other: str | None) -> Iterator[str]:
    """Two patches beside each other where the terminal is wide enough, else below each other."""
    ours = [left, *patch.expandtabs(4).splitlines()]
    theirs = [right, *("no model patch" if other is None else other).splitlines()]
    width = max(len(line) for line in ours)
    if width + 3 + max(len(line) for line in theirs) > shutil.get_terminal_size((160, 24)).columns:
        yield from (*ours, "", *theirs)
        return
    for a, b in zip_longest(ours, theirs, fillvalue=""):
        yield f"{a:<{width}} | {b}".rstrip()


def _state(backend: Backend) -> str:
    state = backend.missing() or "ready"
    return state if backend.default else f"{state}, when named with --backend"


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
