# SPDX-License-Identifier: GPL-2.0-only
"""The command line as it is called: in this process, or where that matters in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NamedTuple
from unittest.mock import patch

from click.testing import CliRunner

from difftest import cli


class Called(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


#: What is printed is as wide as this.
WIDTH = {"COLUMNS": "100"}


def difftest(*arguments: object, stdin: str = "", columns: int = 100) -> Called:
    """Do here what the installed program does; to import all of it anew takes half a second."""
    words = ["difftest", *map(str, arguments)]
    width = {"COLUMNS": str(columns)}
    with (
        CliRunner().isolation(input=stdin, env=width) as (stdout, stderr, _),
        patch.object(sys, "argv", words),
    ):
        try:
            cli.main()
        except SystemExit as end:
            status = end.code
        said = stdout.getvalue().decode(), stderr.getvalue().decode()
    assert isinstance(status, int)
    return Called(status, *said)


def process(*arguments: object, **environment: str) -> Called:
    """Do it in a process of its own, which sees this environment besides."""
    done = subprocess.run(
        [sys.executable, "-m", "difftest", *map(str, arguments)],
        capture_output=True, text=True, check=False, env=os.environ | WIDTH | environment,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return Called(done.returncode, done.stdout, done.stderr)
