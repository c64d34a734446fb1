# SPDX-License-Identifier: GPL-2.0-only
"""Artefacts: what leaves one cache is what arrives in the other, or nothing does."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from difftest.errors import PatchError, RigError
from difftest.kernels import artefacts, cache

if TYPE_CHECKING:
    from difftest.kernels.artefacts import Artefact

ASKED = artefacts.request("kernel", "6.1", "uml", "a patch")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "_known", {})
    monkeypatch.setattr(artefacts, "_given_only", False)
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path / "here"))


@pytest.fixture
def sent() -> Artefact:
    """Make a kernel in this machine's cache, and pack it."""
    with cache.workdir("kernel") as work:
        made = work / "made"
        made.mkdir()
        (made / "linux").write_bytes(os.urandom(5000))
        (made / "linux").chmod(0o755)
        cache.note(made, series="6.1", labels=[])
        cache.publish(made, "kernels", "1234abcd")
    artefacts.note(ASKED, ("kernels", "1234abcd"))
    return artefacts.packed(ASKED)


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Become a worker of another machine, with an empty cache."""
    there = Path(os.environ["DIFFTEST_CACHE"]).with_name("there")
    monkeypatch.setenv("DIFFTEST_CACHE", str(there))
    monkeypatch.setattr(artefacts, "_known", {})
    artefacts.take_only({ASKED: ("kernels", "1234abcd")})
    return there


def test_what_is_lacking_is_asked_for_and_arrives_whole(
    sent: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    had = (cache.root() / "kernels" / "1234abcd" / "linux").read_bytes()
    there = elsewhere(monkeypatch)
    with pytest.raises(artefacts.LackingError) as error:
        artefacts.given(ASKED)
    assert error.value.request == ASKED
    artefacts.keep(sent)
    artefacts.keep(sent)  # another thread of the same machine asked as well
    place = artefacts.given(ASKED)
    assert place == there / "kernels" / "1234abcd"
    assert (place / "linux").read_bytes() == had
    assert os.access(place / "linux", os.X_OK)
    assert cache.info(place)["series"] == "6.1"


def test_a_machine_that_builds_for_itself_is_given_nothing(sent: Artefact) -> None:
    assert sent.kind == "kernels"
    assert artefacts.given(ASKED) is None


def test_other_patches_are_another_request() -> None:
    assert artefacts.request("kernel", "a", "bc") != artefacts.request("kernel", "ab", "c")


def test_what_could_not_be_built_is_the_same_error_there(monkeypatch: pytest.MonkeyPatch) -> None:
    artefacts.note(ASKED, PatchError("does not apply"))
    known = artefacts.made()
    elsewhere(monkeypatch)
    artefacts.take_only(known)
    with pytest.raises(PatchError, match="does not apply"):
        artefacts.given(ASKED)


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_what_arrives_damaged_is_not_kept(
    sent: Artefact, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    there = elsewhere(monkeypatch)
    data = sent.data[:-1] + (bytes([sent.data[-1] ^ 1]) if damage == "flip" else b"")
    with pytest.raises(RigError, match=r"kernels/1234abcd arrived with SHA-256 .* was sent with"):
        artefacts.keep(sent._replace(data=data))
    assert not (there / "kernels").exists()


@pytest.mark.parametrize(
    "change",
    [{"kind": "trees"}, {"kind": ".."}, {"name": "../x"}, {"name": ""}],
    ids=str,
)
def test_nothing_is_put_anywhere_else(
    sent: Artefact, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    elsewhere(monkeypatch)
    with pytest.raises(RigError, match="is no place in a cache"):
        artefacts.keep(sent._replace(**change))


def test_a_file_that_would_be_elsewhere_is_refused(
    sent: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = elsewhere(monkeypatch)
    files = [{"name": "../../escaped", "mode": 0o644, "data": b"x"}]
    data = zlib.compress(msgspec.msgpack.encode(files))
    forged = sent._replace(data=data, sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(RigError, match="which is no file's name"):
        artefacts.keep(forged)
    assert not list(there.rglob("escaped"))
    assert not (there / "kernels" / "1234abcd").exists()


def test_what_was_not_made_here_is_not_made_up() -> None:
    with pytest.raises(RigError, match="which was not made here"):
        artefacts.packed(ASKED)
