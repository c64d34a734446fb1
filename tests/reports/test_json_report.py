# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import json

from made import campaign

from difftest.assemble import result_of
from difftest.schema import PATH
from reports.json import JsonReport


def test_json_is_the_result_without_paths() -> None:
    text = JsonReport().render(result_of(campaign()), "/some/where")
    assert text.endswith("}\n")
    assert "/some/where" not in text
    printed = json.loads(text)
    assert list(printed) == list(json.loads(PATH.read_text())["$defs"]["Result"]["properties"])
    assert printed["decision"]["recommended"] == "release_page"
