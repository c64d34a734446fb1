// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bare loop, what the guest agent is measured against: the system calls
 * that difftest/guest makes, and nothing else. No text is parsed, nothing that
 * is read is looked at, no page is tagged, no line is written but the last: how
 * long it all took. Without OBSERVE it also leaves out the calls that only
 * look: then it is what a test would cost that judges nothing.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* As in world.c and userfault.c. */
#define MAP_BASE 0x20000000UL
#define MAP_STRIDE ((MAX_PAGES + 2) * PAGE)
#define SOURCE_BASE 0x30000000UL
#define SOURCE_STRIDE ((MAX_COPY + 1) * PAGE)
#define SOURCE_LENGTH (16 * SOURCE_STRIDE)

typedef void (*run)(void);

static int a, b, go, done;
static struct uffdio_copy request;
static long request_errno;
static char *staging, *buffer, *source;
static int slots;
static bool arena_torn;
static int root, filler, files, maps, fds[MAX_FILES];
static long filler_pages, pages_of[MAX_MAPS];
static long right;

static void must(bool good, const char *what)
{
	if (!good)
		die("%s: %s", what, strerror(errno));
}

#ifdef OBSERVE
static int pagemap, vmstat, meminfo;

static void observe_used(void)
{
	struct statfs fs;

	must(!fstatfs(root, &fs), "fstatfs");
}

static void observe_state(void)
{
	static uint64_t entry[MAX_MAPS * (MAX_PAGES + 2)];
	static unsigned char cached[MAX_FILES * MAX_PAGES];
	char *probe = (char *)MAP_BASE + MAX_MAPS * MAP_STRIDE;
	struct stat st;
	int i;

	for (i = 0; i < files; i++)
		must(mmap(probe + i * MAX_PAGES * PAGE, MAX_PAGES * PAGE,
			  PROT_NONE, MAP_SHARED | MAP_FIXED, fds[i],
			  0) != MAP_FAILED, "probe");
	must(!mincore(probe, files * MAX_PAGES * PAGE, cached), "mincore");
	must(pread(pagemap, entry, maps * MAP_STRIDE / PAGE * sizeof(*entry),
		   MAP_BASE / PAGE * sizeof(*entry)) > 0, "pagemap");
	for (i = 0; i < files; i++)
		must(!fstat(fds[i], &st) &&
			     pread(fds[i], buffer, MAX_PAGES * PAGE, 0) >= 0,
		     "file");
	must(filler < 0 || !fstat(filler, &st), "filler");
}

static void observe_end(void)
{
	static char text[8192];

	must(pread(vmstat, text, sizeof(text), 0) > 0, "/proc/vmstat");
	must(pread(meminfo, text, sizeof(text), 0) > 0, "/proc/meminfo");
}
#else
static void observe_used(void)
{
}

static void observe_state(void)
{
}

static void observe_end(void)
{
}
#endif

/* That the loop does the same is shown by the results of its calls. */
static void expect(long expected, long ret)
{
	right += ret == expected;
	observe_used();
}

static long result(long value)
{
	return value < 0 ? -errno : value;
}

static char *address(int map)
{
	return (char *)MAP_BASE + map * MAP_STRIDE;
}

static int open_file(void)
{
	int fd = open("/m", O_TMPFILE | O_RDWR, 0600);

	must(fd >= 0, "file");
	return fd;
}

static long register_missing(int fd, void *start, size_t length)
{
	struct uffdio_register range = {
		.range = { (uintptr_t)start, length },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ioctl(fd, UFFDIO_REGISTER, &range);
}

static void map_arena(void)
{
	must(mmap((void *)SOURCE_BASE, SOURCE_LENGTH, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		  0) != MAP_FAILED, "arena");
	must(!register_missing(b, (void *)SOURCE_BASE, SOURCE_LENGTH), "arena");
}

static void begin(int blocks)
{
	char options[32];

	snprintf(options, sizeof(options), "size=%dk", blocks * 4);
	must(!mount("tmpfs", "/m", "tmpfs", 0, options), "mount");
	root = open("/m", O_RDONLY | O_DIRECTORY);
	must(root >= 0, "/m");
	filler = -1;
	filler_pages = files = maps = 0;
}

static void file(int pages)
{
	fds[files] = open_file();
	must(!ftruncate(fds[files++], pages * PAGE), "ftruncate");
}

static void map(int file, int offset, int pages)
{
	must(mmap(address(maps), pages * PAGE, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_FIXED, fds[file],
		  offset * PAGE) != MAP_FAILED, "map");
	must(!register_missing(a, address(maps), pages * PAGE), "register");
	pages_of[maps++] = pages;
}

static void end(void)
{
	observe_state();
	close_range(root + 1, ~0U, 0);
	munmap((void *)MAP_BASE,
	       MAX_MAPS * MAP_STRIDE + MAX_FILES * MAX_PAGES * PAGE);
	if (arena_torn)
		map_arena();
	else if (slots)
		madvise((void *)SOURCE_BASE, slots * SOURCE_STRIDE,
			MADV_DONTNEED);
	arena_torn = false;
	slots = 0;
	observe_used();
	close(root);
	must(!umount2("/m", 0), "umount");
	observe_end();
}

static long write_pages(int fd, int page, int pages)
{
	return result(pwrite(fd, buffer, pages * PAGE, page * PAGE));
}

static inline long op_write(int file, int page, int pages)
{
	return write_pages(fds[file], page, pages);
}

static int the_filler(void)
{
	if (filler < 0)
		filler = open_file();
	return filler;
}

static inline long op_fill(int pages)
{
	long ret = write_pages(the_filler(), filler_pages, pages);

	if (ret > 0)
		filler_pages += ret / PAGE;
	return ret;
}

static inline long op_free(int pages)
{
	filler_pages = filler_pages > pages ? filler_pages - pages : 0;
	return result(ftruncate(the_filler(), filler_pages * PAGE));
}

static inline long op_truncate(int file, int pages)
{
	return result(ftruncate(fds[file], pages * PAGE));
}

static inline long op_punch(int file, int page, int pages)
{
	return result(fallocate(fds[file],
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				page * PAGE, pages * PAGE));
}

static inline long op_munmap(int map)
{
	return result(munmap(address(map), pages_of[map] * PAGE));
}

static inline long op_unregister(int map)
{
	struct uffdio_range range = { (uintptr_t)address(map),
				      pages_of[map] * PAGE };

	return result(ioctl(a, UFFDIO_UNREGISTER, &range));
}

static inline long op_munmap_source(void)
{
	arena_torn = true;
	return result(munmap(source, SOURCE_STRIDE));
}

static inline long op_zeropage(int map, int page, int pages)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)address(map) + page * PAGE,
			   pages * PAGE },
	};

	return result(ioctl(a, UFFDIO_ZEROPAGE, &zero));
}

