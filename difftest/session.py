# SPDX-License-Identifier: GPL-2.0-only
"""A session of `difftest run`: from what was asked for to a stored run and its result."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from itertools import chain, count, product
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from difftest import campaign, conform, kernels, kills, patchfile, pool, runs
from difftest.assemble import explained, result_of
from difftest.context import Context
from difftest.criteria import criteria
from difftest.deciding import deciding
from difftest.errors import PluginError, StoreError, ToolchainError, UsageError
from difftest.facts import MODEL, is_model, model_for
from difftest.findings import files
from difftest.fitting import misfits
from difftest.identity import version_of
from difftest.inquiry import inquire
from difftest.kernels.series import name_in, patches_for
from difftest.mutants import patch_of
from difftest.settings import Mutants, settings_of
from difftest.store import Store
from difftest.strategy import Strategy
from difftest.verdict import Traits
from difftest.workload.states import STATES

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from pathlib import Path

    from difftest.backends import Backend
    from difftest.plugins import Plugins
    from difftest.report import Report
    from difftest.result import Result
    from difftest.verdict import AnyOracle


#: The reports that a run leaves in its directory.
LEFT = ("markdown", "html")


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for; empty tuples mean all there is, or all by default.

    `faults` are workloads with faults, besides `workloads` without, and `guided` ones come after
    both. Without `oracles` (None)
    nothing is judged: outcomes are compared, and that is all.
    """

    strategies: tuple[str, ...]
    patches: tuple[Path, ...]
    backends: tuple[str, ...]
    oracles: tuple[str, ...] | None
    workloads: int
    seed: int
    faults: int = 0
    mutants: Mutants = Mutants.NONE
    preferences: tuple[str, ...] = ()
    trust: bool = False
    """Whether patch files may touch any file of a kernel's tree."""
    guided: int = 0


def strategies_of(
    plugins: Plugins,
    names: Sequence[str],
    patches: Sequence[Path],
    backends: Sequence[Backend] = (),
    default: Sequence[str] = (),
    *,
    trust: bool = False,
) -> list[Strategy]:
    """Return the strategies of these names (else of `default`, else all), then those of patches.

    A patch file does not say which kernel it is for: it is tried on those of `backends`. Raises
    PatchError for one that applies to none of them, or without `trust` touches what it may not.
    """
    chosen = [plugins.strategy(name) for name in dict.fromkeys(names or default)]
    if not chosen:
        chosen = list(plugins.strategies.values())
    places = {
        name_in(backend.name): series
        for backend in backends
        if not is_model(backend.name) and (series := patches_for(backend.name))
    }
    models = [series for backend in backends if (series := patches_for(backend.name))]
    for path in _once(patches):
        taken = {*plugins.strategies, *(one.name for one in chosen)}
        one = patchfile.read(path, trust=trust)
        chosen.append(_of_patch(path, one, taken, places, models))
    return chosen


def _once(patches: Sequence[Path]) -> Sequence[Path]:
    if patches.count(patchfile.STDIN) > 1:
        raise UsageError("--patch - is given twice: standard input can be read once")
    return patches


def _of_patch(
    path: Path,
    one: patchfile.PatchFile,
    taken: Container[str],
    places: Mapping[str, str],
    models: Sequence[str],
) -> Strategy:
    """Make a strategy of a patch file: for kernels only. Its name is none of those `taken`.

    `places` are the series and trees to try it on, each with the series whose patches it takes,
    `models` those whose models run.
    """
    names = chain([one.name], (f"{one.name}_{number}" for number in count(2)))
    name = next(name for name in names if name not in taken)
    said = (
        one.said
        if name == one.name
        else (
            *one.said,
            f"--patch {path}: there is a strategy {one.name} already: this one is {name}",
        )
    )
    refused = misfits(f"strategy {name}", one.text, list(places))
    for text in (*said, *(f"{name}: {why}" for why in refused.values())):
        print(f"difftest: {text}", file=sys.stderr)  # noqa: T201
    fitting = {series for place, series in places.items() if place not in refused}
    reasons = {places[place]: why for place, why in refused.items() if places[place] not in fitting}
    series = [one for one in (*places.values(), *models) if one not in reasons]
    return Strategy(
        name=name,
        claim=one.claim,
        reference=one.reference,
        kernel_patches=MappingProxyType(dict.fromkeys(series or [kernels.DEFAULT], one.text)),
        does_not_apply=MappingProxyType(reasons),
    )


