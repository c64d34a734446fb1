// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls, several in one where the kernel can do that: a User-mode
 * Linux with our platform patch, to which the channel's descriptor leads. A
 * call costs there what ten of them do inside. Elsewhere they are made one by
 * one; nobody else need know.
 */
#include "agent.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define MOST 48
#define TOGETHER 0xd1ff00UL	/* in the patch of mmapper_kern.c, too */

static struct call queue[MOST];
static struct {
	long expected;
	const char *what;	/* NULL: anything may come of it */
} check[MOST];
static int count;
static int device = -1;

static long raw(const struct call *call)
{
	register long four __asm__("r10") = call->argument[3];
	register long five __asm__("r8") = call->argument[4];
	register long six __asm__("r9") = call->argument[5];
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(call->number), "D"(call->argument[0]),
			   "S"(call->argument[1]), "d"(call->argument[2]),
			   "r"(four), "r"(five), "r"(six)
			 : "rcx", "r11", "memory");
	return ret;
}

/* Make them one by one, up to one that stops; returns how many are left. */
static int one_by_one(struct call *call, int n)
{
	for (; n; n--, call++) {
		call->ret = raw(call);
		if (call->stop && call->ret < 0)
			break;
	}
	return n;
}

/*
 * Make `n` calls, in order, up to one that fails and has `stop` set. Returns
 * how many were not made, that one included. Threads use it: it leaves errno
 * alone.
 */
int calls_together(struct call *call, int n)
{
	struct call all = {
		.number = SYS_ioctl,
		.argument = { device, TOGETHER | n, (long)call },
	};

	return device < 0 ? one_by_one(call, n) : (int)raw(&all);
}

/* `fd`: what the channel was mapped by. Any kernel can be asked. */
void calls_init(int fd)
{
	device = fd;
	if (calls_together(NULL, 0))
		device = -1;
}

/* Queue a call. What it was is there to be read until the next one is queued. */
struct call *call_later(long number, const long *argument)
{
	struct call *call = &queue[count];

	if (count == MOST)
		die("more than %d calls", MOST);
	check[count++].what = NULL;
	call->number = number;
	memcpy(call->argument, argument, sizeof(call->argument));
	call->stop = 0;
	return call;
}

/* Let a queued call be one that must return this. `what` it does, for die(). */
void call_must(struct call *call, const char *what, long expected)
{
	call->stop = 1;
	check[call - queue].what = what;
	check[call - queue].expected = expected;
}

/* Make the calls that are queued; returns as calls_together(). */
int calls_make(void)
{
	int n = count, left, i;

	if (!n)
		return 0;
	count = 0;
	left = calls_together(queue, n);
	if (left < 0)
		die("%d calls together: %s", n, strerror(-left));
	for (i = 0; i < n; i++) {
		if (check[i].what && queue[i].ret != check[i].expected)
			die("%s: %s", check[i].what,
			    queue[i].ret < 0 ? strerror(-queue[i].ret) :
					       "not as expected");
		if (i == n - left)
			break;
	}
	return left;
}

/* Make a call, and before it those that are queued. */
long call_now(long number, const long *argument)
{
	struct call *call = call_later(number, argument);

	calls_make();
	return call->ret;
}
