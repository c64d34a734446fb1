# SPDX-License-Identifier: GPL-2.0-only
"""The import arrows: who may know whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = ("strategies", "oracles", "reports")


def imported(path: Path) -> set[str]:
    """Return the absolute names of all modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
    return found


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("path", files("difftest"), ids=str)
def test_difftest_imports_no_plugin(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & set(PLUGINS)


@pytest.mark.parametrize("package", PLUGINS)
def test_plugins_import_difftest_and_never_each_other(package: str) -> None:
    others = set(PLUGINS) - {package}
    for path in files(package):
        assert not {name.split(".")[0] for name in imported(path)} & others, path


@pytest.mark.parametrize("package", ["oracles", "reports", "strategies"])
def test_the_plugins_of_a_package_do_not_import_each_other(package: str) -> None:
    for path in files(package):
        if path != ROOT / package / "__init__.py":
            assert not {n for n in imported(path) if n.split(".")[0] == package}, path


@pytest.mark.parametrize("path", files("difftest/model"), ids=str)
def test_the_model_imports_the_standard_library_and_itself(path: Path) -> None:
    for name in imported(path):
        first = name.split(".")[0]
        assert name.startswith("difftest.model") or first in sys.stdlib_module_names, name


@pytest.mark.parametrize("path", files("difftest/model"), ids=str)
def test_the_model_knows_no_clock_and_no_chance(path: Path) -> None:
    assert not imported(path) & {"time", "random", "datetime", "secrets", "os", "threading"}


def test_every_source_file_names_its_licence() -> None:
    suffixes = {".py", ".c", ".h", ".toml", ".config"}
    folders = ("difftest", *PLUGINS, "tests", "benchmarks")
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in suffixes:
                head = path.read_text(encoding="utf-8")[:200]
                assert "SPDX-License-Identifier: GPL-2.0-only" in head, path


def test_what_draws_no_workload_does_not_wait_for_hypothesis() -> None:
    program = "import sys, difftest.cli; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
