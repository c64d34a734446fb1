# SPDX-License-Identifier: GPL-2.0-only
"""A cache of one's own, and in it a tree that builds in milliseconds like a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from difftest import sandbox
from difftest.kernels import cache, config, source

if TYPE_CHECKING:
    from pathlib import Path

#: Where a kernel is more than these lines, no test here depends on it.
MAKEFILE = """\
tinyconfig:
\tmkdir -p $(O)/usr && : > $(O)/.config
olddefconfig:
\ttrue
linux:
\t@echo $$$$ >> {log}
\t@echo '  CC      mm/shmem.o'
\t@if grep -Hn error mm/*.c; then exit 1; fi
\t@if grep -q wait mm/shmem.c; then echo $$$$ > {log}.waits; sleep 600 & wait; fi
\t@cat mm/*.c > $(O)/linux && : > $(O)/usr/gen_init_cpio
image:
\t@mkdir -p $(O)/boot && echo $(ARCH) > $(O)/boot/image
\t@echo none > $(O)/symbols && : > $(O)/usr/gen_init_cpio
"""


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache"
    path.mkdir()
    monkeypatch.setenv("DIFFTEST_CACHE", str(path))
    return path


@pytest.fixture
def builds(tmp_path: Path) -> Path:
    """Return the file that gets one line for each `make linux` of the fake tree."""
    return tmp_path / "builds"


@pytest.fixture
def fake_tree(own_cache: Path, builds: Path) -> Path:
    """Put a source into the cache whose `make` is quick; return its tree."""
    made = own_cache / "made"
    tree = made / "tree"
    for name in ("mm", "lib", "Documentation", "drivers/net"):
        (tree / name).mkdir(parents=True)
    (tree / "Makefile").write_text(MAKEFILE.format(log=builds))
    (tree / "mm" / "shmem.c").write_text("first\nsecond\nthird\n")
    (tree / "mm" / "internal.h").write_text("header\n")
    (tree / "lib" / "vsprintf.c").write_text('#include "../mm/internal.h"\n')
    (tree / "Documentation" / "index").write_text("words\n")
    (tree / "drivers" / "net" / "tun.c").write_text("tun\n")
    (tree / "drivers" / "Kconfig").write_text("menu\n")
    cache.note(made, package="linux-source-6.1", version="6.1.0-fake", sha256="0" * 64)
    return cache.publish(made, "sources", source.directory_name("6.1")) / "tree"


@pytest.fixture(autouse=True)
def _no_demands(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake tree has no options, and keeps a log outside of it."""
    if "fake_tree" in request.fixturenames:
        monkeypatch.setattr(sandbox, "missing", lambda: "not here")
        monkeypatch.setattr(config, "fragment", lambda _: "# nothing\n")
