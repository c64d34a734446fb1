# SPDX-License-Identifier: GPL-2.0-only
"""The vocabulary of faults: every site is in the models, in the kernels' knobs, and documented."""

import errno
import re

import pytest

from difftest import kernels
from difftest.guest.build import SOURCES
from difftest.kernels.knobs import knobs
from difftest.model import faults as model
from difftest.workload.faults import SITES, Fault


def test_the_model_has_every_site() -> None:
    assert set(model.SITES) == set(SITES)


@pytest.mark.parametrize("series", kernels.SERIES)
def test_the_knobs_of_every_series_have_every_site(series: str) -> None:
    common, own = (patch.text for patch in knobs(series))
    named = dict(re.findall(r'\[(FAULT_\w+)\] = "(\w+)"', common))
    assert set(named.values()) == set(SITES)
    assert all(name == f"FAULT_{site.upper()}" for name, site in named.items())
    used = set(re.findall(r"FAULT_[A-Z_]+", own)) - {"FAULT_NONE"}
    # Two have a function in the common part that stands for the constant.
    used |= {"FAULT_PTE_INSTALL"} if "fault_entry_taken" in own else set()
    used = used - {"FAULT_FILL"} | ({"FAULT_CALLEE_KEEPS_PAGE"} if "FAULT_FILL" in own else set())
    assert used == set(named)


def test_the_agent_knows_every_error() -> None:
    text = (SOURCES / "fault.c").read_text(encoding="utf-8")
    known = dict(re.findall(r'\{ "(\w+)", (\w+) \}', text))
    assert set(known) == {error for site in SITES.values() for error in site.errors}
    assert all(name == value for name, value in known.items())


def test_every_site_is_documented_and_has_errors_that_exist() -> None:
    for site in SITES.values():
        assert site.about
        for error in site.errors:
            number = Fault(site.name, 1, error).errno
            assert number == (0 if error == "0" else getattr(errno, error))
