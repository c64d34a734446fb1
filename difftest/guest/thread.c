// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that make one system call after another for the main one. Each is a
 * process that shares everything but the process: so one can be killed alone.
 * They share the C library's errno too, and therefore leave the library alone.
 */
#include "agent.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool died;

static long raw(long number, long one, long two, long three)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(number), "D"(one), "S"(two), "d"(three)
			 : "rcx", "r11", "memory");
	return ret;
}

static int run(void *argument)
{
	struct thread *thread = argument;
	uint64_t one = 1;

	while (raw(SYS_read, thread->go, (long)&one, sizeof(one)) ==
	       sizeof(one)) {
		thread->ret = raw(thread->number, thread->argument[0],
				  thread->argument[1], thread->argument[2]);
		raw(SYS_write, thread->done, (long)&one, sizeof(one));
	}
	return 1;
}

/* Opens descriptors, which have to be below those of any workload. */
void thread_init(struct thread *thread)
{
	thread->go = eventfd(0, EFD_CLOEXEC);
	thread->done = eventfd(0, EFD_CLOEXEC);
	if (thread->go < 0 || thread->done < 0)
		die("eventfd: %s", strerror(errno));
}

/* The first call starts the thread. */
void thread_call(struct thread *thread, long number, long one, long two,
		 long three)
{
	uint64_t count = 1;

	if (!thread->pid)
		thread->pid = clone(run, thread->stack + sizeof(thread->stack),
				    CLONE_VM | CLONE_FS | CLONE_FILES, thread);
	if (thread->pid < 0)
		die("clone: %s", strerror(errno));
	thread->number = number;
	thread->argument[0] = one;
	thread->argument[1] = two;
	thread->argument[2] = three;
	if (write(thread->go, &count, sizeof(count)) != sizeof(count))
		die("go: %s", strerror(errno));
}

/* Waits for the end of the call and returns its result, a negative errno. */
long thread_result(struct thread *thread)
{
	uint64_t count;

	if (read(thread->done, &count, sizeof(count)) != sizeof(count))
		die("done: %s", strerror(errno));
	return thread->ret;
}

void thread_kill(struct thread *thread)
{
	if (kill(thread->pid, SIGKILL) ||
	    waitpid(thread->pid, NULL, __WALL) != thread->pid)
		die("kill: %s", strerror(errno));
	thread->pid = 0;
	died = true;
}

/* Whether a thread or a child died since the last time that somebody asked. */
bool thread_died(void)
{
	bool ret = died;

	died = false;
	return ret;
}

static pid_t child[MAX_STEPS];
static int children;

/*
 * A child with an address space of its own, that does nothing. It shares the
 * open files: what is closed is closed for good.
 */
long child_fork(void)
{
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (!pid)
		for (;;)
			raw(SYS_pause, 0, 0, 0);
	if (pid < 0)
		return -errno;
	child[children++] = pid;
	return 0;
}

void child_reap(void)
{
	while (children) {
		kill(child[--children], SIGKILL);
		if (waitpid(child[children], NULL, 0) != child[children])
			die("wait: %s", strerror(errno));
		died = true;
	}
}
