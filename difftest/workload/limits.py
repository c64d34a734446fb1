# SPDX-License-Identifier: GPL-2.0-only
"""How large a workload may be. The guest agent's `agent.h` holds the same numbers."""

PAGE_SIZE = 4096
MAX_FILES = 4
"""Files of a workload, memfds among them."""
MAX_MAPS = 4
MAX_PAGES = 16
"""Pages of a file or of a mapping, if they are not huge."""
HPAGE_SIZE = 2 << 20
"""Bytes of a huge page."""
MAX_HUGE = 2
"""Huge pages of a mapping."""
POOL = 8
"""Huge pages that there are in all: enough for MAX_MAPS such mappings."""
MAX_COPY = 8
"""Pages of one UFFDIO_COPY, huge or not."""
MAX_BLOCKS = 64
"""Blocks of the mount, 4096 bytes each."""
MAX_STEPS = 64
"""Lines of a workload's text form."""
MAX_COPIES = 16
"""UFFDIO_COPY operations of one workload: each has source pages of its own."""
MAX_BEGINS = 3
"""Copies of one workload that may be in flight together, each in a thread of its own."""
MAX_FAULTS = 4
"""Faults of one workload."""
MAX_CALL = 99
"""The last call of a site that can be made to fail: a workload makes fewer."""
