// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channel between host and guest: a piece of memory that both have mapped.
 * The host puts the text of the workloads there before it boots the guest; the
 * guest appends JSON lines. Nothing here makes a system call, which on
 * User-mode Linux is what a workload mostly costs, and what was written is
 * there for the host to read whatever becomes of this kernel.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* difftest/backends/channel.py has the same layout. */
struct channel {
	char magic[8];
	uint64_t size;		/* of the whole */
	uint64_t input;		/* bytes of text behind this header */
	uint64_t first;		/* number of the first workload to play */
	uint64_t output;	/* where the lines begin */
	_Atomic uint64_t end;	/* where they end: grows line by line */
	char text[];
};

static struct channel *channel;
static size_t tail;		/* channel->end, and the line being written */

/* A User-mode Linux maps it by a driver of its own. */
static int open_mmapper(void)
{
	char name[64];
	int minor, found = -1;
	FILE *misc = fopen("/proc/misc", "r");

	while (misc && fscanf(misc, "%d %63s", &minor, name) == 2)
		if (!strcmp(name, "mmapper"))
			found = minor;
	if (misc)
		fclose(misc);
	if (found < 0 ||
	    mknod("/dev/channel", S_IFCHR | 0600, makedev(10, found)))
		return -1;
	return open("/dev/channel", O_RDWR);
}

/* Elsewhere it is memory that the kernel was told to leave alone. */
static int open_memory(void)
{
	if (mknod("/dev/mem", S_IFCHR | 0600, makedev(1, 1)))
		return -1;
	return open("/dev/mem", O_RDWR);
}

/* Parameters that a kernel does not know are the environment of PID 1. */
void channel_open(void)
{
	const char *address = getenv("channel");
	off_t start = address ? strtol(address, NULL, 0) : 0;
	int fd = address ? open_memory() : open_mmapper();
	struct channel *head = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd,
				    start);

	if (head == MAP_FAILED ||
	    memcmp(head->magic, "difftest", sizeof(head->magic)))
		exit(EXIT_NO_CHANNEL);
	channel = mmap(NULL, head->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       start);
	if (channel == MAP_FAILED)
		exit(EXIT_NO_CHANNEL);
	tail = channel->end;
	calls_init(fd);
}

char *channel_workloads(int *first)
{
	char *text = malloc(channel->input + 1);

	if (!text)
		die("no memory for %ld bytes of workloads",
		    (long)channel->input);
	memcpy(text, channel->text, channel->input);
	text[channel->input] = 0;
	*first = channel->first;
	return text;
}

static void append(const char *text, size_t length)
{
	if (tail + length > channel->size)
		power_off();	/* full: the host boots again from here */
	memcpy((char *)channel + tail, text, length);
	tail += length;
}

void out_str(const char *text)
{
	append(text, strlen(text));
}

void out_num(long number)
{
	char digits[24], *end = digits + sizeof(digits), *p = end;
	unsigned long rest = number;

	if (number < 0)
		rest = -rest;
	do {
		*--p = '0' + rest % 10;
		rest /= 10;
	} while (rest);
	if (number < 0)
		*--p = '-';
	append(p, end - p);
}

void out_line(void)
{
	append("\n", 1);
	channel->end = tail;
}

size_t out_mark(void)
{
	return tail;
}

void out_rewind(size_t mark)
{
	tail = mark;
	channel->end = tail;
}

void power_off(void)
{
	/* Some machines cannot; their process ends where they would boot again. */
	reboot(getenv("restart") ? RB_AUTOBOOT : RB_POWER_OFF);
	exit(EXIT_AGENT);
}

void die(const char *format, ...)
{
	char message[256];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	tail = channel->end;	/* drop the unfinished line */
	out_str("{\"error\":\"");
	out_str(message);
	out_str("\"}");
	out_line();
	power_off();
}
