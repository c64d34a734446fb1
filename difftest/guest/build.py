# SPDX-License-Identifier: GPL-2.0-only
"""Compiling the guest agent, once for each state of its sources."""

from __future__ import annotations

import hashlib
from pathlib import Path

from difftest.errors import BuildError, ToolchainError
from difftest.kernels import cache
from difftest.toolchain import (
    CommandError,
    build_environment,
    compiler,
    install_command,
    require,
    run,
)

SOURCES = Path(__file__).parent

#: Static: the agent is all there is in the guest's file system.
_COMMAND = ("gcc", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o")

#: What the linker says when only the shared C library is there.
_NO_STATIC_LIBC = ("cannot find -lc", "cannot find -lpthread")


def agent(sources: Path = SOURCES) -> Path:
    """Return the compiled agent. Raises BuildError if the C code in `sources` does not compile."""
    require("gcc")
    name = _digest(sources)
    if found := cache.finished("agents", name):
        return found / "agent"
    with cache.lock(f"agent-{name}"):
        found = cache.finished("agents", name) or _build(sources, name)
    return found / "agent"


def _build(sources: Path, name: str) -> Path:
    with cache.workdir("agent") as work:
        made = work / "made"
        made.mkdir()
        units = [str(path) for path in sorted(sources.glob("*.c"))]
        try:
            run(
                [*_COMMAND, str(made / "agent"), *units],
                where=work,
                environment=build_environment(work),
            )
        except CommandError as error:
            if any(text in error.output for text in _NO_STATIC_LIBC):
                raise ToolchainError(
                    "the static C library (libc.a, Debian: libc6-dev) is not installed here: "
                    + install_command(["libc6-dev"])
                ) from None
            raise BuildError(f"the guest agent does not compile:\n{error.output.strip()}") from None
        cache.note(made, command=_COMMAND)
        return cache.publish(made, "agents", name)


def _digest(sources: Path) -> str:
    whole = hashlib.sha256(repr(_COMMAND).encode())
    whole.update(compiler().encode())
    for path in sorted((*sources.glob("*.c"), *sources.glob("*.h"))):
        whole.update(b"%s:%d:" % (path.name.encode(), path.stat().st_size))
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]
