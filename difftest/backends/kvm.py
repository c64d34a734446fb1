# SPDX-License-Identifier: GPL-2.0-only
"""KVM: whether guests run with it here. That it is there does not mean so.

On a virtual machine, /dev/kvm may open and make guests that then hang for ever, or that QEMU gives
up. So one is tried.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from difftest.kernels import cache

if TYPE_CHECKING:
    from collections.abc import Callable

DEVICE = Path("/dev/kvm")


def usable() -> bool:
    """Say whether this user may open the device."""
    return os.access(DEVICE, os.R_OK | os.W_OK)


def works(program: str, tried: Callable[[], bool]) -> bool:
    """Say whether guests run with KVM; `program` stands for what runs them.

    `tried` boots one and says whether it came to its end. It is asked once for each boot of this
    machine: all processes of a run must come to the same answer.
    """
    if not usable():
        return False
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    key = f"{boot} {program}"
    file = cache.root() / "kvm.json"
    with cache.lock("kvm"):
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if key not in known:
            known = {key: tried()}
            new = file.with_suffix(".new")
            new.write_text(json.dumps(known), encoding="utf-8")
            new.replace(file)
    return bool(known[key])
