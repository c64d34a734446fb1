# SPDX-License-Identifier: GPL-2.0-only
"""A backend on which a run is interrupted."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from difftest.backends.model import ModelBackend

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.backends import Runner
    from difftest.strategy import Strategy


class Interrupting(ModelBackend):
    """The model, with a finger on Ctrl-C when so many shards have begun."""

    def __init__(self, shards: int) -> None:
        super().__init__()
        self.left = shards

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[Runner]:  # type: ignore[override]
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        with super().runner(chain) as runner:
            yield runner
