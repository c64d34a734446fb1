# SPDX-License-Identifier: GPL-2.0-only
"""The context of a task: what every worker of a run knows, besides the task itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from difftest.plugins import Plugins
    from difftest.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """A run's settings and directory, and the plugins that it names.

    The directory may be on another machine: only the main process, and workers of its own machine,
    may look into it.
    """

    settings: Settings
    plugins: Plugins
    directory: Path
