# SPDX-License-Identifier: GPL-2.0-only
"""A culprit: who allocated, freed or touched what went wrong, by the stacks a kernel tells."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The innermost functions say what was done, the next ones who did it; then come the same callers
#: every time.
_MOST_FRAMES = 6

#: What begins a stack on a console. Of two that begin alike, the first counts: KASAN tells its own
#: before page_owner's, and the panic comes last.
_HEADS = (
    (re.compile(r"Allocated by task|page last allocated via"), "allocated by"),
    (re.compile(r"Freed by task|page last free .*stack trace"), "freed by"),
    (re.compile(r"Call Trace:"), "seen in"),
)

#: " [<60035a50>] put_page+0x10/0x20"; an address that no frame pointer leads to has a "? ".
_FRAME = re.compile(r"^(?:\[ *[\d.]+\])? *(?:\[<\w+>\])? *(\? )?(\w[\w.]*)\+0x\w+/0x\w+")

#: Debugging itself, and the page allocator: at the inner end of every stack.
_MACHINERY = re.compile(
    r"dump_|show_stack|panic|_*warn|print_|_*asan_|_*kasan|check_|end_report|"
    r"stack_trace_save|save_stack|_*(?:re)?set_page_owner|post_alloc_hook|prep_new_page|"
    r"get_page_from_freelist|_*alloc_pages|_*folio_alloc|_*free_pages|free_pcp|free_unref|"
    r"_*free_one_page|_printk|_raw_spin|_*lock_acquire|_*lock_release"
)

#: Nothing beyond these tells more.
_ENTRY = re.compile(r"userfaultfd_ioctl|sys_|_*x64_sys_|handle_syscall|do_syscall")

#: What UML complains of itself while it forks, on every boot of a kernel with lockdep.
_OWN_COMPLAINT = "lockdep_rcu_suspicious"

#: Stacks that allocate for keeping account, not for a workload.
_ACCOUNTING = ("stack_depot", "allocate_slab", "new_slab", "kasan")


def of_pages(stacks: Iterable[str]) -> str:
    """Say who allocated pages that nobody freed; `stacks` are functions, the innermost first."""
    told = [stack for stack in stacks if not any(word in stack for word in _ACCOUNTING)]
    count = Counter(_path(stack.split()) for stack in told)
    return "; ".join(
        f"{number} left {'page' if number == 1 else 'pages'} allocated by {path}"
        for path, number in count.items()
    )


def of_console(text: str) -> str:
    """Say what the stacks on a console tell, "" if there is none."""
    stacks: list[tuple[str, list[str]]] = []
    reading: list[str] = []
    for line in text.splitlines():
        head = next((words for pattern, words in _HEADS if pattern.search(line)), None)
        if head:
            reading = []
            stacks.append((head, reading))
        elif (frame := _FRAME.match(line)) is None:
            reading = []
        elif not frame[1]:
            reading.append(frame[2])
    told: dict[str, str] = {}
    for head, stack in stacks:
        if stack and not any(name.startswith(_OWN_COMPLAINT) for name in stack):
            told.setdefault(head, _path(stack))
    return "; ".join(f"{head} {path}" for head, path in told.items())


def _path(stack: list[str]) -> str:
    """Return the functions that tell something: `shmem_alloc_page < shmem_mfill_atomic_pte`."""
    first = next((i for i, name in enumerate(stack) if not _MACHINERY.match(name)), 0)
    last = next((i for i, name in enumerate(stack) if _ENTRY.match(name)), len(stack))
    return " < ".join(stack[first : max(last, first + 1)][:_MOST_FRAMES])
