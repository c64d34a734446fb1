# SPDX-License-Identifier: GPL-2.0-only
"""Patch files: read in every form in which lists and tools hand them out, or told what is wrong."""

from __future__ import annotations

import email.message
import email.policy
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import mailed
import pytest

from difftest import patchfile, patching
from difftest.errors import PatchError, UsageError

DIFF = "--- a/mm/shmem.c\n+++ b/mm/shmem.c\n@@ -1,3 +1,3 @@\n first\n-second\n+zweite\n third\n"
SUBJECT = "userfaultfd: release page in error path to avoid BUG_ON"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return mailed.repository(tmp_path / "repository")


def read(tmp_path: Path, content: str | bytes, name: str = "x.patch") -> patchfile.PatchFile:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return patchfile.read(path)


def applied(repository: Path, text: str, tmp_path: Path) -> str:
    """Return what mm/shmem.c comes to on the first commit."""
    tree = tmp_path / "tree"
    (tree / "mm").mkdir(parents=True)
    for name in ("mm/shmem.c", "mm/userfaultfd.c"):
        first = mailed.git(repository, "rev-list", "--max-parents=0", "HEAD").strip()
        (tree / name).write_text(mailed.git(repository, "show", f"{first}:{name}"))
    patching.apply(text, tree, "x")
    return (tree / "mm" / "shmem.c").read_text()


def series(repository: Path) -> None:
    """Two patches of one file, the second upon the lines of the first, then one of another."""
    mailed.edit(repository, "mm/shmem.c", "second", "zweite", "mm: say it in German\n")
    mailed.edit(repository, "mm/shmem.c", "zweite", "zwote", "mm: say it on the phone\n")
    mailed.edit(repository, "mm/userfaultfd.c", "line 3\n", "line drei\n", "uffd: in step\n")


def test_a_plain_diff_is_named_after_its_file(tmp_path: Path) -> None:
    found = read(tmp_path, f"Some words.\n{DIFF}", "my fix;1.patch")
    assert (found.name, found.text, found.said) == ("my_fix_1", DIFF, ())
    assert found.claim == "The patch in my fix;1.patch."


def test_a_mail_is_named_from_its_subject_which_is_its_claim(
    repository: Path, tmp_path: Path
) -> None:
    mailed.edit(repository, "mm/shmem.c", "second", "zweite", f"{SUBJECT}\n\nBecause.\n")
    found = read(tmp_path, mailed.mailed(repository, 1, "-v2"), "0001-any.patch")
    assert found.name == "userfaultfd_release_page_in_error_path_v2"
    assert found.claim == SUBJECT
    assert applied(repository, found.text, tmp_path).startswith("first\nzweite\n")
    assert "Because" not in found.text


