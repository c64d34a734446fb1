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
 * Nothing in it is what a fix can get wrong: that belongs to a workload.
 */
static char warm_up[] =
	"mount blocks=4\n"
	"file pages=4\n"
	"map file=0 offset=0 pages=4\n"
	"copy map=0 page=0 source=MR\n"
	"munmap_source\n"
	"zeropage map=0 page=1 pages=1\n"
	"write file=0 page=2 pages=1\n"
	"fill leave=0\n"
	"free pages=1\n"
	"punch file=0 page=0 pages=1\n"
	"truncate file=0 pages=1\n"
	"unregister map=0\n"
	"munmap map=0\n"
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
	world_init();
	userfault_init();
	workload_parse(warm_up, &workload);
	play(&workload, -1);
	for (number = 0; (text = workload_parse(text, &workload)); number++)
		if (number >= first)
			play(&workload, number);
	out_str("{\"end\":");
	out_num(number);
	out_str("}");
	out_line();
	power_off();
}
