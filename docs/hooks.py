# SPDX-License-Identifier: GPL-2.0-only
"""Pages that are made while the site is built, of what the code says of itself."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import click
from mkdocs.structure.files import File

from difftest.cli import cli
from difftest.gfm import fence, plain
from difftest.workload.codec import fields_of
from difftest.workload.faults import SITES
from difftest.workload.ops import OPS
from oracles import ORACLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

#: Docstrings set names of code in backticks, and so does Markdown.
_CODE = re.compile(r"(`[^`]+`)")


#: Python-Markdown makes spaces of tabs and nothing of a line that is a space, and a patch that is
#: copied from the page must have both.
_TAB, _SPACE = "\ue009", "\ue020"


def on_page_markdown(markdown: str, **_: object) -> str:
    return re.sub(r"^ $", _SPACE, markdown.replace("\t", _TAB), flags=re.MULTILINE)


def on_page_content(html: str, **_: object) -> str:
    return html.replace(_TAB, "\t").replace(_SPACE, " ")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    pages = {"vocabulary.md": vocabulary, "oracles.md": oracles, "commands.md": commands}
    for name, made in pages.items():
        files.append(File.generated(config, name, content="\n".join(made()) + "\n"))
    return files


def vocabulary() -> Iterator[str]:
    yield from ("# Vocabulary", "")
    yield from _paragraphs(
        "A workload is a text: what there is, then what is done, a line each. The lines below a "
        "`copy` that are indented happen in its windows: while it is stopped, with no lock held. "
        "What stands here is what `difftest show NAME` says of each."
    )
    yield from ("## Operations", "")
    for op in OPS:
        words = " ".join([op.name, *(f"{field}=…" for field in fields_of(op))])
        yield from (f"### {plain(op.name)}", "", *fence("text", [words]))
        yield from _paragraphs(inspect.getdoc(op) or "")
    yield from ("## Faults", "")
    yield from _paragraphs("Calls inside the kernel that a workload lets fail.")
    for site in SITES.values():
        lines = [f"fault site={site.name} call=… error={error}" for error in site.errors]
        yield from (f"### {plain(site.name)}", "", *fence("text", lines))
        yield from _paragraphs(site.about)


def oracles() -> Iterator[str]:
    """Return the bundled oracles, whatever else is installed where the site is built."""
    yield from ("# What each oracle sees", "")
    yield from _paragraphs(
        "An oracle answers one question about what was seen of one workload: PASS, FAIL, or "
        "UNKNOWN for what it cannot see. A PASS counts only where the workload reached what could "
        "have failed. How to write one: see [An oracle](plugins/oracle.md)."
    )
    for one in ORACLES:
        yield from (f"## {plain(one.name)}", "", f"**{plain(one.question)}**", "")
        yield from _paragraphs(inspect.getdoc(type(one)) or "")


def commands() -> Iterator[str]:
    yield from ("# Commands", "")
    yield from _command(click.Context(cli, info_name="difftest", max_content_width=90), 2)


def _command(context: click.Context, depth: int) -> Iterator[str]:
    """Return the help of a command, as it prints it itself, then that of those below it."""
    command = context.command
    if context.parent:
        yield from (f"{'#' * depth} {plain(context.command_path)}", "")
    yield from fence("text", command.get_help(context).splitlines())
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            one = command.get_command(context, name)
            if one is not None:
                below = click.Context(one, info_name=name, parent=context, max_content_width=90)
                yield from _command(below, depth + bool(context.parent))


def _paragraphs(text: str) -> Iterator[str]:
    """Return docstring text as Markdown: names of code stay such, and links of our own."""
    for paragraph in text.split("\n\n"):
        yield from ("".join(map(_part, _CODE.split(" ".join(paragraph.split())))), "")


def _part(text: str) -> str:
    """Return a part of a paragraph: what is Markdown stays, other text shows as it is."""
    if text.startswith("`") or "](" in text or not text.strip():
        return text
    before, after = (" " if text[at] == " " else "" for at in (0, -1))
    return f"{before}{plain(text)}{after}"
