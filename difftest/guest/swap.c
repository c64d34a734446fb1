// SPDX-License-Identifier: GPL-2.0-only
/* Swap, on a disk in memory. It is on from a workload's wish for it to its end. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DISK "/ram0"
#define DISK_PAGES 256		/* CONFIG_BLK_DEV_RAM_SIZE; the first is the header */

/* What mkswap(8) writes, as far as the kernel reads it. */
struct header {
	char boot[1024];
	uint32_t version, last_page, bad_pages;
	char rest[PAGE - 1024 - 3 * sizeof(uint32_t) - 10];
	char magic[10];
};

static bool made, on;

/*
 * The disk gets all its memory at once, past the page cache, so that what is
 * swapped out is not held. It is read page by page: what is read ahead would
 * be in memory, and nobody had asked for it.
 */
static void make(void)
{
	size_t length = DISK_PAGES * PAGE;
	struct header *header = mmap(NULL, length, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd;

	if (header == MAP_FAILED)
		die("no memory");
	header->version = 1;
	header->last_page = DISK_PAGES - 1;
	memcpy(header->magic, "SWAPSPACE2", sizeof(header->magic));
	if (mknod(DISK, S_IFBLK | 0600, makedev(1, 0)))
		die("mknod %s: %s", DISK, strerror(errno));
	fd = open(DISK, O_WRONLY | O_DIRECT);
	if (fd < 0 || write(fd, header, length) != (ssize_t)length)
		die("%s: %s", DISK, strerror(errno));
	close(fd);
	munmap(header, length);
	sysctl_vm("page-cluster", 0);
	made = true;
}

void swap_on(void)
{
	if (on)
		return;
	if (!made)
		make();
	if (swapon(DISK, 0))
		die("swapon: %s", strerror(errno));
	on = true;
}

/* By how much the limit of committed memory is higher than what is set. */
long swap_pages(void)
{
	return on ? DISK_PAGES - 1 : 0;
}

/* Called when nothing is left in swap. */
void swap_off(void)
{
	if (on)
		MUST("swapoff", 0, SYS_swapoff, (long)DISK);
	on = false;
}
