// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starts a self-test of the kernel's own, which is /test, in a guest: PID 1
 * makes what a system that runs it would have, waits for its end, and tells its
 * exit status on the console.
 *
 * Arguments: how many the test has, then those.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* Nothing here is random: without this, getrandom() would wait for ever. */
static void seed_random_numbers(void)
{
	struct {
		struct rand_pool_info info;
		char bytes[64];
	} seed = { .info = { .entropy_count = 512, .buf_size = 64 } };
	int fd;

	mknod("/dev/random", S_IFCHR | 0666, makedev(1, 8));
	fd = open("/dev/random", O_WRONLY);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed))
		perror("/dev/random");
}

static void mount_at(const char *place, const char *type)
{
	mkdir(place, 0755);
	if (mount(type, place, type, 0, NULL))
		perror(place);
}

/*
 * What a kernel may lack: what it says of huge pages, and some of them: two
 * areas of 32 MiB, and a few to spare.
 */
static void huge_pages(void)
{
	int fd;

	mkdir("/sys", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
	if (fd >= 0 && write(fd, "40", 2) != 2)
		perror("nr_hugepages");
}

int main(int argc, char **argv)
{
	int status, count = argc > 1 ? atoi(argv[1]) : -1;
	pid_t test = -1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	mount_at("/proc", "proc");
	mount_at("/tmp", "tmpfs");
	mount_at("/dev/shm", "tmpfs");
	seed_random_numbers();
	huge_pages();
	if (count >= 0 && count + 2 <= argc)
		test = fork();
	if (!test) {
		argv[1] = "test";
		argv[count + 2] = NULL;
		execv("/test", argv + 1);
		perror("/test");
		exit(127);
	}
	/* A test that was not run has no end to tell. */
	if (test > 0 && waitpid(test, &status, 0) == test)
		printf("{\"exit\":%d,\"signal\":%d}\n", WEXITSTATUS(status),
		       WTERMSIG(status));
	reboot(getenv("restart") ? RB_AUTOBOOT : RB_POWER_OFF);
}
