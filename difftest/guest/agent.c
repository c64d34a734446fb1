// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest agent: PID 1 of a guest. Plays the workloads that the host put
 * into the channel, each in a fresh world, writes what it saw as JSON lines,
 * and powers off.
 */
#include "agent.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * Played once before the first: page tables, slabs and the pages behind them
 * then exist, so that pages_held() is the same before and after a workload.
 * Nothing in it is what a fix can get wrong (no copy to a shared file fails):
 * that belongs to a workload.
 */
static char warm_up[] =
	"mount blocks=6\n"
	"file pages=4\n"
	"memfd pages=1\n"
	"map file=0 offset=0 pages=4\n"
	"map_private file=1 offset=0 pages=1\n"
	"map_anonymous pages=1\n"
	"map_shared_anonymous pages=1\n"
	"begin map=1 page=0 source=M\n"
	"begin map=2 page=0 source=M\n"
	"begin map=3 page=0 source=M\n"
	"fork\n"
	"resume begin=0\n"
	"copy map=0 page=0 source=MR\n"
	"copy map=2 page=0 source=M\n"
	"  window\n"
	"    kill_copier\n"
	"copy_unaligned map=0 page=2 source=MR\n"
	"remove_begin map=0 page=0 pages=1\n"
	"remove_end\n"
	"continue map=0 page=0 pages=1\n"
	"zeropage map=0 page=3 pages=1\n"
	"write file=0 page=2 pages=1\n"
	"overcommit leave=4\n"
	"fill leave=0\n"
	"mlock map=0\n"
	"mprotect map=0 write=0\n"
	"pageout map=0 page=0 pages=1\n"
	"free pages=1\n"
	"punch file=0 page=0 pages=1\n"
	"truncate file=0 pages=1\n"
	"mremap map=0\n"
	"remap map=0 file=0 offset=0\n"
	"unregister map=0\n"
	"munmap map=0\n"
	"close_destination\n"
	"\n";

/* The same, where there are huge pages. */
static char warm_up_huge[] =
	"mount blocks=4\n"
	"file pages=4\n"
	"map file=0 offset=0 pages=4\n"
	"map_hugetlb pages=2\n"
	"map_hugetlb_noreserve pages=2\n"
	"begin map=1 page=0 source=M\n"
	"begin map=1 page=1 source=R\n"
	"begin map=2 page=0 source=M\n"
	"copy map=2 page=0 source=MR\n"
	"  window\n"
	"    munmap map=1\n"
	"register_wp map=2\n"
	"fill_hugetlb leave=3\n"
	"remap_hugetlb map=0 pages=2\n"
	"fork\n"
	"mremap map=2\n"
	"remove_begin map=2 page=0 pages=1\n"
	"remove_end\n"
	"remap map=2 file=0 offset=0\n"
	"\n";

int main(void)
{
	static struct workload workload;
	int first, number;
	char *text;

	mkdir("/proc", 0555);
	mount("proc", "/proc", "proc", 0, NULL);
	channel_open();
	text = channel_workloads(&first);
	owner_init();
	commit_init();
	pool_init();
	world_init();
	userfault_init();
	copy_init();
	workload_parse(warm_up, &workload);
	play(&workload, WARM_UP);
	if (pool_exists()) {
		size_t mark = out_mark();

		workload_parse(warm_up_huge, &workload);
		play(&workload, WARM_UP);
		out_rewind(mark);
	}
	for (number = 0; (text = workload_parse(text, &workload)); number++)
		if (number >= first)
			play(&workload, number);
	out_str("{\"end\":");
	out_num(number);
	out_str("}");
	out_line();
	power_off();
}
