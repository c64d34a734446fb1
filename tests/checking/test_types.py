# SPDX-License-Identifier: GPL-2.0-only
"""Types: mypy reads the model as it is after the patch, and is not blamed on it."""

from __future__ import annotations

import importlib.util
import subprocess

import pytest
from played import KNOWN

from difftest import facts
from difftest.backends.model import ModelBackend
from difftest.checking import State, types
from difftest.errors import RigError
from difftest.kernels import SERIES
from difftest.strategy import Strategy

MODEL = KNOWN["release_page"].model_patch or ""


@pytest.fixture
def _only_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(types, "SERIES", {"6.1": SERIES["6.1"]})


@pytest.mark.usefixtures("_only_one_series")
def test_an_error_of_types_is_told_with_its_line() -> None:
    text = MODEL.replace("put_page(pagep.page)", 'put_page("the page")')
    assert text != MODEL
    (found,) = types.check([Strategy(name="mine", claim="", model_patch=text)])
    assert found.state is State.WRONG
    assert found.about == "mine, types of model"
    assert "mm/shmem.py:" in found.text
    assert 'Argument 1 to "put_page" has incompatible type "str"' in found.text


@pytest.mark.usefixtures("_only_one_series")
def test_what_mypy_finds_without_the_patch_is_not_the_patchs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = ModelBackend.patches

    def older(model: ModelBackend, chain: list[Strategy]) -> tuple[tuple[str, str], ...]:
        return (*real(model, chain), ("an error", ODD))

    monkeypatch.setattr(ModelBackend, "patches", older)
    (found,) = types.check([Strategy(name="mine", claim="", model_patch=MODEL)])
    assert found.state is State.OK
    worse = Strategy(
        name="mine", claim="", model_patch=MODEL.replace("pagep.page = None", "1 + ''")
    )
    (found,) = types.check([worse])
    assert found.state is State.WRONG
    assert "mypy finds 1:" in found.text


ODD = """\
--- /dev/null
+++ b/mm/odd.py
@@ -0,0 +1 @@
+PAGES: int = "two"
"""


@pytest.mark.usefixtures("_only_one_series")
def test_without_mypy_it_is_unknown_and_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # noqa: ARG005
    (found,) = types.check([KNOWN["release_page"]])
    assert found.state is State.UNKNOWN
    assert "pip install 'mypy" in found.text


def test_bundled_patches_have_no_errors_in_any_series() -> None:
    found = list(types.check(facts.chain(KNOWN["hold_reservation"], KNOWN)))
    assert [one.state for one in found] == [State.OK] * len(SERIES)


@pytest.mark.usefixtures("_only_one_series")
def test_errors_that_cannot_be_read_are_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = subprocess.CompletedProcess((), 1, "somewhere else: error: odd", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: odd)
    with pytest.raises(RigError, match="cannot be read: somewhere else: error: odd"):
        types._errors((), "")
