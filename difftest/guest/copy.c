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
			madvise(f->arena, f->slots * SLOT, MADV_DONTNEED);
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

	if (!f->huge || f->torn)
		map_huge_arena(f, arena);
	for (i = 0; i < HUGE_SOURCE; i += HPAGE) {
		madvise(arena + i, PAGE, MADV_DONTNEED);
		madvise(arena + i + HPAGE - PAGE, PAGE, MADV_DONTNEED);
		touch(arena + i + HPAGE - PAGE);
	}
	return arena;
}

/* Give source pages to whoever waits for them; for pages that are gone: wake. */
static void resolve(struct flight *f, char *page, int pages)
{
	char *staged = f->staging + (page - f->source) / f->size * PAGE;
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page,
		.src = (uintptr_t)staged,
		.len = pages * PAGE,
	};
	struct uffdio_range range = { copy.dst, copy.len };

	if (f->size != PAGE && !f->dropped)
		memcpy(page + f->size - PAGE, staged, PAGE);
	if (f->watch < 0)
		memcpy(page, staged, pages * PAGE);
	else if (ioctl(f->watch, UFFDIO_COPY, &copy) &&
		 ioctl(f->watch, UFFDIO_WAKE, &range))
		die("resolve source: %s", strerror(errno));
}

static void punch_source(struct flight *f, char *page, int pages)
{
	commit_lift();
	munmap(page, pages * PAGE);
	f->torn = true;
	commit_restore();
}

/*
 * Make the next source: a page for each letter, which is resident (R), missing
 * (M) or not mapped (U). The pages to copy begin `shift` bytes into it.
 */
static void place_source(struct flight *f, const char *letters, long shift)
{
	int count = strlen(letters), pages = count - (shift > 0), i, run;

	if (f->slots == MAX_COPIES || count > MAX_COPY)
		die("more than %d copies or %d pages", MAX_COPIES, MAX_COPY);
	f->source = f->size == PAGE ? f->arena + f->slots * SLOT :
				      clear_huge_arena(f);
	f->slots++;
	for (i = 0; i < pages; i++)
		fill_page(f->staging + shift + i * PAGE, tag_of(f->step, i));
	for (i = 0; i < count; i += run) {
		for (run = 1; i + run < count && letters[i + run] == letters[i];)
			run++;
		if (f->size != PAGE && i >= MAX_HUGE)
			break;
		if (f->size != PAGE)
			run = 1;
		if (letters[i] == 'R')
			resolve(f, f->source + i * f->size, run);
		if (letters[i] == 'U')
			punch_source(f, f->source + i * f->size, run);
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
		thread_call(&f->thread, SYS_ioctl, userfault_fd(), UFFDIO_COPY,
			    (long)&f->request);
	else
		f->thread.ret = userfault_ioctl(UFFDIO_COPY, &f->request);
	return f->flying;
}

/* Wait until it stops, or has returned: then it is not in flight any more. */
static void wait_for(struct flight *f)
{
	struct pollfd ready[2] = { { f->watch, POLLIN, 0 },
				   { f->thread.done, POLLIN, 0 } };
	struct uffd_msg message;

	if (poll(ready, 2, -1) < 0)
		die("poll: %s", strerror(errno));
	if (ready[1].revents) {
		thread_result(&f->thread);
		f->flying = false;
		return;
	}
	if (read(f->watch, &message, sizeof(message)) != sizeof(message))
		die("read userfaultfd: %s", strerror(errno));
	f->stopped = (char *)(uintptr_t)(message.arg.pagefault.address &
					 ~(PAGE - 1));
	f->stops++;
}

/* Let a copy go on from its stop, as its window says. */
static void go_on(struct flight *f)
{
	switch (f->end) {
	case GO_ON:
		resolve(f, f->stopped, 1);
		break;
	case CLOSE:
		close(f->watch);
		f->watch = -1;
		f->torn = true;
		break;
	case KILL:
		commit_lift();
		thread_kill(&f->thread);
		commit_restore();
		f->flying = false;
		f->request.copy = UNWRITTEN;
		f->thread.ret = -EINTR;
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
	return f->thread.ret;
}

static void tell(struct flight *f)
{
	if (f->flying)
		out_window(f->step, f->stops - 1);
	else
		out_step(f->step, f->thread.ret, f->request.copy);
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
	munmap(flight[0].source,
	       flight[0].size == PAGE ? SLOT : HUGE_ARENA);
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
