# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages, fetched and verified by apt, which keeps its state apart from the system's."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from difftest.errors import ToolchainError
from difftest.progress import progress
from difftest.toolchain import CommandError, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The state of apt that a download needs is kept apart from the system's, so that it needs no root,
#: works with empty package lists and changes nothing. Sources and keyrings are the system's: apt
#: verifies what it fetches with them. Hooks are the system's own housekeeping: not ours to run.
_CONFIG = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{state}";
Dir::State::Lists "{state}/lists";
Dir::Cache "{state}/cache";
Acquire::Languages "none";
Acquire::Retries "3";
Dpkg::Use-Pty "0";
"""

#: Without this apt, started by root, downloads as the user _apt, who cannot write to the cache.
_CONFIG_ROOT = 'APT::Sandbox::User "root";\n'

#: In place of the system's sources.
_CONFIG_SOURCES = """\
Dir::Etc::sourcelist "{file}";
Dir::Etc::sourceparts "/dev/null";
"""

#: Has the keys of every Debian release. Where it is missing, apt goes by the keys that it trusts
#: for any source.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

#: What follows a release's codename, for the parts of the archive that carry kernel sources.
_POCKETS = ("", "-security")


class Apt:
    """apt with a state in the new directory `state`, and `sources` instead of the system's."""

    def __init__(self, state: Path, sources: Sequence[str] = ()) -> None:
        for name in ("lists/partial", "cache/archives/partial"):
            (state / name).mkdir(parents=True)
        text = _CONFIG.format(state=state)
        if os.geteuid() == 0:
            text += _CONFIG_ROOT
        if sources:
            file = state / "sources.list"
            file.write_text("".join(f"{line}\n" for line in sources), encoding="utf-8")
            text += _CONFIG_SOURCES.format(file=file)
        self._config = state / "apt.conf"
        self._config.write_text(text, encoding="utf-8")
        self._where = state.parent
        self._environment = {**os.environ, "LC_ALL": "C"}

    def _command(self, *words: str) -> list[str]:
        return ["apt-get", "--config-file", str(self._config), "--quiet", *words]

    def _run(self, *words: str) -> str:
        return run(self._command(*words), where=self._where, environment=self._environment)

    def fetch(self, package: str) -> str:
        """Download a package into the directory that holds `state`.

        Returns "", or what apt says where it cannot be had.
        """
        try:
            # One source of several that does not answer makes this fail: what counts is whether
            # the package can be had from the others.
            said = self._run("update")
        except CommandError as error:
            said = error.output
        try:
            offer = self._run("--print-uris", "download", package)
            # 'uri' file bytes hash
            size = int(offer.splitlines()[-1].split()[2])
            with progress(f"downloading {package}", size, "B", scale=True) as bar:
                self._watched(package, bar.reach)
        except CommandError as error:
            lines = (said + error.output).splitlines()
            return "\n".join(dict.fromkeys(line for line in lines if line[:2] in ("E:", "W:")))
        return ""

    def _watched(self, package: str, reach: Callable[[int], None]) -> None:
        """Run the download and report the size of the file that grows there."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                reach(sum(path.stat().st_size for path in self._where.glob("*.deb")))

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            self._run("download", package)
        finally:
            done.set()
            thread.join()

    def sources_of(self, release: str) -> list[str]:
        """Return the lines for another Debian release, on the mirrors that these sources name."""
        found = self._run(
            "indextargets", "--format", "$(CODENAME) $(REPO_URI)",
            "Created-By: Packages", "Origin: Debian", "Component: main",
        )  # fmt: skip
        option = f" [signed-by={KEYRING}]" if KEYRING.exists() else ""
        lines = []
        for line in found.splitlines():
            codename, _, uri = line.partition(" ")
            # "bookworm-security": a release, and a part of its archive
            pocket = codename[len(codename.partition("-")[0]) :]
            if pocket in _POCKETS:
                lines.append(f"deb{option} {uri} {release}{pocket} main")
        return sorted(set(lines))


def download(package: str, release: str, work: Path) -> Path:
    """Download a package into `work` and return the file.

    Looked for in the system's own sources, then in the Debian `release` on the same mirrors.
    Raises ToolchainError if neither has it.
    """
    system = Apt(work / "apt-system")
    said = [system.fetch(package)]
    if said[0]:
        sources = system.sources_of(release)
        said.append(
            Apt(work / "apt-release", sources).fetch(package)
            if sources
            else f"No source of the system's is Debian's, so where {release} would be is not known."
        )
    if all(said):
        lines = dict.fromkeys("\n".join(said).splitlines())
        raise ToolchainError(
            f"apt cannot get the package {package}:\n  "
            + "\n  ".join(lines)
            + f"\nDebian's {release} and {release}-security (main) have it: see that /etc/apt "
            "names Debian's mirrors, and that `apt-get update` gets through from here. If the "
            "mirrors have dropped that release, a tarball or a tree of the source will be needed "
            "for this series; the others need none of it"
        )
    return next(work.glob("*.deb"))
