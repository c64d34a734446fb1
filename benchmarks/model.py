# SPDX-License-Identifier: GPL-2.0-only
"""The model: executions (a strategy with a workload) with the drawing of workloads and without."""

from __future__ import annotations

import contextlib

from benchmarks.measure import Row, medians, seconds
from difftest import facts
from difftest.backends.model import ModelBackend
from difftest.workload import generate
from strategies import STRATEGIES

SEED = 1


def rows(*, quick: bool) -> list[Row]:
    backend = ModelBackend()
    known = {one.name: one for one in STRATEGIES}
    drawn = []
    with contextlib.ExitStack() as stack:
        runners = [
            stack.enter_context(backend.runner(facts.chain(one, known))) for one in STRATEGIES
        ]

        def draw(number: int) -> float:
            return seconds(lambda: drawn.append(generate.shard(SEED, number, generate.SHARD)))

        def play(number: int) -> float:
            return seconds(lambda: [list(runner.run(drawn[number])) for runner in runners])

        drawing, playing = medians("model", 3 if quick else 9, draw, play)
    executions = generate.SHARD * len(STRATEGIES)
    alone = executions / playing
    return [
        Row(
            "model",
            f"draw once, play on {len(STRATEGIES)} strategies",
            executions / (drawing + playing),
            "play workloads drawn before",
            alone,
            "executions/s",
        ),
        Row(
            "model",
            "draw workloads",
            generate.SHARD / drawing,
            "play workloads drawn before",
            alone,
            "1/s",
        ),
    ]
