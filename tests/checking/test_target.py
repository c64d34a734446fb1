# SPDX-License-Identifier: GPL-2.0-only
"""The target of a check: folders of every form, and what is wrong on the way to their plugins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import strategies
from difftest import plugins, scaffold
from difftest.checking import State, target
from difftest.errors import UsageError
from difftest.scaffold import Kind


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    """Forget the modules of other tests: they are called the same, and are in other places."""
    for name in [one for one in sys.modules if one.partition(".")[0] in {"mine", "lone"}]:
        del sys.modules[name]


def made(kind: Kind, into: Path) -> Path:
    return scaffold.create(plugins.load(), kind, "mine", into, None)


def lone(into: Path, text: str) -> Path:
    folder = into / "lone"
    folder.mkdir()
    (folder / "__init__.py").write_text(f"from difftest import *\n{text}\n")
    return folder


def wrongs(found: target.Target) -> list[str]:
    return [f"{one.about}: {one.text}" for one in found.findings if one.state is not State.OK]


def test_a_project_is_found_by_its_entry_point(tmp_path: Path) -> None:
    found = target.find(str(made(Kind.STRATEGY, tmp_path)), ())
    assert [one.name for one in found.strategies] == ["mine"]
    assert found.folders == {"mine": tmp_path / "mine" / "src" / "mine"}
    assert not wrongs(found)


@pytest.mark.parametrize("kind", [Kind.ORACLE, Kind.REPORT, Kind.BACKEND])
def test_other_kinds_are_found(kind: Kind, tmp_path: Path) -> None:
    found = target.find(str(made(kind, tmp_path) / "src" / "mine"), ())
    assert [(what, one.name) for what, one in found.others] == [(str(kind), "mine")]
    assert not wrongs(found)


def test_a_bundled_folder_is_its_strategy() -> None:
    found = target.find(str(Path(strategies.__file__).parent / "never_dirty"), ())
    assert [one.name for one in found.strategies] == ["never_dirty"]
    assert found.folders["never_dirty"].name == "never_dirty"
    assert not wrongs(found)


def test_a_strategy_that_no_hook_brings_is_found_and_said(tmp_path: Path) -> None:
    found = target.find(str(lone(tmp_path, "FIX = Strategy(name='lone', claim='')")), ())
    assert [one.name for one in found.strategies] == ["lone"]
    assert wrongs(found) == ["lone: no hook brings it: expected @hookimpl difftest_strategies()"]


def test_the_rest_of_a_plugin_with_a_misspelt_hook_is_found(tmp_path: Path) -> None:
    hooks = (
        "@hookimpl\ndef difftest_oracels(): return []\n"
        "@hookimpl\ndef difftest_strategies(): return [Strategy(name='lone', claim='')]"
    )
    found = target.find(str(lone(tmp_path, hooks)), ())
    assert [one.name for one in found.strategies] == ["lone"]
    assert wrongs(found) == ["lone.difftest_oracels: is no hook: did you mean difftest_oracles?"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "entry point lone: cannot be imported: ZeroDivisionError"),
        ("from_folder(__file__, claim='')", "entry point lone: cannot be imported: PluginError"),
        ("", "lone: brings nothing: expected difftest_strategies or"),
        ("@hookimpl\ndef difftest_oracles(): 1 / 0", "raises in difftest_oracles"),
        ("@hookimpl\ndef difftest_oracles(): return [7]", "returns 7, which is no oracle"),
        (
            "@hookimpl\ndef difftest_strategies(): return [Strategy(name='acct_last', claim='')]",
            "brings a strategy 'acct_last', and there is one of that name",
        ),
    ],
)
def test_a_plugin_that_does_not_work_is_wrong_and_no_error(
    tmp_path: Path, text: str, message: str
) -> None:
    (found,) = wrongs(target.find(str(lone(tmp_path, text)), ()))
    assert message in found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("entry-points.difftest", "entry-points.diftest", "did you mean that by diftest?"),
        ("entry-points.difftest", "urls", "has no [project.entry-points.difftest]"),
        ('mine = "mine"', 'mine = "mein"', "there is no module mein in"),
    ],
)
def test_a_project_whose_entry_point_leads_nowhere_is_wrong(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    folder = made(Kind.ORACLE, tmp_path)
    project = folder / "pyproject.toml"
    text = project.read_text()
    assert old in text
    project.write_text(text.replace(old, new))
    (found,) = wrongs(target.find(str(folder), ()))
    assert message in found


def test_what_is_no_plugin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no plugin: expected a project .* or a package"):
        target.find(str(tmp_path), ())
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(UsageError, match=r"pyproject\.toml is no TOML"):
        target.find(str(tmp_path), ())


def test_two_modules_of_one_name_are_not_taken_for_each_other(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        lone(tmp_path / place, "FIX = Strategy(name='lone', claim='')")
    target.find(str(tmp_path / "one" / "lone"), ())
    with pytest.raises(UsageError, match=r"the module lone is that of .*one.*, not the one below"):
        target.find(str(tmp_path / "two" / "lone"), ())


def test_names_of_all_kinds_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert [one.name for one in target.find("acct_last", ()).strategies] == ["acct_last"]
    for kind, name in (("oracle", "page_leak"), ("report", "table"), ("backend", "uml:6.1")):
        assert [(what, one.name) for what, one in target.find(name, ()).others] == [(kind, name)]
    with pytest.raises(UsageError, match=r"no directory acct_lst, .* did you mean acct_last"):
        target.find("acct_lst", ())
