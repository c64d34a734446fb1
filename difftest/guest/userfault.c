// SPDX-License-Identifier: GPL-2.0-only
/* Userfaultfds; above all that which watches the destinations. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int destination = -1;
static struct thread remover;
static bool removing;		/* the remover waits until its event is read */

int userfault_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd;

	calls_make();		/* what they close is free for this one */
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		die("userfaultfd: %s", strerror(errno));
	return fd;
}

/* Watch memory for missing pages. Returns 0 or a negative errno. */
long userfault_watch(int fd, void *start, size_t length)
{
	struct uffdio_register range = {
		.range = { (uintptr_t)start, length },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ioctl(fd, UFFDIO_REGISTER, &range) ? -errno : 0;
}

void userfault_init(void)
{
	thread_init(&remover);
	userfault_reset();
}

/* Called before the first workload and after each. */
void userfault_reset(void)
{
	if (destination < 0)
		destination = userfault_open(UFFD_FEATURE_EVENT_REMOVE);
}

int userfault_fd(void)
{
	return destination;
}

long userfault_ioctl(unsigned long request, void *argument)
{
	return world_call(SYS_ioctl, ARGUMENTS(destination, request,
					       (long)argument));
}

/* Queue the registration of memory that is mapped; `range` is for that. */
struct call *userfault_register(struct uffdio_register *range, void *start,
				size_t length)
{
	*range = (struct uffdio_register){
		.range = { (uintptr_t)start, length },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	return LATER(SYS_ioctl, destination, UFFDIO_REGISTER, (long)range);
}

long userfault_unregister(void *start, size_t length)
{
	struct uffdio_range range = { (uintptr_t)start, length };

	return userfault_ioctl(UFFDIO_UNREGISTER, &range);
}

long userfault_zeropage(void *start, size_t length, int64_t *zeropage)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)start, length },
		.zeropage = UNWRITTEN,
	};
	long ret = userfault_ioctl(UFFDIO_ZEROPAGE, &zero);

	*zeropage = zero.zeropage;
	return ret;
}

long userfault_continue(void *start, size_t length, int64_t *mapped)
{
	struct uffdio_continue map = {
		.range = { (uintptr_t)start, length },
		.mapped = UNWRITTEN,
	};
	long ret = userfault_ioctl(UFFDIO_CONTINUE, &map);

	*mapped = map.mapped;
	return ret;
}

/*
 * Returns 0 if the removal waits for its event, else what madvise() returns.
 * Nothing happens when nobody could read the event.
 */
long userfault_remove_begin(void *start, size_t length)
{
	struct pollfd ready[2] = { { destination, POLLIN, 0 },
				   { remover.done, POLLIN, 0 } };

	if (removing || destination < 0)
		return 0;
	thread_call(&remover, SYS_madvise,
		    ARGUMENTS((long)start, length, MADV_DONTNEED));
	if (NOW(SYS_poll, (long)ready, 2, -1) < 0)
		die("poll");
	if (ready[1].revents) {
		thread_done(&remover);
		world_look();
		calls_make();
		return remover.call[1].ret;
	}
	removing = true;
	return 0;
}

long userfault_remove_end(void)
{
	struct uffd_msg message;

	if (!removing)
		return 0;
	MUST("read userfaultfd", sizeof(message), SYS_read, destination,
	     (long)&message, sizeof(message));
	thread_done(&remover);
	world_look();
	calls_make();
	if (message.event != UFFD_EVENT_REMOVE)
		die("read userfaultfd: event %d", message.event);
	removing = false;
	return remover.call[1].ret;
}

long userfault_close(void)
{
	long ret;

	userfault_remove_end();
	ret = world_call(SYS_close, ARGUMENTS(destination));
	if (!ret)
		destination = -1;
	return ret;
}
