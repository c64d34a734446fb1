# SPDX-License-Identifier: GPL-2.0-only
"""All checks of a target, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.checking import lines, others, patches, types, wrong
from difftest.errors import BuildError, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.checking import Finding
    from difftest.checking.target import Target
    from difftest.shards import Shard
    from difftest.strategy import Strategy


def check(
    target: Target, backends: Sequence[str], shards: Sequence[Shard], seed: int
) -> Iterator[Finding]:
    """Yield what is found, as it is found. Raises what the rig raises."""
    yield from target.findings
    for kind, thing in target.others:
        yield from others.check(kind, thing)
    for one in target.strategies:
        yield from _strategy(target, one, backends, shards, seed)


def _strategy(
    target: Target, one: Strategy, backends: Sequence[str], shards: Sequence[Shard], seed: int
) -> Iterator[Finding]:
    try:
        chain = target.plugins.chain(one)
    except PluginError as error:
        yield wrong(one.name, str(error))
        return
    if one.name in target.folders:
        yield from patches.strays(one.name, target.folders[one.name])
    if unreadable := [finding for link in chain for finding in patches.unreadable(link)]:
        yield from unreadable
        return
    yield from lines.reasons(one)
    yield from patches.applying(chain)
    yield from patches.alike(chain)
    yield from types.check(chain)
    yield from lines.on_models(chain, shards, seed)
    workloads = sum(shard.length for shard in shards if not shard.faults)
    for backend in backends:
        try:
            yield lines.on_kernel(target.plugins, one, backend, workloads, seed)
        except BuildError as error:
            yield wrong(f"{one.name}, lines on {backend}", str(error))
