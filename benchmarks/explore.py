# SPDX-License-Identifier: GPL-2.0-only
"""Exploring: `difftest explore` beside SPIN on a model of the same protocol, and reduced or not.

They do not do the same: SPIN runs a page of Promela that somebody wrote for it, compiled to C; the
explorer runs the model's functions with the fix that is asked for.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import Row, interleaved, seconds
from difftest import facts
from difftest.backends.model import ModelBackend, load
from difftest.errors import RigError, ToolchainError
from difftest.explore.scenario import bundled
from difftest.explore.search import Bounds, Exploration, Search
from strategies import STRATEGIES

SOURCE = Path(__file__).with_name("retry.pml")
SCENARIO = "two_fillers_truncater"
FIX = "release_page"
STATES = 1_000_000


class Spun(NamedTuple):
    """What SPIN came to: states, seconds of the search, seconds with making its verifier."""

    states: int
    search: float
    total: float
    errors: int


def spin(folder: Path, *, fixed: bool = True, reduced: bool = True) -> Spun:
    """Make a verifier of the Promela model and run it to the end."""
    for tool, package in (("spin", "spin"), ("gcc", "gcc")):
        if not shutil.which(tool):
            raise ToolchainError(f"{tool} is not installed: apt-get install {package}")
    began = time.perf_counter()
    defines = [] if reduced else ["-DNOREDUCE"]
    _run(folder, "spin", f"-DFIXED={int(fixed)}", "-a", SOURCE)
    _run(folder, "gcc", "-O2", "-w", "-DSAFETY", *defines, "-o", "pan", "pan.c")
    made = time.perf_counter()
    text = _run(folder, folder / "pan", "-m100000")
    end = time.perf_counter()
    states = re.search(r"(\d+) states, stored", text)
    errors = re.search(r"errors: (\d+)", text)
    if not states or not errors or (fixed and "max search depth too small" in text):
        raise RigError(f"SPIN did not come to an end:\n{text}")
    return Spun(int(states[1]), end - made, end - began, int(errors[1]))


def _run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RigError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def explore(strategy: str, *, reduction: bool = True) -> Exploration:
    """Explore the scenario with a strategy. Raises RigError if that is cut off."""
    known = {one.name: one for one in STRATEGIES}
    code = load(ModelBackend().patches(facts.chain(known[strategy], known)))
    bounds = Bounds(states=STATES, reduction=reduction)
    found = Search(bundled()[SCENARIO], code, bounds).run()
    if not found.complete:
        raise RigError(f"{SCENARIO} with {strategy} was cut off at {STATES} states")
    return found


def rows(*, quick: bool) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="difftest-spin-") as name:
        folder = Path(name)
        if not spin(folder, fixed=False).errors:
            raise RigError("SPIN finds no violated assertion before the fix: retry.pml is wrong")
        mine, theirs = interleaved(
            "explore", 1 if quick else 3, lambda _: explore(FIX), lambda _: spin(folder)
        )
        unreduced = spin(folder, reduced=False)
    if errors := sum(one.errors for one in theirs):
        raise RigError(f"SPIN finds {errors} errors with the fix: retry.pml is wrong")
    every = [seconds(lambda name=one.name: explore(name)) for one in STRATEGIES]
    full = explore(FIX, reduction=False)
    if full.ends != mine[0].ends:
        raise RigError("with the reduction other final states are found than without it")
    took = sorted(one.seconds for one in mine)[len(mine) // 2]
    spun = sorted(theirs, key=lambda one: one.search)[len(theirs) // 2]
    states = mine[0].states
    return [
        Row("explore", f"{FIX}: states a second", states / took,
            "SPIN, its verifier alone", spun.states / spun.search, "1/s"),
        Row("explore", f"{FIX}: total time", took,
            "SPIN, from Promela to the end", spun.total, "s"),
        Row("explore", "states, reduced", states, "not reduced, same ends", full.states, "states"),
        Row("explore", "SPIN: states, reduced", spun.states,
            "not reduced", unreduced.states, "states"),
        Row("explore", "time, reduced", took, "not reduced", full.seconds, "s"),
        Row("explore", f"{len(every)} strategies, one after the other", sum(every),
            "one minute", 60.0, "s", "< 1 on two cores"),
    ]  # fmt: skip
