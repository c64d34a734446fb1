# SPDX-License-Identifier: GPL-2.0-only
"""The code that a system runs: the modules of mm/ and fs/, with or without a fix."""

from __future__ import annotations

import ast
import dis
import hashlib
import importlib
import importlib.util
import linecache
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

from difftest.model.faults import Faults, install

#: The directories that a model patch may touch, as it names them.
PATCHABLE = ("mm", "fs")
ROOT = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Code:
    """The entry points, as modules: patched ones have no static type.

    `sources` are the texts of all files by their names.
    """

    shmem: Any
    hugetlb: Any
    mmap: Any
    fs: Any
    sources: Mapping[str, str]

    def digest(self) -> str:
        """Return a hash of what the compiler makes of it: equal digests, equal behaviour.

        Comments, docstrings and what nothing reaches are not in it, nor are line numbers and the
        order of names in an import.
        """
        parts = [(name, _meaning(text)) for name, text in self.sources.items()]
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    faults: Faults | None = None
    """The knobs, if there are any."""
    by_entry: bool = False
    """Whether page tables need `difftest.model.faults.Entries` for them."""


def load(root: Path, *, knobs: bool = False) -> Code:
    """Import the mm/ and fs/ below `root` as a package of their own.

    The name comes from the content, so that equal code is loaded once and two fixes never share
    a module. `knobs`: with fault knobs. Raises what the code raises when it is imported.
    """
    files = sorted(path for part in PATCHABLE for path in (root / part).rglob("*.py"))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
    sources = {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in files}
    for path, text in zip(files, sources.values(), strict=True):
        # The files may go; tracebacks and debuggers find the source all the same.
        linecache.cache[str(path)] = (0, None, text.splitlines(keepends=True), str(path))
    name = f"difftest_model_{digest}{'_knobs' if knobs else ''}"
    fresh = name not in sys.modules
    if fresh:
        spec = importlib.util.spec_from_loader(name, loader=None, is_package=True)
        assert spec is not None  # noqa: S101 - for the type checker
        spec.submodule_search_locations = [str(root)]
        sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        code = Code(
            shmem=importlib.import_module(f"{name}.mm.shmem"),
            hugetlb=importlib.import_module(f"{name}.mm.hugetlb"),
            mmap=importlib.import_module(f"{name}.mm.mmap"),
            fs=importlib.import_module(f"{name}.fs.userfaultfd"),
            sources=sources,
        )
        if knobs and fresh:
            modules = (code.shmem, importlib.import_module(f"{name}.mm.userfaultfd"))
            sys.modules[name].knobs = install(modules)  # type: ignore[attr-defined]
    except BaseException:
        # What was half imported would hide the reason when the same code is loaded again.
        for module in [one for one in sys.modules if one.partition(".")[0] == name]:
            del sys.modules[module]
        raise
    if not knobs:
        return code
    faults, by_entry = sys.modules[name].knobs
    return replace(code, faults=faults, by_entry=by_entry)


@lru_cache(maxsize=128)  # a fix changes two files of many: the others are those of the baseline
def _meaning(text: str) -> str:
    return hashlib.sha256(repr(_essence(_compiled(text))).encode()).hexdigest()


def _compiled(text: str) -> CodeType:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            node.names.sort(key=lambda one: one.name)
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body[:1] = [] if len(node.body) > 1 else [ast.Pass(lineno=1, col_offset=0)]
    return compile(tree, "", "exec", dont_inherit=True)


def _essence(code: CodeType) -> tuple[object, ...]:
    # By instructions, not by co_code: that numbers names and constants which nothing reaches, too.
    return (
        code.co_name,
        [(one.opname, _argument(one.argval)) for one in dis.get_instructions(code)],
        code.co_varnames[: code.co_argcount + code.co_kwonlyargcount],
        code.co_freevars,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_flags,
        code.co_exceptiontable,
    )


def _argument(value: object) -> object:
    if isinstance(value, CodeType):
        return _essence(value)
    # A set has another order in each process.
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)