@pytest.mark.parametrize("options", [(), ("--attach",), ("--inline",)], ids=str)
def test_an_encoded_subject_and_attachments_are_decoded(
    repository: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    mailed.edit(repository, "mm/shmem.c", "second", "zwölfte", "mm: Übung für später\n")
    text = mailed.mailed(repository, 1, *options)
    assert "=?UTF-8?q?" in text
    found = read(tmp_path, text)
    assert (found.name, found.claim) == ("mm_ubung_fur_spater", "mm: Übung für später")
    assert "zwölfte" in applied(repository, found.text, tmp_path)


@pytest.mark.parametrize("transfer", ["quoted-printable", "base64", "8bit"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_mail_from_a_mailbox_is_unwrapped(
    tmp_path: Path, transfer: str, charset: str, line_end: str
) -> None:
    mail = email.message.EmailMessage()
    mail["Subject"] = "[linux-mm] [RFC PATCH v3] mm: hold it " + "very " * 20 + "tight"
    mail["Message-ID"] = "<one@example.org>"
    mail.set_content(
        f"Words.\n\n{DIFF.replace('zweite', 'zwölfte')}", charset=charset, cte=transfer
    )
    mail.add_alternative(f"<pre>{DIFF}</pre>", subtype="html")
    content = mail.as_bytes(policy=email.policy.default.clone(linesep=line_end))
    found = read(tmp_path, content)
    assert found.name == "mm_hold_it_very_very_very_very_very_very_v3"
    assert found.claim.endswith("very tight")
    assert found.reference == "<one@example.org>"
    assert found.text == DIFF.replace("zweite", "zwölfte")


def test_a_series_is_one_patch_in_the_order_of_its_numbers(
    repository: Path, tmp_path: Path
) -> None:
    series(repository)
    text = mailed.mailed(repository, 3, "--cover-letter", "--cover-from-description=subject")
    text = text.replace("*** SUBJECT HERE ***", "mm: two steps")
    cover, *three = text.split("From ")[1:]
    shuffled = "".join(f"From {one}" for one in (three[2], three[0], cover, three[1]))
    found = read(tmp_path, shuffled, "thread.mbox")
    assert (found.name, found.claim) == ("mm_two_steps", "mm: two steps (3 patches)")
    assert applied(repository, found.text, tmp_path).startswith("first\nzwote\nthird\n")
    assert patching.touched_files(found.text, "x") == ("mm/shmem.c", "mm/userfaultfd.c")


def test_without_a_cover_letter_a_series_claims_what_each_of_its_patches_does(
    repository: Path, tmp_path: Path
) -> None:
    series(repository)
    found = read(tmp_path, mailed.mailed(repository, 2), "thread.mbox")
    assert found.claim == "mm: say it on the phone; uffd: in step (2 patches)"


def test_a_sentence_that_begins_with_from_does_not_end_a_mail(
    repository: Path, tmp_path: Path
) -> None:
    message = "mm: say it\n\nFrom here on it is German.\n"
    mailed.edit(repository, "mm/shmem.c", "second", "zweite", message)
    text = mailed.mailed(repository, 1)
    assert "\nFrom here" in text
    assert applied(repository, read(tmp_path, text).text, tmp_path).startswith("first\nzweite")


def test_replies_in_a_thread_are_left_out_and_told(repository: Path, tmp_path: Path) -> None:
    mailed.edit(repository, "mm/shmem.c", "second", "zweite", "mm: say it\n")
    text = mailed.mailed(repository, 1)
    reply = text.replace("Subject: [PATCH]", "Subject: Re: [PATCH]").replace("zweite", "dritte")
    found = read(tmp_path, text + reply, "thread.mbox")
    assert "dritte" not in found.text
    assert "a reply to 'mm: say it' is left out" in found.said[0]
    assert "dritte" in read(tmp_path, reply, "alone.eml").text


def test_one_patch_of_a_series_says_that_the_others_are_missing(
    repository: Path, tmp_path: Path
) -> None:
    series(repository)
    first = "From " + mailed.mailed(repository, 3).split("From ")[1]
    assert "it is patch 1 of 3" in read(tmp_path, first).said[0]


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ((0, 2), "of 3 patches it lacks 2"),
        ((0, 0, 1, 2), "it holds two patches 1/3"),
    ],
)
def test_a_series_that_is_not_whole_is_refused(
    repository: Path, tmp_path: Path, kept: tuple[int, ...], words: str
) -> None:
    series(repository)
    mails = [f"From {one}" for one in mailed.mailed(repository, 3).split("From ")[1:]]
    with pytest.raises(UsageError, match=words):
        read(tmp_path, "".join(mails[place] for place in kept), "thread.mbox")


def test_two_versions_of_a_series_in_one_mbox_are_refused(repository: Path, tmp_path: Path) -> None:
    mailed.edit(repository, "mm/shmem.c", "second", "zweite", "mm: say it\n")
    both = mailed.mailed(repository, 1) + mailed.mailed(repository, 1, "-v2")
    with pytest.raises(UsageError, match=r"several versions of a series \(v1, v2\)"):
        read(tmp_path, both)


def test_mails_without_a_patch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of its 1 mails carries a patch"):
        read(tmp_path, "From: me\nSubject: hello\n\nNice fix!\n")


def test_a_mail_whose_lines_were_wrapped_is_refused(tmp_path: Path) -> None:
    wrapped = DIFF.replace(" third\n", " thi\nrd\n").replace("-1,3 +1,3", "-1,9 +1,9")
    with pytest.raises(PatchError, match="mail 'x' is not a patch that can be read"):
        read(tmp_path, f"Subject: x\n\n{wrapped}")


def test_crlf_on_every_line_is_taken_as_lf_and_told(tmp_path: Path) -> None:
    found = read(tmp_path, DIFF.replace("\n", "\r\n"))
    assert found.text == DIFF
    assert "its lines end in CRLF, which is taken as LF" in found.said[0]


def test_carriage_returns_on_some_lines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the first is line 6\).*dos2unix"):
        read(tmp_path, DIFF.replace("+zweite\n", "+zweite\r\n"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (DIFF.replace("zweite", "zwölfte").encode("latin-1"), "line 6.*0xf6 is not UTF-8.*iconv"),
        (DIFF.encode("utf-16"), "it is UTF-16"),
        (DIFF.replace("zweite", "zwei\0te").encode(), "line 6 has a NUL byte"),
        (b"\x1f\x8b\x08 whatever", "it is compressed"),
        (b"", "the file is empty"),
        (b"Subject: x\nContent-Type: text/plain; charset=klingon\n\nword\n", "read as klingon"),
        (b"Subject: x\n\n" + DIFF.replace("zweite", "\xf6").encode("latin-1"), "read as utf-8"),
    ],
)
def test_what_is_no_utf8_text_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        read(tmp_path, content)
    assert "x.patch" in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_a_patch(tmp_path: Path) -> None:
    assert read(tmp_path, DIFF.encode("utf-8-sig")).text == DIFF


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(DIFF.encode())))
    found = patchfile.read(Path("-"))
    assert (found.name, found.claim) == ("stdin", "The patch on standard input.")


def test_a_subject_cannot_write_to_a_terminal(tmp_path: Path) -> None:
    found = read(tmp_path, f"Subject: =?utf-8?q?red_=1b[31m_=0a_page?=\n\n{DIFF}")
    assert found.claim == "red [31m page"
    assert found.name == "red_31m_page"


@pytest.mark.parametrize("subject", ["", "[PATCH]", "修复", "../../etc"])
def test_a_name_is_safe_whatever_the_subject(tmp_path: Path, subject: str) -> None:
    name = read(tmp_path, f"Subject: {subject}\n\n{DIFF}").name
    assert name
    assert all(one.isascii() and (one.isalnum() or one == "_") for one in name)
