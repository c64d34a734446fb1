# SPDX-License-Identifier: GPL-2.0-only
"""Whether KVM is used: with programs in place of QEMU and of kernels, so nothing is booted.

They run outside of the sandbox, which would not see them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from difftest import kernels, sandbox
from difftest.backends import kvm, qemu

#: Writes what an agent without workloads writes; with KVM it may do something else instead.
FAKE = """\
#!{python}
import os, re, struct, sys, time
if "--version" in sys.argv:
    sys.exit(print("QEMU emulator version 7.2.0 (a fake)"))
command = " ".join(sys.argv)
if "kvm" in sys.argv:
    {with_kvm}
fd = os.open(re.search("mem-path=([^,]*)", command)[1], os.O_RDWR)
start = int(re.search("channel=(0x[0-9a-f]+)", command)[1], 16)
(end,) = struct.unpack("=Q", os.pread(fd, 8, start + 40))
text = b'{{"files":[],"filler":{{"size":0,"blocks":0}},"maps":[]}}\\n'
text += b'{{"left":0,"held":0,"done":-1}}\\n{{"end":0}}\\n'
os.pwrite(fd, text, start + end)
os.pwrite(fd, struct.pack("=Q", end + len(text)), start + 40)
"""


@pytest.fixture(autouse=True)
def _device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(kvm, "DEVICE", device)
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path / "cache"))


def platform(with_kvm: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what qemu:6.1 runs on, where QEMU does `with_kvm` when it is to use KVM."""
    program, linux = folder / "qemu", folder / "linux"
    program.write_text(FAKE.format(python=sys.executable, with_kvm=with_kvm), encoding="utf-8")
    program.chmod(0o755)
    linux.touch()
    monkeypatch.setattr(qemu, "PROGRAM", str(program))
    monkeypatch.setattr(sandbox, "missing", lambda: "which would not see it")
    monkeypatch.setattr(qemu, "PROBE_SILENCE", 1.0)
    monkeypatch.setattr(qemu, "agent", lambda: linux)
    kernel = kernels.Kernel("6.1", "digest", linux, Path("/bin/true"))
    monkeypatch.setattr(kernels, "build", lambda *_: kernel)
    qemu._version.cache_clear()
    try:
        return qemu.QemuBackend(kernels.SERIES["6.1"]).platform()
    finally:
        qemu._version.cache_clear()


@pytest.mark.parametrize(
    ("with_kvm", "expected"),
    [
        ("pass", "QEMU 7.2.0 with KVM"),
        ("time.sleep(600)", "QEMU 7.2.0 without KVM"),
        ("os.abort()", "QEMU 7.2.0 without KVM"),
        ("sys.exit(1)", "QEMU 7.2.0 without KVM"),
    ],
    ids=["works", "hangs", "aborts", "refuses"],
)
def test_kvm_is_used_where_a_guest_comes_to_its_end(
    with_kvm: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert platform(with_kvm, tmp_path, monkeypatch).startswith(f"{expected}, ")


def test_what_was_found_holds_for_all_processes_until_the_machine_boots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "with KVM" in platform("pass", tmp_path, monkeypatch)
    assert "with KVM" in platform("sys.exit(1)", tmp_path, monkeypatch)
    assert not kvm.works("another version", lambda: False)
    assert not kvm.works("another version", lambda: True)


def test_nothing_is_tried_without_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm, "DEVICE", Path("/no/such/device"))
    assert not kvm.works("7.2.0", lambda: pytest.fail("was tried"))