def oracles_of(plugins: Plugins, names: Sequence[str]) -> list[AnyOracle]:
    if not names:
        return list(plugins.oracles.values())
    return [plugins.oracle(name) for name in dict.fromkeys(names)]


def backends_of(plugins: Plugins, names: Sequence[str]) -> tuple[list[Backend], dict[str, str]]:
    """Return the backends of these names. Without names: the default ones that can run here.

    "model" stands for the model of each series whose kernel is named. The second is the rest of
    the default ones, with the reason why not. One that is named and cannot run raises
    ToolchainError.
    """
    if names:
        chosen = [plugins.backend(name) for name in _with_models(names, plugins)]
        for backend in chosen:
            if missing := backend.missing():
                raise ToolchainError(f"backend {backend.name} cannot run here: {missing}")
        return chosen, {}
    chosen = [backend for backend in plugins.backends.values() if backend.default]
    left_out = {one.name: missing for one in chosen if (missing := one.missing())}
    return [one for one in chosen if one.name not in left_out], left_out


def _with_models(names: Sequence[str], plugins: Plugins) -> list[str]:
    """Put the models of the kernels that are named in the place of "model"."""
    models = [model_for(name) for name in names if not is_model(name)]
    found: list[str] = []
    for name in names:
        known = [one for one in models if one in plugins.backends]
        found += (known or [MODEL]) if name == MODEL else [name]
    return list(dict.fromkeys(found))


def unsupported(backend: Backend, strategy: Strategy, plugins: Plugins) -> str:
    """Return why a strategy, or one that it stands on, cannot run on a backend; "" if it can."""
    reasons = [backend.supports(link) for link in plugins.chain(strategy)]
    return next((reason for reason in reasons if reason), "")


class Session:
    """A run in the making. `directory` is where it is kept."""

    def __init__(self, store: Store, context: Context, skip: Sequence[str], started: float) -> None:
        self.directory = store.directory
        self._store = store
        self._context = context
        self._skip = skip
        self._started = started

    @property
    def command(self) -> str:
        """The command that began it, "" for `difftest run`."""
        return runs.command_of(self._context.settings)

    def run(self, jobs: int, cluster: str = "") -> bool:
        """Run what there is to run; return whether Ctrl-C came before the end.

        In so many processes, or on a cluster: tcp://HOST:PORT, or local:N.
        """
        if cluster and self._context.settings.mutants is not Mutants.NONE:
            raise UsageError(
                "--cluster and --mutants: mutants are tried on one machine, so leave one of them "
                "out (`difftest mutants` tries them without the rest)"
            )
        if self._store.finished:  # and killed before all of it was reported
            return False
        try:
            timings = campaign.run(
                self._context, self._store, pool.opened(self._context, jobs, self._skip, cluster)
            )
        except KeyboardInterrupt:
            return True
        self._store.finish(timings | {"total": time.monotonic() - self._started})
        return False

    def report(self) -> Result:
        """Return the result of what is done; leave the reports of LEFT and the workloads.

        When all is done, debugging kernels are asked who did what the others only show, and which
        lines of a patch decide is tried.
        """
        result = result_of(self._store)
        if self._store.finished and self._context.settings.mutants is not Mutants.ONLY:
            plugins, known = self._context.plugins, self._context.settings.known()
            self._store.add_culprits(inquire(plugins, known, result.witnesses))
            self._store.add_deciding(deciding(plugins, known, result.witnesses))
            told = explained(result.witnesses, self._store.culprits(), self._store.deciding())
            result = replace(result, witnesses=told)
        for file, text in files(result, self._store.shrunk()).items():
            self._leave(file, text)
        for name in LEFT:
            if one := self._context.plugins.reports.get(name):
                self._leave(f"report{one.suffix}", rendered(one, result, self.directory))
        if self._store.finished:
            self._store.add_decision(runs.in_short(result.decision))
        return result

    def conformance(self, result: Result) -> str:
        """Return what `difftest conform` says of the result."""
        return conform.render(result, self._store.shrunk(), str(self.directory))

    def _leave(self, file: str, text: str) -> None:
        path = self.directory / file
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"cannot write {path}: {error.strerror}. The run itself is kept: when that is "
                f"mended (`df`, permissions) `difftest run --resume {self.directory}` ends it"
            ) from error