static void *copier(void *unused)
{
	uint64_t one = 1;

	(void)unused;
	for (;;) {
		must(read(go, &one, sizeof(one)) == sizeof(one), "go");
		request_errno = ioctl(a, UFFDIO_COPY, &request) ? errno : 0;
		must(write(done, &one, sizeof(one)) == sizeof(one), "done");
	}
	return NULL;
}

static void resolve(char *page, int pages)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page,
		.src = (uintptr_t)staging,
		.len = pages * PAGE,
	};
	struct uffdio_range range = { copy.dst, copy.len };

	if (ioctl(b, UFFDIO_COPY, &copy))
		must(!ioctl(b, UFFDIO_WAKE, &range), "wake");
}

static void watch(int windows, const run *window)
{
	struct pollfd ready[2] = { { b, POLLIN, 0 }, { done, POLLIN, 0 } };
	struct uffd_msg message;
	uint64_t one = 1;
	int i = 0;

	must(write(go, &one, sizeof(one)) == sizeof(one), "go");
	for (;;) {
		must(poll(ready, 2, -1) > 0, "poll");
		if (ready[1].revents)
			break;
		must(read(b, &message, sizeof(message)) == sizeof(message),
		     "read userfaultfd");
		observe_used();
		if (i < windows)
			window[i++]();
		resolve((char *)(uintptr_t)(message.arg.pagefault.address &
					    ~(PAGE - 1)), 1);
	}
	must(read(done, &one, sizeof(one)) == sizeof(one), "done");
}

static long op_copy(int map, int page, const char *text, int windows,
		    const run *window)
{
	int i, length, pages = strlen(text);

	source = (char *)SOURCE_BASE + slots++ * SOURCE_STRIDE;
	for (i = 0; i < pages; i += length) {
		for (length = 1; text[i + length] == text[i];)
			length++;
		if (text[i] == 'R')
			resolve(source + i * PAGE, length);
	}
	request = (struct uffdio_copy){
		.dst = (uintptr_t)address(map) + page * PAGE,
		.src = (uintptr_t)source,
		.len = pages * PAGE,
	};
	if (strchr(text, 'M'))
		watch(windows, window);
	else
		request_errno = ioctl(a, UFFDIO_COPY, &request) ? errno : 0;
	return -request_errno;
}

#include "workloads.inc"	/* by bare.py: CALLS, w0() to wN(), workloads[] */

static int open_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	must(fd >= 0 && !ioctl(fd, UFFDIO_API, &api), "userfaultfd");
	return fd;
}

static void *pages(long count)
{
	void *memory = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	must(memory != MAP_FAILED, "memory");
	return memory;
}

static long nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

int main(void)
{
	pthread_t thread;
	size_t i;
	long began;

	mkdir("/proc", 0555);
	must(!mount("proc", "/proc", "proc", 0, NULL), "/proc");
	channel_open();
	mkdir("/m", 0700);
#ifdef OBSERVE
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	vmstat = open("/proc/vmstat", O_RDONLY);
	meminfo = open("/proc/meminfo", O_RDONLY);
#endif
	staging = pages(MAX_COPY);
	buffer = pages(MAX_BLOCKS);
	a = open_userfaultfd();
	b = open_userfaultfd();
	go = eventfd(0, EFD_CLOEXEC);
	done = eventfd(0, EFD_CLOEXEC);
	map_arena();
	must(!pthread_create(&thread, NULL, copier, NULL), "pthread_create");
	workloads[0]();		/* the agent has its warm-up, too */
	right = 0;
	began = nanoseconds();
	for (i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		workloads[i]();
	began = nanoseconds() - began;
	out_str("{\"ns\":");
	out_num(began);
	out_str(",\"wrong\":");
	out_num(CALLS - right);
	out_str("}");
	out_line();
	power_off();
}
