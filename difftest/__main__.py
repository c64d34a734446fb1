# SPDX-License-Identifier: GPL-2.0-only
"""`python -m difftest` is `difftest`."""

from difftest.cli import main

if __name__ == "__main__":
    main()
