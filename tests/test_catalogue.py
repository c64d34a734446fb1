# SPDX-License-Identifier: GPL-2.0-only
"""Lists say what there is, in its own words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from difftest import catalogue, kernels
from difftest.kernels import trees

if TYPE_CHECKING:
    import pytest


def test_the_name_of_a_series_and_a_digest_are_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "1234567890123456"
    built = datetime(2026, 1, 2, tzinfo=UTC)
    one = kernels.CachedKernel("5.10", "uml", digest, ("release_page",), 4_300_000, built)
    monkeypatch.setattr(kernels, "list_kernels", lambda: [one])
    monkeypatch.setattr(trees, "listing", lambda: [("5.10", "6.10", "1e10", "/linux")])
    text = catalogue.kernels_listing()
    assert [digest, "5.10", "uml"] in [line.split()[:3] for line in text.splitlines()]
    assert ["5.10", "6.10", "1e10", "/linux"] in [line.split() for line in text.splitlines()]
