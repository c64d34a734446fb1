// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limit of committed memory: vm.overcommit_memory=2. It is for what files
 * take, so it is lifted while mappings change, and moved by what they took.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int meminfo;
static char text[4096];
static bool limited;
static long limit;	/* in pages */
static long before;

void sysctl_vm(const char *name, long value)
{
	char path[64], digits[24];
	int length = snprintf(digits, sizeof(digits), "%ld", value);
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, digits, length) != length)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

void commit_init(void)
{
	meminfo = open("/proc/meminfo", O_RDONLY);
	if (meminfo < 0)
		die("/proc/meminfo: %s", strerror(errno));
}

/* To be made with whatever calls come next; then commit_seen() has it. */
void commit_look(void)
{
	memset(text, 0, sizeof(text));
	LATER(SYS_pread64, meminfo, (long)text, sizeof(text) - 1, 0);
}

/* Pages that the kernel has promised to somebody: Committed_AS. */
long commit_seen(void)
{
	const char *found = strstr(text, "Committed_AS:");

	if (!found)
		die("/proc/meminfo has no Committed_AS");
	return atol(found + strlen("Committed_AS:")) * 1024 / (long)PAGE;
}

static long committed(void)
{
	commit_look();
	calls_make();
	return commit_seen();
}

static void enforce(void)
{
	if (limit <= swap_pages())
		die("a limit of %ld pages, with %ld of swap", limit,
		    swap_pages());
	sysctl_vm("overcommit_kbytes",
		  (limit - swap_pages()) * (long)PAGE / 1024);
	sysctl_vm("overcommit_memory", 2);
}

void commit_limit(long leave)
{
	if (!limited) {
		sysctl_vm("user_reserve_kbytes", 0);
		sysctl_vm("admin_reserve_kbytes", 0);
	}
	limited = true;
	/* A charge succeeds if what is committed with it is below the limit. */
	limit = committed() + leave + 1;
	enforce();
}

void commit_lift(void)
{
	if (!limited)
		return;
	before = committed();
	sysctl_vm("overcommit_memory", 0);
}

void commit_restore(void)
{
	if (!limited)
		return;
	limit += committed() - before;
	enforce();
}

void commit_reset(void)
{
	if (limited)
		sysctl_vm("overcommit_memory", 0);
	limited = false;
}
