# SPDX-License-Identifier: GPL-2.0-only
"""Compiling the programs of guests, once for each state of their sources."""

from __future__ import annotations

import hashlib
from pathlib import Path

from difftest.errors import BuildError, ToolchainError
from difftest.kernels import artefacts, cache
from difftest.toolchain import (
    CommandError,
    build_environment,
    compiler,
    install_command,
    require,
    run,
)

SOURCES = Path(__file__).parent

#: Static: a program is all there is in the guest's file system.
STATIC = ("gcc", "-static", "-O2", "-pthread")
_COMMAND = (*STATIC, "-Wall", "-Wextra", "-Werror", "-o")

#: What the linker says when only the shared C library is there.
_NO_STATIC_LIBC = ("cannot find -lc", "cannot find -lpthread")


def agent(sources: Path = SOURCES) -> Path:
    """Return the compiled agent. Raises BuildError if the C code in `sources` does not compile."""
    return _program("agent", sources)


def attack(sources: Path = SOURCES / "attack") -> Path:
    """Return the compiled attack, as `agent`."""
    return _program("attack", sources)


def launcher() -> Path:
    """Return the compiled program that starts a self-test of the kernel's own."""
    return _program("launcher", SOURCES / "selftest")


def _program(name: str, sources: Path) -> Path:
    asked = artefacts.request("agent", name, _hash(sources))
    if there := artefacts.given(asked):
        return there / name
    require("gcc")
    address = _hash(sources, compiler())
    found = cache.finished("agents", address)
    if found is None:
        with cache.lock(f"agent-{address}"):
            found = cache.finished("agents", address) or _build(name, sources, address)
    artefacts.note(asked, ("agents", address))
    return found / name


def _build(name: str, sources: Path, address: str) -> Path:
    with cache.workdir("agent") as work:
        made = work / "made"
        made.mkdir()
        units = [str(path) for path in sorted(sources.glob("*.c"))]
        try:
            run(
                [*_COMMAND, str(made / name), *units],
                where=work,
                environment=build_environment(work),
            )
        except CommandError as error:
            if any(text in error.output for text in _NO_STATIC_LIBC):
                raise ToolchainError(
                    "the static C library (libc.a, Debian: libc6-dev) is not installed here: "
                    + install_command(["libc6-dev"])
                ) from None
            message = f"the guest's {name} does not compile:\n{error.output.strip()}"
            raise BuildError(message) from None
        cache.note(made, command=_COMMAND)
        return cache.publish(made, "agents", address)


def _hash(sources: Path, *more: str) -> str:
    whole = hashlib.sha256(repr(_COMMAND).encode())
    for part in more:
        whole.update(part.encode())
    for path in sorted((*sources.glob("*.c"), *sources.glob("*.h"))):
        whole.update(b"%s:%d:" % (path.name.encode(), path.stat().st_size))
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]
