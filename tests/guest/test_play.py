# SPDX-License-Identifier: GPL-2.0-only
"""The agent plays what drawn workloads seldom bring together, as the model says it must."""

from __future__ import annotations

import pytest

from difftest import kernels
from difftest.backends.model import ModelBackend
from difftest.backends.uml import UmlBackend
from difftest.outcome import Ending
from difftest.workload.codec import from_text
from strategies import STRATEGIES

pytestmark = pytest.mark.kernel

WORKLOADS = {
    "copies in flight end in text order, whatever their last resume": """\
mount blocks=4
file pages=4
map file=0 offset=0 pages=4
map_anonymous pages=2
map_shared_anonymous pages=2
begin map=0 page=0 source=MM
begin map=1 page=0 source=MM
begin map=2 page=0 source=MM
resume begin=2
copy map=0 page=2 source=MM
  window
    write file=0 page=3 pages=1
  window
    munmap_source
resume begin=1
munmap map=0
""",
    "a removal that nobody ends ends with the workload": """\
mount blocks=4
file pages=4
map file=0 offset=0 pages=4
begin map=0 page=0 source=MM
begin map=0 page=2 source=RM
remove_begin map=0 page=0 pages=3
resume begin=1
""",
    "a closed descriptor that a copy holds open makes no removal wait": """\
mount blocks=4
file pages=4
map file=0 offset=0 pages=4
begin map=0 page=0 source=MM
copy map=0 page=2 source=M
  window
    remove_begin map=0 page=0 pages=1
    close_destination
    remove_begin map=0 page=0 pages=1
remove_begin map=0 page=0 pages=2
resume begin=0
remap map=0 file=0 offset=0
""",
    "closed descriptors come back, also when files took their numbers": """\
mount blocks=8
file pages=4
map file=0 offset=0 pages=4
copy map=0 page=0 source=RM
  window
    close_source
close_destination
fill leave=1
fork
free pages=2
""",
    "the next workload has all its descriptors": """\
mount blocks=8
file pages=4
map file=0 offset=0 pages=4
copy map=0 page=0 source=MU
  window
    fill leave=2
copy map=0 page=2 source=MM
remove_begin map=0 page=2 pages=1
remove_end
""",
    "every copier is killed, with copies in flight beside it": """\
mount blocks=8
file pages=4
map file=0 offset=0 pages=4
begin map=0 page=3 source=M
copy map=0 page=0 source=RM
  window
    write file=0 page=2 pages=1
    kill_copier
copy_unaligned map=0 page=1 source=MM
  window
  window
    close_destination
    kill_copier
fork
""",
    "the limit of memory moves with mappings and processes": """\
mount blocks=8
file pages=4
memfd pages=2
map file=0 offset=0 pages=4
map_anonymous pages=4
map_shared_anonymous pages=4
overcommit leave=2
begin map=0 page=0 source=MM
copy map=0 page=2 source=UR
copy map=0 page=2 source=M
  window
    fork
    kill_copier
mprotect map=1 write=0
mremap map=2
munmap map=1
remap_anonymous map=1
remap_private map=2 file=1 offset=0
mlock map=0
write file=1 page=0 pages=2
close_destination
""",
    "what is in swap is there, and comes back": """\
mount blocks=8
file pages=6
memfd pages=2
map file=0 offset=0 pages=6
map_private file=1 offset=0 pages=2
map_anonymous pages=4
map_shared_anonymous pages=2
swapon
copy map=0 page=0 source=RRRRRR
copy map=1 page=0 source=RR
copy map=2 page=0 source=RRRR
copy map=3 page=0 source=RR
pageout map=0 page=0 pages=6
pageout map=1 page=0 pages=2
pageout map=2 page=0 pages=3
pageout map=3 page=0 pages=2
copy map=0 page=0 source=R
zeropage map=1 page=0 pages=1
copy map=2 page=2 source=R
copy map=3 page=1 source=M
  window
    continue map=0 page=1 pages=1
    write file=0 page=2 pages=1
    punch file=0 page=3 pages=1
truncate file=0 pages=5
remove_begin map=2 page=0 pages=1
remove_end
fork
mlock map=2
mremap map=1
fill leave=0
""",
    "the limit of memory stands where it stood when swap is on": """\
mount blocks=8
file pages=6
map file=0 offset=0 pages=6
overcommit leave=2
swapon
copy map=0 page=0 source=RRR
pageout map=0 page=0 pages=6
write file=0 page=0 pages=6
overcommit leave=1
write file=0 page=2 pages=3
""",
    "swap is off for the next workload": """\
mount blocks=8
file pages=4
map file=0 offset=0 pages=4
map_anonymous pages=4
copy map=0 page=0 source=RRRR
copy map=1 page=0 source=RRRR
pageout map=0 page=0 pages=4
pageout map=1 page=0 pages=4
overcommit leave=1
fill leave=1
""",
}


@pytest.mark.parametrize("series", kernels.SERIES)
def test_the_agent_plays_as_the_model_does(series: str) -> None:
    chain = [one for one in STRATEGIES if one.name == "release_page"]
    workloads = [from_text(text) for text in WORKLOADS.values()]
    model, kernel = ModelBackend(series), UmlBackend(kernels.SERIES[series])
    model.prepare(chain)
    kernel.prepare(chain)
    with model.runner(chain) as ours, kernel.runner(chain) as theirs:
        expected = dict(zip(WORKLOADS, ours.run(workloads), strict=True))
        seen = dict(zip(WORKLOADS, theirs.run(workloads), strict=True))
    for name, outcome in seen.items():
        assert outcome == expected[name], name
        assert outcome.ending is Ending.FINISHED, name
        assert (outcome.left, outcome.held) == (0, 0), name
