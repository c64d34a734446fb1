# SPDX-License-Identifier: GPL-2.0-only
"""The bundled strategies are held to what `difftest check` asks of others, the bad ones too."""

from __future__ import annotations

import pytest
from played import KNOWN

from difftest import facts, plugins, shards
from difftest.checking import State, command, lines, target
from difftest.kernels import SERIES

#: What `difftest check` plays unless it is asked for something else.
USUAL = shards.plan(2000, 1000)
#: These execute all that can be: shards are 250 long, those with faults come by turns.
FEW = shards.plan(250, 100)
#: It takes 477 of those without faults to come to the last line of this one.
RARE = "hold_reservation"
EACH = pytest.mark.parametrize("name", KNOWN)


@pytest.mark.parametrize("name", [name for name in KNOWN if name != RARE])
def test_each_added_line_is_executed_or_has_a_reason(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "SERIES", {"6.1": SERIES["6.1"]})
    chain = facts.chain(KNOWN[name], KNOWN)
    found = [*lines.reasons(KNOWN[name]), *lines.on_models(chain, FEW, 1)]
    assert [(one.state, one.text) for one in found if one.state is not State.OK] == []
    assert found


@pytest.mark.long
@EACH
def test_nothing_is_wrong_with_a_bundled_strategy(name: str) -> None:
    for one in command.check(target.find(name, ()), (), USUAL, 1):
        here = one.state is State.OK or (
            one.state is State.UNKNOWN and "its source is not here" in one.text
        )
        assert here, one


@pytest.mark.kernel
@pytest.mark.parametrize("name", [name for name, one in KNOWN.items() if one.unreached])
def test_reasons_hold_on_a_kernel_as_well(name: str) -> None:
    found = lines.on_kernel(plugins.load(), KNOWN[name], "uml:6.1", 750, 1)
    assert found.state is State.OK, found
