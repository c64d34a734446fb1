// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies in flight, and the deterministic window. A descriptor of its own
 * watches the source of each: a UFFDIO_COPY whose source page is missing stops
 * there with no lock held, and stays there until this side resolves it.
 *
 * What a huge page is copied from is 2 MiB, of which the first 4096 bytes are
 * watched and the last ones have the same tag; the page of zeros is mapped
 * between, so that it takes no memory, and never stops a copy.
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
#define HUGE_BASE 0x38000000UL
#define HUGE_ARENA (MAX_COPY * HPAGE)	/* for one copy, then for the next */

struct flight {
	int watch;			/* the source's userfaultfd, -1: closed */
	char *arena;
	int slots;			/* that this workload used */
	bool torn;			/* the arenas have holes, or are not watched */
	bool dropped;			/* the source is unmapped */
	char *staging;			/* resident: what the source is to hold */
	char *huge;			/* the other arena, NULL: none yet */
	char *source;
	size_t size;			/* of its pages, huge or not */
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
		if (f->torn)
			f->huge = NULL;
		f->torn = false;
		f->slots = 0;
	}
	begun = 0;
}

/* What is ever copied: no mapping has room for more. */
#define HUGE_SOURCE (MAX_HUGE * HPAGE)

static void touch(const char *page)
{
	(void)*(const volatile char *)page;
}

static void map_huge_arena(struct flight *f, char *arena)
{
	size_t i;

	if (mmap(arena, HUGE_ARENA, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		die("huge source arena: %s", strerror(errno));
	for (i = 0; i < HUGE_ARENA && f->watch >= 0; i += HPAGE)
		if (userfault_watch(f->watch, arena + i, PAGE))
			die("huge source arena: %s", strerror(errno));
	for (i = 0; i < HUGE_SOURCE; i += PAGE)
		if (i % HPAGE)
			touch(arena + i);
	f->huge = arena;
}

/* Empty the other arena for the next copy, or make it. */
static char *clear_huge_arena(struct flight *f)
{
	char *arena = (char *)HUGE_BASE + (f - flight) * HUGE_ARENA;
	size_t i;

	calls_make();
	if (!f->huge || f->torn)
		map_huge_arena(f, arena);
	for (i = 0; i < HUGE_SOURCE; i += HPAGE) {
		madvise(arena + i, PAGE, MADV_DONTNEED);
		madvise(arena + i + HPAGE - PAGE, PAGE, MADV_DONTNEED);
		touch(arena + i + HPAGE - PAGE);
	}
	return arena;
}

/* What a source page is to hold. */
static char *staged(struct flight *f, const char *page)
{
	return f->staging + (page - f->source) / f->size * PAGE;
}

/* Fill the last part of what a huge page is copied from. */
static void fill_end(struct flight *f, char *page)
{
	if (f->size != PAGE && !f->dropped)
		memcpy(page + f->size - PAGE, staged(f, page), PAGE);
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
		.src = (uintptr_t)staged(f, page),
		.len = pages * PAGE,
	};
	fill_end(f, page);
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
	f->source = f->size == PAGE ? f->arena + f->slots * SLOT :
				      clear_huge_arena(f);
	f->slots++;
	for (i = 0; i < pages; i++)
		fill_page(f->staging + shift + i * PAGE, tag_of(f->step, i));
	for (i = 0; i < count; i += run) {
		char *page = f->source + i * f->size;

		for (run = 1; i + run < count && letters[i + run] == letters[i];)
			run++;
		if (f->size != PAGE && i >= MAX_HUGE)
			break;
		if (f->size != PAGE)
			run = 1;
		if (letters[i] == 'R' && f->watch < 0) {
			memcpy(page, staged(f, page), run * PAGE);
			fill_end(f, page);
		} else if (letters[i] == 'R')
			resolve(f, &copy[i], page, run);
		if (letters[i] == 'U')
			punch_source(f, page, run);
	}
}

/* Start the copy, here if it cannot stop. True if it is in flight then. */
static bool start(struct flight *f, struct step *step, char *to, size_t size,
		  const char *letters, long shift, uint64_t mode)
{
	f->step = step;
	f->size = size;
	f->dropped = false;
	f->stops = 0;
	f->end = GO_ON;
	place_source(f, letters, shift);
	f->request = (struct uffdio_copy){
		.dst = (uintptr_t)to,
		.src = (uintptr_t)f->source + shift,
		.len = (strlen(letters) - (shift > 0)) * size,
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
		thread_kill(&f->thread);
		f->flying = false;
		f->request.copy = UNWRITTEN;
		f->ret = -EINTR;
		return;
	}
	wait_for(f);
}

long copy_play(struct step *step, char *to, size_t size, const char *letters,
	       long shift, uint64_t mode, int64_t *copied)
{
	struct flight *f = &flight[0];

	if (start(f, step, to, size, letters, shift, mode))
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

void copy_begin(struct step *step, char *to, size_t size,
		const char *letters)
{
	struct flight *f = &flight[++begun];

	if (begun > MAX_BEGINS)
		die("more than %d copies begun", MAX_BEGINS);
	if (start(f, step, to, size, letters, 0, 0))
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
	world_call(SYS_munmap,
		   ARGUMENTS((long)flight[0].source,
			     flight[0].size == PAGE ? SLOT : HUGE_ARENA));
	flight[0].torn = flight[0].dropped = true;
}

void copy_close_source(void)
{
	flight[0].end = CLOSE;
}

void copy_kill(void)
{
	flight[0].end = KILL;
}
