// SPDX-License-Identifier: GPL-2.0-only
/* The pool of huge pages, and the memory that takes the rest of it. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILLER_BASE 0x28000000UL

static int meminfo;
static long filler_pages;
static struct pool before;	/* this workload */

void pool_init(void)
{
	meminfo = open("/proc/meminfo", O_RDONLY);
	if (meminfo < 0)
		die("/proc/meminfo: %s", strerror(errno));
}

/* One that was taken from more often than given to is below zero. */
static long line_of(const char *text, const char *name)
{
	const char *found = strstr(text, name);

	return found ? (long)strtoul(found + strlen(name), NULL, 10) : 0;
}

static struct pool look(void)
{
	static char text[8192];
	long length = NOW(SYS_pread64, meminfo, (long)text, sizeof(text) - 1, 0);
	long pages;

	if (length <= 0)
		die("/proc/meminfo: %s", strerror(-length));
	text[length] = 0;
	pages = line_of(text, "HugePages_Total:");
	return (struct pool){ pages - line_of(text, "HugePages_Free:"),
			      line_of(text, "HugePages_Rsvd:"), pages };
}

bool pool_exists(void)
{
	return look().pages > 0;
}

/* Called before a workload, and once nothing of it is left. */
void pool_note(void)
{
	before = look();
	filler_pages = 0;
}

/* What is in use that was not before the workload. */
struct pool pool_used(void)
{
	struct pool now = look();

	now.taken -= before.taken;
	now.reserved -= before.reserved;
	return now;
}

/* Reserve what is available, but for some; nothing is touched. */
long pool_fill(long leave)
{
	struct pool now = look();
	long pages = now.pages - now.taken - now.reserved - leave;
	char *place = (char *)FILLER_BASE + filler_pages * HPAGE;

	if (pages <= 0)
		return 0;
	MUST("huge filler", (long)place, SYS_mmap, (long)place, pages * HPAGE,
	     PROT_READ | PROT_WRITE,
	     MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0);
	filler_pages += pages;
	return 0;
}

void pool_empty(void)
{
	if (filler_pages)
		LATER(SYS_munmap, FILLER_BASE, filler_pages * HPAGE);
}

/* Replace what a workload left taken or reserved, so that it can be played again. */
void pool_refill(void)
{
	struct pool used = pool_used();

	if (used.taken + used.reserved > 0)
		sysctl_vm("nr_hugepages",
			  used.pages + used.taken + used.reserved);
}
