# SPDX-License-Identifier: GPL-2.0-only
"""Mails that carry patches: one, or an mbox of them, put into the order of their series."""

from __future__ import annotations

import email
import email.errors
import email.policy
import mailbox
import re
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from difftest.errors import PatchError, UsageError
from difftest.patching import touched_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from email.message import EmailMessage

#: What begins a mail in an mbox, as git and mail programs write it: it ends in a date. Any other
#: line that begins so is a sentence of somebody who forgot to quote it.
_BEGINS = re.compile(rb"From \S+.*\d\d:\d\d(?::\d\d)? .*\d{4}")
_SENTENCE = re.compile(rb"^(?=From (?!\S+.*\d\d:\d\d(?::\d\d)? .*\d{4}))", re.MULTILINE)

_REPLY = re.compile(r"(?:re|aw|antw|sv)(?:\[\d+\])?:", re.IGNORECASE)
_TAGS = re.compile(r"\s*((?:\[[^\]]*\]\s*)*)")
_VERSION = re.compile(r"\bv(\d{1,3})\b", re.IGNORECASE)
_NUMBER = re.compile(r"\b(\d{1,4})/(\d{1,4})\b")

#: What the parsers of the standard library raise for mails that somebody took pains over.
_UNREADABLE = (
    email.errors.MessageError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. `subject` is without its tags; of those, "[PATCH v2 1/3]", come the numbers.

    `number` is 0 and `total` 0 where the subject does not say them. `text` is all of its plain
    text, attachments included.
    """

    subject: str
    reply: bool
    version: int
    number: int | None
    total: int
    identity: str
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """Patches that belong together: the title of them all, those of each, and their texts."""

    title: str
    version: int
    identity: str
    subjects: tuple[str, ...]
    texts: tuple[str, ...]
    said: tuple[str, ...]


def read(content: bytes, name: str) -> Series | None:
    """Return the patches in a mail or an mbox, None if it is neither.

    Cover letters, replies and mails without a diff are left out. `name` is what messages call
    the input. Raises UsageError for what cannot be read as text, and for what is not one series.
    """
    try:
        mails = list(_mails(content.lstrip(b"\n"), name))
    except _UNREADABLE as error:
        raise UsageError(f"{name}: the mail cannot be read: {type(error).__name__}: {error}") from (
            error
        )
    return _series(mails, name) if mails else None


def _mails(content: bytes, name: str) -> Iterator[Mail]:
    if not _BEGINS.match(content):
        message = _parsed(content)
        if message["subject"] is not None:
            yield _mail(message, name)
        return
    with tempfile.NamedTemporaryFile(prefix="difftest-mbox-") as file:
        file.write(_SENTENCE.sub(b">", content))
        file.flush()
        box = mailbox.mbox(file.name, create=False)
        try:
            for key in box.iterkeys():
                yield _mail(_parsed(box.get_bytes(key)), name)
        finally:
            box.close()


def _parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def _mail(message: EmailMessage, name: str) -> Mail:
    whole = plain(str(message["subject"] or ""))
    reply = bool(_REPLY.match(whole))
    while match := _REPLY.match(whole):
        whole = whole[match.end() :].lstrip()
    match = _TAGS.match(whole)
    tags = match[1] if match else ""
    version, number = _VERSION.search(tags), _NUMBER.search(tags)
    return Mail(
        subject=whole[len(tags) :].strip() or whole,
        reply=reply,
        version=int(version[1]) if version else 1,
        number=int(number[1]) if number else None,
        total=int(number[2]) if number else 0,
        identity=plain(str(message["message-id"] or "")),
        text="\n".join(_texts(message, f"{name}: mail {whole!r}")),
    )


def _texts(message: EmailMessage, name: str) -> Iterator[str]:
    """Yield the plain text of a mail, part by part, without whatever it was wrapped into."""
    for part in message.walk():
        if part.get_content_maintype() != "text" or part.get_content_subtype() == "html":
            continue
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            continue
        declared = part.get_content_charset() or "us-ascii"
        charset = "utf-8" if declared == "us-ascii" else declared
        try:
            text = content.decode(charset)
        except (UnicodeDecodeError, LookupError) as error:
            raise UsageError(
                f"{name} cannot be read as {charset}: {error}: ask for the patch as UTF-8"
            ) from error
        yield text.replace("\r\n", "\n")


def plain(text: str) -> str:
    """Return words from outside in one line, with nothing in it that a terminal would obey."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:300]


def _has_diff(mail: Mail, name: str) -> bool:
    try:
        return bool(touched_files(mail.text, name))
    except PatchError:
        if "\n@@ -" in mail.text or "\nGIT binary patch" in mail.text:
            raise
        return False


def _series(mails: Sequence[Mail], name: str) -> Series:
    covers = [mail for mail in mails if mail.number == 0 and not mail.reply]
    patches, said = [], []
    for mail in mails:
        if mail.number == 0 and mail.total:
            continue
        if mail.reply and len(mails) > 1:
            said.append(f"{name}: a reply to {mail.subject!r} is left out")
        elif _has_diff(mail, f"{name}: mail {mail.subject!r}"):
            patches.append(mail)
    if not patches:
        raise UsageError(
            f"{name}: none of its {len(mails)} mails carries a patch: expected a unified diff, as "
            "text or as an attachment of type text"
        )
    if len(versions := sorted({mail.version for mail in patches})) > 1:
        found = ", ".join(f"v{version}" for version in versions)
        raise UsageError(
            f"{name}: it holds several versions of a series ({found}): keep the mails of one; "
            "several --patch compare versions with each other"
        )
    patches, more = _ordered(patches, name, alone=len(mails) == 1)
    subjects = tuple(mail.subject for mail in patches)
    first = covers[0] if covers else patches[0]
    title = first.subject if covers or len(patches) == 1 else "; ".join(subjects)
    return Series(
        title=title,
        version=versions[0],
        identity=first.identity,
        subjects=subjects,
        texts=tuple(mail.text for mail in patches),
        said=(*said, *more),
    )


def _ordered(patches: list[Mail], name: str, *, alone: bool) -> tuple[list[Mail], list[str]]:
    """Put patches into the order of their numbers, if all have one; else leave it as it is."""
    numbers = [mail.number for mail in patches if mail.number is not None]
    if len(numbers) < len(patches):
        return patches, []
    total = patches[0].total
    if alone and total > 1:
        return patches, [f"{name}: it is patch {numbers[0]} of {total}; the others are not in it"]
    if twice := sorted(one for one in set(numbers) if numbers.count(one) > 1):
        raise UsageError(
            f"{name}: it holds two patches {twice[0]}/{total}: expected one series, each once"
        )
    if missing := sorted({*range(1, total + 1)} - {*numbers}):
        raise UsageError(
            f"{name}: the series is not complete: of {total} patches it lacks "
            f"{', '.join(map(str, missing))}"
        )
    return sorted(patches, key=lambda mail: mail.number or 0), []
