# SPDX-License-Identifier: GPL-2.0-only
"""The HTML report as a browser shows it: everything there, no complaint, nothing too wide."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from made import campaign
from msgspec.structs import replace
from played import KNOWN, MODEL, outcomes

from difftest.assemble import result_of
from difftest.workload.codec import from_text
from reports.html import HtmlReport

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

RACE = (
    "mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\n"
    "copy map=0 page=0 source=M\n  window\n    fill leave=0\n"
)

#: How wide the window and the page are, told by the page itself.
PROBE = """<script>
addEventListener("load", () => {
  document.title = JSON.stringify(
    {width: innerWidth, page: document.documentElement.scrollWidth});
});
</script>"""


def page() -> str:
    whole = result_of(campaign(workloads=2000, shard_size=500))
    seen = outcomes(MODEL, KNOWN["unpatched"], [from_text(RACE)])[0]
    told = [
        replace(one, text=RACE, outcomes={"model": seen, "uml:6.1": seen})
        if one.strategy == "unpatched"
        else one
        for one in whole.witnesses
    ]
    return HtmlReport().render(replace(whole, witnesses=tuple(told)), "runs/0001")


def shown(file: Path, width: int) -> tuple[str, str]:
    """Return the page as the browser has it, and what its console says."""
    done = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", f"--user-data-dir={file.parent / str(width)}",
            f"--window-size={width},900", "--enable-logging=stderr", "--log-level=0",
            "--virtual-time-budget=2000", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout, "\n".join(re.findall(r".*CONSOLE.*", done.stderr))


def test_tables_and_timeline_are_there_and_the_console_is_silent(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(), encoding="utf-8")
    dom, console = shown(file, 1280)
    assert console == ""
    assert dom.count("<tr") > 20
    for text in ("Recommended: release_page", "fill leave=0", "BUG at mm/userfaultfd.c"):
        assert text in dom


@pytest.mark.parametrize("width", [1280, 500])
def test_nothing_is_wider_than_the_window(tmp_path: Path, width: int) -> None:
    """At 500 pixels, the narrowest that Chromium opens without a screen."""
    # The page forbids scripts; the one that measures is ours.
    measured, forbidden = re.subn(r"<meta http-equiv=.Content-Security-Policy[^>]*>", PROBE, page())
    assert forbidden == 1
    file = tmp_path / "measured.html"
    file.write_text(measured, encoding="utf-8")
    title = re.search(r"<title>(.*?)</title>", shown(file, width)[0], re.DOTALL)
    assert title is not None
    told = json.loads(title[1])
    assert told["width"] == width
    assert told["page"] <= width, told