@contextlib.contextmanager
def begin(plugins: Plugins, asked: Request, output: Path, skip: Sequence[str]) -> Iterator[Session]:
    """Open the run that was asked for: the unfinished one of the same settings, or a new one."""
    started = time.monotonic()
    backends, left_out = backends_of(plugins, asked.backends)
    if asked.patches:
        for place in {name_in(one.name) for one in backends if not is_model(one.name)}:
            if place in kernels.known():
                kernels.fetch(place)
    strategies = strategies_of(
        plugins, asked.strategies, asked.patches, backends, trust=asked.trust
    )
    oracles = [] if asked.oracles is None else oracles_of(plugins, asked.oracles)
    if not asked.faults and not asked.oracles:
        idle = [one for one in oracles if getattr(one, "of_guards", False)]
        oracles = [one for one in oracles if one not in idle]
        left_out |= dict.fromkeys((one.name for one in idle), "no workload has faults (--faults)")
    for name, reason in left_out.items():
        print(f"difftest: {name} is left out: {reason}", file=sys.stderr)  # noqa: T201
    if asked.oracles is None and all(is_model(one.name) for one in backends):
        raise UsageError(
            "there is nothing to compare the model with: name a backend that can run here "
            "(--backend; `difftest doctor` says what is missing)"
        )
    if asked.mutants is not Mutants.NONE:
        for strategy, backend in product(strategies, backends):
            patch_of(strategy, backend.name)
        kills.check_reasons(strategies)
    traits = {one.name: Traits.of(one) for one in oracles}
    criteria([name for name, one in traits.items() if one.ranks], asked.preferences)
    settings = settings_of(
        seed=asked.seed,
        workloads=asked.workloads,
        strategies=strategies,
        known=plugins.strategies,
        oracles=[one.name for one in oracles],
        backends=[one.name for one in backends],
        states=STATES,
        unseen={one.name: one.unseen for one in backends},
        version=version_of(oracles),
        mutants=asked.mutants,
        traits=traits,
        faults=asked.faults,
        preferences=asked.preferences,
        guided=asked.guided,
    )
    store = runs.find_unfinished(output, settings.fingerprint())
    if store:
        _going_on(store)
    else:
        store = Store.create(output, settings)
    with store:
        yield Session(store, Context(settings, plugins, store.directory), skip, started)


@contextlib.contextmanager
def resume(
    plugins: Plugins, path: Path | None, output: Path, skip: Sequence[str]
) -> Iterator[Session]:
    """Open a run to go on with, with the settings and strategies that it was begun with.

    That at `path`, else the newest below `output` that is not finished. Raises StoreError if it
    was begun by another difftest, whose outcomes cannot be mixed with ours.
    """
    started = time.monotonic()
    with runs.reopened(path, output) as store:
        settings = store.settings
        here = version_of([plugins.oracle(name) for name in settings.oracles])
        if settings.version != here:
            raise StoreError(
                f"{store.directory} was begun by difftest {settings.version}, and this is {here}: "
                "outcomes of the two cannot be mixed. Go on with that one, or start a new run"
            )
        backends_of(plugins, settings.backends)
        _going_on(store)
        yield Session(store, Context(settings, plugins, store.directory), skip, started)


def _going_on(store: Store) -> None:
    print(f"difftest: going on with {store.directory}", file=sys.stderr)  # noqa: T201


def rendered(report: Report, result: Result, run: Path) -> str:
    """Render a result. Raises PluginError if the report does; the run is kept all the same."""
    try:
        return report.render(result, str(run))
    except Exception as error:
        raise PluginError(
            f"report {report.name} raised {type(error).__name__}: {error}. The run is kept: "
            f"`difftest report {run} --format NAME` renders it in another format"
        ) from error


def stored(path: Path, preferences: Sequence[str] | None = None) -> Result:
    """Return the result of a stored run, with other preferences than it was asked for with."""
    with Store.open(path) as store:
        return result_of(store, preferences)
