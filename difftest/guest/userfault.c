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
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		die("userfaultfd: %s", strerror(errno));
	return fd;
}

static long watch(int fd, void *start, size_t length, uint64_t mode)
{
	struct uffdio_register range = {
		.range = { (uintptr_t)start, length },
		.mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &range) ? -errno : 0;
}

/* Watch memory for missing pages. Returns 0 or a negative errno. */
long userfault_watch(int fd, void *start, size_t length)
{
	return watch(fd, start, length, UFFDIO_REGISTER_MODE_MISSING);
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
	return ioctl(destination, request, argument) ? -errno : 0;
}

long userfault_register(void *start, size_t length)
{
	return userfault_watch(destination, start, length);
}

long userfault_register_wp(void *start, size_t length)
{
	return watch(destination, start, length,
		     UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
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
				   { 0, POLLIN, 0 } };

	if (removing || destination < 0)
		return 0;
	thread_call(&remover, SYS_madvise, (long)start, length, MADV_DONTNEED);
	ready[1].fd = remover.done;
	if (poll(ready, 2, -1) < 0)
		die("poll: %s", strerror(errno));
	if (ready[1].revents)
		return thread_result(&remover);
	removing = true;
	return 0;
}

long userfault_remove_end(void)
{
	struct uffd_msg message;

	if (!removing)
		return 0;
	if (read(destination, &message, sizeof(message)) != sizeof(message) ||
	    message.event != UFFD_EVENT_REMOVE)
		die("read userfaultfd: %s", strerror(errno));
	removing = false;
	return thread_result(&remover);
}

long userfault_close(void)
{
	userfault_remove_end();
	if (close(destination))
		return -errno;
	destination = -1;
	return 0;
}
