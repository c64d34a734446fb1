# SPDX-License-Identifier: GPL-2.0-only
"""How large a workload may be. The guest agent's `agent.h` holds the same numbers."""

PAGE_SIZE = 4096
MAX_FILES = 4
"""Files of a workload, memfds among them."""
MAX_MAPS = 4
MAX_PAGES = 16
"""Pages of a file or of a mapping."""
MAX_COPY = 8
"""Pages of one UFFDIO_COPY."""
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
