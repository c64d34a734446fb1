# SPDX-License-Identifier: GPL-2.0-only
"""A boot that is over: what the agent wrote, what the console says, and what that comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from difftest.backends import console
from difftest.backends.transcript import Garbage, Transcript
from difftest.outcome import Ending, Outcome

if TYPE_CHECKING:
    from difftest.backends.console import Complaint


@dataclass(frozen=True, slots=True)
class Boot:
    """`status` is the guest's exit status, `silence` the seconds after which it was given up."""

    transcript: Transcript
    garbage: str
    console: str
    complaint: Complaint | None
    status: int
    silence: float

    @classmethod
    def of(
        cls,
        transcript: Transcript,
        lines: list[bytes],
        text: str,
        complaint: Complaint | None,
        status: int,
        silence: float,
    ) -> Self:
        """Read the lines that the agent wrote into `transcript`."""
        garbage = ""
        try:
            transcript.read(lines)
        except Garbage as error:
            garbage = str(error)
        return cls(transcript, garbage, text, complaint, status, silence)

    @property
    def never_came_up(self) -> bool:
        return not self.transcript.booted

    @property
    def finished(self) -> bool:
        """Whether every workload that was begun has an outcome of its own."""
        full = self.status == 0 and self.transcript.outcomes and not self.transcript.trace
        quiet = not (self.silence or self.garbage or self.transcript.error or self.complaint)
        return not self.garbage and (self.transcript.complete or bool(full and quiet))

    @property
    def is_riddle(self) -> bool:
        """Whether the guest never came up, or vanished without a word: it may have been the rig."""
        return self.never_came_up or (not self.finished and self.unfinished().ending is Ending.LOST)

    def unfinished(self) -> Outcome:
        """Return the outcome of the workload in which the guest ended, or of all if none began."""
        ending, cause = self._cause()
        if self.never_came_up:
            return Outcome(Ending.NO_BOOT, (), f"the kernel never came up: {cause}")
        trace = tuple(self.transcript.trace)
        return Outcome(ending, trace, cause, hits=self._untold_hits())

    def _untold_hits(self) -> tuple[int, ...]:
        """Return the faults that hit in the unfinished workload after the agent's last line."""
        told = sum(len(one.hits) for one in self.transcript.trace)
        return console.hits(self.console)[told:]

    def _cause(self) -> tuple[Ending, str]:
        """What the kernel says of itself comes first: it may have taken the agent with it."""
        if self.complaint:
            return self.complaint.ending, self.complaint.title
        if self.silence:
            return Ending.HUNG, f"no sign of life for {self.silence:.0f} s"
        if self.garbage:
            return Ending.AGENT_FAILED, self.garbage
        if self.transcript.error:
            return Ending.AGENT_FAILED, f"guest agent: {self.transcript.error}"
        words = self.console.strip().splitlines()
        last = f", last words: {words[-1]}" if words else ""
        return Ending.LOST, f"the guest vanished with status {self.status}{last}"
