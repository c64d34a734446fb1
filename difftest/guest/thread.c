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

static int run(void *argument)
{
	struct thread *thread = argument;

	while (!calls_together(thread->call, 3))
		;
	return 1;
}

/* Opens descriptors, which have to be below those of any workload. */
void thread_init(struct thread *thread)
{
	thread->go = eventfd(0, EFD_CLOEXEC);
	thread->done = eventfd(0, EFD_CLOEXEC);
	if (thread->go < 0 || thread->done < 0)
		die("eventfd: %s", strerror(errno));
	thread->count = 1;
	thread->call[0] = (struct call){
		.number = SYS_read,
		.argument = { thread->go, (long)&thread->count,
			      sizeof(thread->count) },
		.stop = 1,
	};
	thread->call[2] = (struct call){
		.number = SYS_write,
		.argument = { thread->done, (long)&thread->count,
			      sizeof(thread->count) },
	};
}

/* Queue what makes it go. The first call starts the thread. */
void thread_call(struct thread *thread, long number, const long *argument)
{
	static const uint64_t one = 1;

	if (!thread->pid) {
		calls_make();
		thread->pid = clone(run, thread->stack + sizeof(thread->stack),
				    CLONE_VM | CLONE_FS | CLONE_FILES, thread);
	}
	if (thread->pid < 0)
		die("clone: %s", strerror(errno));
	thread->call[1].number = number;
	memcpy(thread->call[1].argument, argument,
	       sizeof(thread->call[1].argument));
	MUST("go", sizeof(one), SYS_write, thread->go, (long)&one, sizeof(one));
}

/* Queue the end of the call: nothing waits for it any more. */
void thread_done(struct thread *thread)
{
	static uint64_t count;

	MUST("done", sizeof(count), SYS_read, thread->done, (long)&count,
	     sizeof(count));
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
			pause();
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
