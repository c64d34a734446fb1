// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults: the kernel is told by /proc/faults which of its calls are to fail.
 * It counts those that are made for pages of the workload's mappings alone, so
 * that what the agent fills for itself, the sources of copies, is none of them.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int number;
} error_name[] = {
	{ "0", 0 },
	{ "ENOMEM", ENOMEM },
	{ "EEXIST", EEXIST },
	{ "EFAULT", EFAULT },
};

static char text[MAX_FAULTS * 40];	/* a line for each fault */
static size_t length;
static int knobs = -1;			/* /proc/faults, while they are armed */
static size_t told;			/* faults that hit and are written out */

void fault_add(const char *site, long call, const char *error)
{
	size_t i;

	for (i = 0; i < sizeof(error_name) / sizeof(*error_name); i++)
		if (!strcmp(error, error_name[i].name))
			break;
	if (i == sizeof(error_name) / sizeof(*error_name))
		die("fault with error '%s'", error);
	length += snprintf(text + length, sizeof(text) - length, "%s %ld %d\n",
			   site, call, error_name[i].number);
	if (length >= sizeof(text))
		die("more than %d faults", MAX_FAULTS);
}

static void tell_kernel(unsigned long from, unsigned long to, const char *lines)
{
	static char all[sizeof(text) + 40];
	int size = snprintf(all, sizeof(all), "%lx %lx\n%s", from, to, lines);

	if (NOW(SYS_pwrite64, knobs, (long)all, size, 0) != size)
		die("/proc/faults does not take '%s'", all);
}

/* Called before every operation; the first one of a workload arms them. */
void fault_arm(void)
{
	unsigned long from, to;

	if (!length || knobs >= 0)
		return;
	knobs = NOW(SYS_open, (long)"/proc/faults", O_RDWR | O_CLOEXEC);
	if (knobs < 0)
		die("/proc/faults: %s", strerror(-knobs));
	world_range(&from, &to);
	told = 0;
	tell_kernel(from, to, text);
}

/* Write out the faults that hit since the last line, as a field of this one. */
void fault_tell(void)
{
	char hits[MAX_FAULTS];
	long count, i;

	if (knobs < 0)
		return;
	count = NOW(SYS_pread64, knobs, (long)hits + told, sizeof(hits) - told,
		    told);
	if (count < 0)
		die("/proc/faults: %s", strerror(-count));
	if (!count)
		return;
	out_str(",\"hits\":[");
	for (i = 0; i < count; i++) {
		if (i)
			out_str(",");
		out_num(hits[told + i] - '0');
	}
	out_str("]");
	told += count;
}

/* Called when the last operation of a workload has returned. */
void fault_reset(void)
{
	if (knobs >= 0) {
		tell_kernel(0, 0, "");
		NOW(SYS_close, knobs);
	}
	knobs = -1;
	length = 0;
	text[0] = 0;
}
