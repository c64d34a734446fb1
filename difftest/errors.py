# SPDX-License-Identifier: GPL-2.0-only
"""Everything that can go wrong outside the code under test, one tree.

A kernel that breaks is a result, never one of these. Each docstring says what
to do next; each message names the input, what was expected and the way on.
"""


class DifftestError(Exception):
    """Any of the below. The command line prints it and exits with 2."""


class UsageError(DifftestError):
    """An argument or a file is wrong: correct it as the message says."""


class PatchError(UsageError):
    """A patch does not apply: refresh it against the tree that the message names."""


class PluginError(DifftestError):
    """A plugin cannot be loaded or breaks its contract: mend it, or use `--no-plugin`."""


class StoreError(DifftestError):
    """A stored run cannot be read or written: the message says which, and what is left."""


class ToolchainError(DifftestError):
    """A program, package or permission is missing: `difftest doctor` says how to install it."""


class BuildError(DifftestError):
    """A kernel does not compile: the message has the compiler's words and the patches in it."""


class RigError(DifftestError):
    """The machinery around the kernel failed, which says nothing about any fix: try again."""
