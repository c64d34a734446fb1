// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies in flight, and the deterministic window. A descriptor of its own
 * watches the source of each: a UFFDIO_COPY whose source page is missing stops
 * there with no lock held, and stays there until this side resolves it.
 *
 * Flight 0 makes the copies that are played to their end, one after another;
 * the others those that are begun, each one copy of a workload.
 */
#include "agent.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOURCE_BASE 0x30000000UL
#define SLOT ((MAX_COPY + 1) * PAGE)
#define ARENA (MAX_COPIES * SLOT)

struct flight {
	int watch;			/* the source's userfaultfd, -1: closed */
	char *arena;
	int slots;			/* that this workload used */
	bool torn;			/* the arena has holes, or is not watched */
	char *staging;			/* resident: what the source is to hold */
	char *source;
	struct step *step;
	struct uffdio_copy request;
	struct thread thread;
	long ret;			/* of the copy */
	bool flying;			/* and stopped, whenever we are here */
	char *stopped;			/* the source page that it waits for */
	int stops;
	enum { GO_ON, CLOSE, KILL } end;	/* what ends its window */
};

static struct flight flight[1 + MAX_BEGINS];
static int begun;

static void map_arena(struct flight *f)
{
	if (mmap(f->arena, ARENA, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		die("source arena: %s", strerror(errno));
	if (f->watch < 0)
		f->watch = userfault_open(0);
	if (userfault_watch(f->watch, f->arena, ARENA))
		die("source arena: %s", strerror(errno));
}

void copy_init(void)
{
	int i;

	for (i = 0; i <= MAX_BEGINS; i++) {
		struct flight *f = &flight[i];

		f->watch = -1;
		f->arena = (char *)SOURCE_BASE + i * ARENA;
		f->staging = mmap(NULL, MAX_COPY * PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
				  -1, 0);
		if (f->staging == MAP_FAILED)
			die("no memory");
		thread_init(&f->thread);
		map_arena(f);
	}
}

/* Empty the source slots that the workload used. */
void copy_reset(void)
{
	int i;

	for (i = 0; i <= MAX_BEGINS; i++) {
		struct flight *f = &flight[i];

		if (f->torn)
			map_arena(f);
		else if (f->slots)
			LATER(SYS_madvise, (long)f->arena, f->slots * SLOT,
			      MADV_DONTNEED);
		f->torn = false;
		f->slots = 0;
	}
	begun = 0;
}

/*
 * Queue what gives source pages to whoever waits for them. `copy` is for that.
 * It fails for pages that are gone, and what is queued behind it is not made.
 */
static void resolve(struct flight *f, struct uffdio_copy *copy, char *page,
		    int pages)
{
	*copy = (struct uffdio_copy){
		.dst = (uintptr_t)page,
		.src = (uintptr_t)f->staging + (page - f->source),
		.len = pages * PAGE,
	};
	LATER(SYS_ioctl, f->watch, UFFDIO_COPY, (long)copy)->stop = 1;
}

static void punch_source(struct flight *f, char *page, int pages)
{
	commit_lift();
	NOW(SYS_munmap, (long)page, pages * PAGE);
	f->torn = true;
	commit_restore();
}

/*
 * Make the next source: a page for each letter, which is resident (R), missing
 * (M) or not mapped (U). The pages to copy begin `shift` bytes into it.
 */
static void place_source(struct flight *f, const char *letters, long shift)
{
	static struct uffdio_copy copy[MAX_COPY];
	int count = strlen(letters), pages = count - (shift > 0), i, run;

	if (f->slots == MAX_COPIES || count > MAX_COPY)
		die("more than %d copies or %d pages", MAX_COPIES, MAX_COPY);
	f->source = f->arena + f->slots++ * SLOT;
	for (i = 0; i < pages; i++)
		fill_page(f->staging + shift + i * PAGE, tag_of(f->step, i));
	for (i = 0; i < count; i += run) {
		for (run = 1; i + run < count && letters[i + run] == letters[i];)
			run++;
		if (letters[i] == 'R' && f->watch < 0)
			memcpy(f->source + i * PAGE, f->staging + i * PAGE,
			       run * PAGE);
		else if (letters[i] == 'R')
			resolve(f, &copy[i], f->source + i * PAGE, run);
		if (letters[i] == 'U')
			punch_source(f, f->source + i * PAGE, run);
	}
}

/* Start the copy, here if it cannot stop. True if it is in flight then. */
static bool start(struct flight *f, struct step *step, char *to,
		  const char *letters, long shift, uint64_t mode)
{
	f->step = step;
	f->stops = 0;
	f->end = GO_ON;
	place_source(f, letters, shift);
	f->request = (struct uffdio_copy){
		.dst = (uintptr_t)to,
		.src = (uintptr_t)f->source + shift,
		.len = (strlen(letters) - (shift > 0)) * PAGE,
		.mode = mode,
		.copy = UNWRITTEN,
	};
	f->flying = f->watch >= 0 && strchr(letters, 'M');
	if (f->flying)
		thread_call(&f->thread, SYS_ioctl,
			    ARGUMENTS(userfault_fd(), UFFDIO_COPY,
				      (long)&f->request));
	else
		f->ret = userfault_ioctl(UFFDIO_COPY, &f->request);
	return f->flying;
}

/*
 * Let the copy run until it stops, or has returned: then it is not in flight
 * any more. What makes it run is queued.
 */
static void wait_for(struct flight *f)
{
	struct pollfd ready[2] = { { f->watch, POLLIN, 0 },
				   { f->thread.done, POLLIN, 0 } };
	struct uffdio_range gone = { (uintptr_t)f->stopped, PAGE };
	struct uffd_msg message;

	LATER(SYS_poll, (long)ready, 2, -1);
	if (calls_make()) {
		LATER(SYS_ioctl, f->watch, UFFDIO_WAKE, (long)&gone)->stop = 1;
		LATER(SYS_poll, (long)ready, 2, -1);
		if (calls_make())
			die("resolve source");
	}
	if (ready[1].revents) {
		thread_done(&f->thread);
		world_look();
		calls_make();
		f->ret = f->thread.call[1].ret;
		f->flying = false;
		return;
	}
	MUST("read userfaultfd", sizeof(message), SYS_read, f->watch,
	     (long)&message, sizeof(message));
	world_look();
	calls_make();
	f->stopped = (char *)(uintptr_t)(message.arg.pagefault.address &
					 ~(PAGE - 1));
	f->stops++;
}

/* Let a copy go on from its stop, as its window says. */
static void go_on(struct flight *f)
{
	struct uffdio_copy copy;

	switch (f->end) {
	case GO_ON:
		resolve(f, &copy, f->stopped, 1);
		break;
	case CLOSE:
		LATER(SYS_close, f->watch);
		f->watch = -1;
		f->torn = true;
		break;
	case KILL:
		commit_lift();
		thread_kill(&f->thread);
		commit_restore();
		f->flying = false;
		f->request.copy = UNWRITTEN;
		f->ret = -EINTR;
		return;
	}
	wait_for(f);
}

long copy_play(struct step *step, char *to, const char *letters, long shift,
	       uint64_t mode, int64_t *copied)
{
	struct flight *f = &flight[0];

	if (start(f, step, to, letters, shift, mode))
		wait_for(f);
	while (f->flying) {
		play_window(step, f->stops - 1);
		go_on(f);
	}
	*copied = f->request.copy;
	return f->ret;
}

static void tell(struct flight *f)
{
	if (f->flying)
		out_window(f->step, f->stops - 1);
	else
		out_step(f->step, f->ret, f->request.copy);
}

void copy_begin(struct step *step, char *to, const char *letters)
{
	struct flight *f = &flight[++begun];

	if (begun > MAX_BEGINS)
		die("more than %d copies begun", MAX_BEGINS);
	if (start(f, step, to, letters, 0, 0))
		wait_for(f);
	tell(f);
}

void copy_resume(long number)
{
	struct flight *f = &flight[1 + number];

	if (number < 0 || number >= begun || !f->flying)
		return;
	go_on(f);
	tell(f);
}

/* Resume what is in flight until it is through, the first one first. */
void copy_land(void)
{
	int number;

	for (number = 0; number < begun; number++)
		while (flight[1 + number].flying)
			copy_resume(number);
}

void copy_drop_source(void)
{
	world_call(SYS_munmap, ARGUMENTS((long)flight[0].source, SLOT));
	flight[0].torn = true;
}

void copy_close_source(void)
{
	flight[0].end = CLOSE;
}

void copy_kill(void)
{
	flight[0].end = KILL;
}
