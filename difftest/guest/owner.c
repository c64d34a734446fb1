// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds pages, on kernels that keep account of it: debugfs' page_owner.
 * On others there is no such file, and nothing here does anything.
 */
#include "agent.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* 4 GB; the guest has 256 MB, at addresses below 1 GB. */
#define PAGES (1UL << 20)
/* Of one workload. The host has room for more, and one stack tells most. */
#define MOST_LINES 16

static int owner = -1;
static unsigned char *noted;	/* a byte for each page frame */
static char entry[PAGE];

void owner_init(void)
{
	mkdir("/debug", 0700);
	if (mount("debugfs", "/debug", "debugfs", 0, NULL))
		return;
	owner = open("/debug/page_owner", O_RDONLY);
	noted = mmap(NULL, PAGES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (noted == MAP_FAILED)
		die("no memory for page owners");
}

/* Read the next allocated page; returns its frame number, 0 at the end. */
static unsigned long next_page(void)
{
	ssize_t length = read(owner, entry, sizeof(entry) - 1);
	const char *number;
	unsigned long frame;

	if (length <= 0)
		return 0;
	entry[length] = 0;
	number = strstr(entry, "\nPFN ");
	frame = number ? strtoul(number + 5, NULL, 0) : 0;
	if (!frame || frame >= PAGES)
		die("page_owner: page frame %ld", (long)frame);
	return frame;
}

/* Write the functions of a stack, the innermost first, one blank between. */
static void out_stack(void)
{
	char *line, *rest, *end;

	out_str("{\"owner\":\"");
	for (line = strtok_r(entry, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		end = strstr(line, "+0x");
		if (*line != ' ' || !end)
			continue;
		*end = 0;
		out_str(line + strspn(line, " "));
		out_str(" ");
	}
	out_str("\"}");
	out_line();
}

void owner_note(void)
{
	unsigned long frame;

	if (owner < 0)
		return;
	memset(noted, 0, PAGES);
	lseek(owner, 0, SEEK_SET);
	while ((frame = next_page()))
		noted[frame] = 1;
}

void owner_report(void)
{
	unsigned long frame;
	int lines = 0;

	if (owner < 0)
		return;
	lseek(owner, 0, SEEK_SET);
	while (lines < MOST_LINES && (frame = next_page()))
		if (!noted[frame]) {
			out_stack();
			lines++;
		}
}
