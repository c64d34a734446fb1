# SPDX-License-Identifier: GPL-2.0-only
"""What the documentation makes its reader do works, and its site is whole."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from documented import DOCS, PAGES, Block, Desk, DocumentError, alike, blocks
from justhtml import JustHTML

from difftest.cli import cli
from difftest.workload.ops import OPS
from oracles import ORACLES

if TYPE_CHECKING:
    from pathlib import Path

ROOT = DOCS.parent
BLOCKS = {name: blocks(name, path.read_text(encoding="utf-8")) for name, path in PAGES.items()}
KERNEL = [name for name, found in BLOCKS.items() if any(one.kernel for one in found)]
PLAIN = [name for name, found in BLOCKS.items() if not all(one.kernel for one in found)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder)


@pytest.mark.long
@pytest.mark.parametrize("page", PLAIN)
def test_what_a_page_says_can_be_done(desk: Desk, page: str) -> None:
    for block in BLOCKS[page]:
        if not block.kernel:
            desk.run(block)


@pytest.mark.kernel
@pytest.mark.parametrize("page", KERNEL)
def test_what_a_page_says_can_be_done_with_kernels(desk: Desk, page: str) -> None:
    for block in BLOCKS[page]:
        desk.run(block)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```rust\nx\n```\n", "a block of kind 'rust' cannot be run"),
        ("```\nx\n```\n", "a block of kind '' cannot be run"),
        ("    x\n", "an indented block"),
        ("```text\nx\n```\n", "nothing before it"),
    ],
)
def test_a_block_that_cannot_be_run_is_an_error(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        blocks("page.md", text)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("sh", "false\necho x", ""),
        ("sh", "echo x", "y\n"),
        ("sh", "echo $nothing_of_this_name", ""),
        ("python", "print(1 / 0)", ""),
    ],
)
def test_a_block_that_fails_or_prints_something_else_fails(
    desk: Desk, kind: str, text: str, expected: str
) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:1: "):
        desk.run(Block("page.md", 1, kind, text, kernel=False, expected=expected))


def test_output_is_compared_loosely_and_not_more() -> None:
    assert alike("a ...\nz\n", "a  b\nc\nz\n")
    assert not alike("a ...\nz\n", "a b\nc\ny\n")


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site],
        cwd=source, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


def headings(page: Path) -> list[str]:
    made = JustHTML(page.read_text(encoding="utf-8"), sanitize=False)
    return [
        str(one.to_text()).rstrip("#¶ ")
        for one in made.query("[role=main] h2, [role=main] h3, [role=main] h4")
    ]


def test_every_operation_oracle_and_command_has_its_place(site: Path) -> None:
    assert {op.name for op in OPS} <= set(headings(site / "vocabulary/index.html"))
    assert [one.name for one in ORACLES] == headings(site / "oracles/index.html")
    commands = headings(site / "commands/index.html")
    assert {f"difftest {name}" for name in cli.commands} <= set(commands)
    assert "difftest kernel fetch" in commands


def test_what_is_copied_from_a_page_is_what_was_tried(site: Path) -> None:
    for name, found in BLOCKS.items():
        place = name.removesuffix(".md") if name != "index.md" else "."
        made = JustHTML((site / place / "index.html").read_text(encoding="utf-8"), sanitize=False)
        shown = [str(one.to_text(separator="", strip=False)) for one in made.query("pre > code")]
        tried = [text for one in found for text in (one.text, one.expected) if text]
        assert shown == tried, name
    assert "\t\treturn -ENOMEM" in "".join(one.text for one in BLOCKS["tutorial.md"])


def test_no_page_takes_anything_from_a_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        made = JustHTML(page.read_text(encoding="utf-8"), sanitize=False)
        for one in made.query("script, link, img, iframe"):
            source = one.attrs.get("src") or one.attrs.get("href") or ""
            assert "//" not in source, f"{page.name}: {source}"
    for style in site.rglob("*.css"):
        found = re.findall(r"url\(\s*['\"]?(?:https?:)?//[^)]*", style.read_text(encoding="utf-8"))
        assert not found, f"{style.name}: {found}"


@pytest.mark.parametrize("target", ["nowhere.md", "ci.md#nothing-of-this-name"])
def test_a_broken_link_fails_the_build(tmp_path: Path, target: str) -> None:
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    with (tmp_path / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.write(f"\n[broken]({target})\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert target.partition("#")[0] in done.stderr
