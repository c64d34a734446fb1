// SPDX-License-Identifier: GPL-2.0-only
/*
 * The deterministic window. Descriptor A watches destinations. Descriptor B
 * watches the source arena: a UFFDIO_COPY on A whose source page is missing
 * stops on B with no lock held, and stays there until this side resolves it.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOURCE_BASE 0x30000000UL
#define SOURCE_STRIDE ((MAX_COPY + 1) * PAGE)
#define SOURCES 16
#define SOURCE_LENGTH (SOURCES * SOURCE_STRIDE)
#define COPY_UNWRITTEN INT64_MIN

static int a, b;
static int go, done;
static struct uffdio_copy request;
static int request_errno;

static char *staging;		/* resident pages that resolve faults on B */
static char *source;		/* the slot of the copy in flight */
static int slots;
static bool arena_torn;

static int open_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		die("userfaultfd: %s", strerror(errno));
	return fd;
}

static int register_missing(int fd, void *start, size_t length)
{
	struct uffdio_register range = {
		.range = { (uintptr_t)start, length },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ioctl(fd, UFFDIO_REGISTER, &range);
}

static void *copier(void *unused)
{
	uint64_t one = 1;

	(void)unused;
	for (;;) {
		if (read(go, &one, sizeof(one)) != sizeof(one))
			die("copier: %s", strerror(errno));
		request_errno = ioctl(a, UFFDIO_COPY, &request) ? errno : 0;
		if (write(done, &one, sizeof(one)) != sizeof(one))
			die("copier: %s", strerror(errno));
	}
	return NULL;
}

static void map_arena(void)
{
	if (mmap((void *)SOURCE_BASE, SOURCE_LENGTH, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ||
	    register_missing(b, (void *)SOURCE_BASE, SOURCE_LENGTH))
		die("source arena: %s", strerror(errno));
}

void userfault_init(void)
{
	pthread_t thread;

	a = open_userfaultfd();
	b = open_userfaultfd();
	go = eventfd(0, EFD_CLOEXEC);
	done = eventfd(0, EFD_CLOEXEC);
	staging = mmap(NULL, MAX_COPY * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (go < 0 || done < 0 || staging == MAP_FAILED)
		die("no memory");
	map_arena();
	if (pthread_create(&thread, NULL, copier, NULL))
		die("pthread_create: %s", strerror(errno));
}

/* Empty the source slots that the workload used. */
void userfault_reset(void)
{
	if (arena_torn)
		map_arena();
	else if (slots)
		madvise((void *)SOURCE_BASE, slots * SOURCE_STRIDE,
			MADV_DONTNEED);
	arena_torn = false;
	slots = 0;
}

int userfault_register(void *start, size_t length)
{
	return register_missing(a, start, length);
}

int userfault_unregister(void *start, size_t length)
{
	struct uffdio_range range = { (uintptr_t)start, length };

	return ioctl(a, UFFDIO_UNREGISTER, &range);
}

int userfault_zeropage(void *start, size_t length, int64_t *zeropage)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)start, length },
		.zeropage = COPY_UNWRITTEN,
	};
	int err = ioctl(a, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;

	*zeropage = zero.zeropage;
	return err;
}

/* Give the source page to whoever waits for it; a page that is gone: wake. */
static void resolve(char *page, int from, int pages)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page,
		.src = (uintptr_t)staging + from * PAGE,
		.len = pages * PAGE,
	};
	struct uffdio_range range = { copy.dst, copy.len };

	if (ioctl(b, UFFDIO_COPY, &copy) && ioctl(b, UFFDIO_WAKE, &range))
		die("resolve source: %s", strerror(errno));
}

void userfault_drop_source(void)
{
	munmap(source, SOURCE_STRIDE);
	arena_torn = true;
}

/* Play the windows of the copy that the other thread has in flight. */
static void watch(struct step *step)
{
	struct pollfd ready[2] = { { b, POLLIN, 0 }, { done, POLLIN, 0 } };
	int window = 0;
	uint64_t one;

	for (;;) {
		struct uffd_msg message;
		char *page;

		if (poll(ready, 2, -1) < 0)
			die("poll: %s", strerror(errno));
		if (ready[1].revents)
			break;
		if (read(b, &message, sizeof(message)) != sizeof(message))
			die("read userfaultfd: %s", strerror(errno));
		page = (char *)(uintptr_t)(message.arg.pagefault.address &
					   ~(PAGE - 1));
		play_window(step, window++);
		resolve(page, (page - source) / PAGE, 1);
	}
	if (read(done, &one, sizeof(one)) != sizeof(one))
		die("done: %s", strerror(errno));
}

/*
 * UFFDIO_COPY of `pages` to `to`; text[i] is 'M' where the source page is
 * missing, 'R' where it is resident. Returns 0 or a negative errno.
 */
int userfault_copy(struct step *step, char *to, int pages, const char *text,
		   int64_t *copy)
{
	int i, run, missing = 0;
	uint64_t one = 1;

	if (slots == SOURCES || pages > MAX_COPY)
		die("more than %d copies or %d pages", SOURCES, MAX_COPY);
	source = (char *)SOURCE_BASE + slots++ * SOURCE_STRIDE;
	for (i = 0; i < pages; i++)
		fill_page(staging + i * PAGE, tag_of(step, i));
	for (i = 0; i < pages; i += run) {
		for (run = 1; i + run < pages && text[i + run] == text[i];)
			run++;
		if (text[i] == 'R')
			resolve(source + i * PAGE, i, run);
		else
			missing += run;
	}
	request = (struct uffdio_copy){
		.dst = (uintptr_t)to,
		.src = (uintptr_t)source,
		.len = pages * PAGE,
		.copy = COPY_UNWRITTEN,
	};
	if (!missing) {
		request_errno = ioctl(a, UFFDIO_COPY, &request) ? errno : 0;
	} else {
		if (write(go, &one, sizeof(one)) != sizeof(one))
			die("go: %s", strerror(errno));
		watch(step);
	}
	*copy = request.copy;
	return -request_errno;
}
