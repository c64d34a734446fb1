/* SPDX-License-Identifier: GPL-2.0-only */
/* The nouns that the parts of the guest agent share. */
#ifndef DIFFTEST_AGENT_H
#define DIFFTEST_AGENT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/*
 * The layout that workload text refers to. The Python side holds the same
 * numbers in difftest/workload/limits.py; a test compares the two.
 */
#define PAGE 4096UL
#define MAX_FILES 4
#define MAX_MAPS 4
#define MAX_PAGES 16		/* pages of a file or a mapping */
#define HPAGE 2097152UL
#define MAX_HUGE 2		/* huge pages of a mapping */
#define MAX_COPY 8		/* pages of one UFFDIO_COPY, huge or not */
#define MAX_BLOCKS 64		/* blocks of the mount */
#define MAX_STEPS 64		/* steps of one workload, windows included */
#define MAX_COPIES 16		/* UFFDIO_COPYs of one workload */
#define MAX_BEGINS 3		/* copies in flight that were begun */
#define MAX_FAULTS 4
#define MAX_DEPTH 3

#define FIELDS 4

struct field {
	long number;
	const char *text;
};

struct step {
	const char *name;
	struct field field[FIELDS];
	int depth;		/* 0: top level, 1: window, 2: inside a window */
	int size;		/* this step and all below it */
	int ordinal;		/* among operations, in text order */
	char at[40];		/* "2" or "2.0.1" */
};

struct workload {
	int count;
	bool huge;		/* has to do with hugetlb memory */
	bool protects;		/* registers memory for write-protection */
	struct step step[MAX_STEPS];
};

/* workload.c: returns the text after the workload, NULL when there is none. */
char *workload_parse(char *text, struct workload *workload);

#define WARM_UP -1		/* the number of what is played before the first */

/* Exit statuses of PID 1, which the kernel names in its last words. */
#define EXIT_AGENT 3
#define EXIT_NO_CHANNEL 4

/* channel.c: the workloads come in, one JSON line at a time goes out. */
void channel_open(void);
char *channel_workloads(int *first);
void out_str(const char *text);
void out_num(long number);
void out_line(void);
size_t out_mark(void);
void out_rewind(size_t mark);
_Noreturn void power_off(void);
_Noreturn void die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/*
 * calls.c: system calls, several in one. Results are negative errnos. A call
 * that is made in another way (by the C library) comes before those that are
 * queued; whoever mixes the two calls calls_make() first.
 */
struct call {
	long number, argument[6];
	long stop;		/* if it fails, none behind it is made */
	long ret;
};

#define ARGUMENTS(...) ((const long[6]){ __VA_ARGS__ })
#define LATER(number, ...) call_later(number, ARGUMENTS(__VA_ARGS__))
#define NOW(number, ...) call_now(number, ARGUMENTS(__VA_ARGS__))
#define MUST(what, expected, number, ...) \
	call_must(LATER(number, __VA_ARGS__), what, expected)

void calls_init(int fd);
int calls_together(struct call *call, int n);
struct call *call_later(long number, const long *argument);
void call_must(struct call *call, const char *what, long expected);
int calls_make(void);
long call_now(long number, const long *argument);

/* world.c: what a workload lives in: the mount, files, mappings. */
struct map {
	long pages;
	size_t size;		/* of each */
	char *address;
	bool mapped;
};

struct world {
	int blocks;
	long used;		/* blocks, when somebody last looked */
	int files;
	int maps;
	int root;		/* the mount's directory */
	int filler;		/* -1 until the first fill */
	long filler_pages;
	int file[MAX_FILES];
	struct map map[MAX_MAPS];
	bool moved;		/* a mapping is at its other place */
	long mlocked;		/* nr_mlock before the first mlock(), else -1 */
	long unevictable;	/* nr_unevictable then */
	bool huge, protects;	/* of the workload */
	bool drained;		/* the pool is not as it was before: boot anew */
};

extern struct world world;

void world_init(void);
void world_plan(const struct workload *workload);
void world_mount(long blocks);
void world_file(long pages);
void world_memfd(long pages);
void world_map(long pages, int flags, int file, long offset);
long world_remap(struct map *map, int flags, int file, long offset);
long world_remap_huge(struct map *map, long pages);
long world_register(struct map *map, bool protect);
long world_move(struct map *map);
void world_will_lock(void);
int world_filler(void);
void world_look(void);
void world_forget(void);
long world_used(void);
long world_call(long number, const long *argument);
void world_observe(void);
long world_destroy(void);
void world_settle(void);
void world_range(unsigned long *from, unsigned long *to);

/* entries.c: the page-table entries of mappings. */
#define MAP_PAGES (MAX_PAGES + 2)	/* from one to the next */

void entries_init(void);
void entries_look(const char *base);
long entries_swapped(void);
void out_contents(void);
void out_protected(void);
long read_tag(const void *page);	/* 0: zeros, -1: anything else */

/* pool.c: huge pages. */
struct pool {
	long taken;		/* not free */
	long reserved;
	long pages;		/* in all */
};

void pool_init(void);
bool pool_exists(void);
void pool_note(void);
struct pool pool_used(void);
long pool_fill(long leave);
void pool_empty(void);
void pool_refill(void);

/* thread.c: other threads, and children. */
struct thread {
	int pid;		/* 0: not started */
	int go, done;		/* eventfds */
	uint64_t count;		/* that is read from the one, written to the other */
	struct call call[3];	/* wait for the one, the call, tell the other */
	char stack[4096] __attribute__((aligned(16)));
};

void thread_init(struct thread *thread);
void thread_call(struct thread *thread, long number, const long *argument);
void thread_done(struct thread *thread);
void thread_kill(struct thread *thread);
bool thread_died(void);
long child_fork(void);
void child_reap(void);

/* swap.c: a disk to swap to. */
void swap_on(void);
void swap_off(void);
long swap_pages(void);

/* commit.c: committed memory, and its limit. */
void sysctl_vm(const char *name, long value);
void commit_init(void);
void commit_look(void);
long commit_seen(void);
void commit_limit(long leave);
void commit_lift(void);
void commit_restore(void);
void commit_reset(void);

/* userfault.c: userfaultfds. What returns long: 0 or a negative errno. */
#define UNWRITTEN INT64_MIN	/* of a field that the kernel may write */

int userfault_open(uint64_t features);
long userfault_watch(int fd, void *start, size_t length);
void userfault_init(void);
void userfault_reset(void);
int userfault_fd(void);
long userfault_ioctl(unsigned long request, void *argument);
struct uffdio_register;
struct call *userfault_register(struct uffdio_register *range, void *start,
				size_t length);
long userfault_unregister(void *start, size_t length);
long userfault_zeropage(void *start, size_t length, int64_t *zeropage);
long userfault_continue(void *start, size_t length, int64_t *mapped);
long userfault_remove_begin(void *start, size_t length);
long userfault_remove_end(void);
long userfault_close(void);

/* copy.c: copies in flight, their sources, their windows. */
void copy_init(void);
void copy_reset(void);
long copy_play(struct step *step, char *to, size_t size, const char *letters,
	       long shift, uint64_t mode, int64_t *copied);
void copy_begin(struct step *step, char *to, size_t size,
		const char *letters);
void copy_resume(long number);
void copy_land(void);
void copy_drop_source(void);
void copy_close_source(void);
void copy_kill(void);

/* fault.c: calls inside the kernel that are to fail. */
void fault_add(const char *site, long call, const char *error);
void fault_arm(void);
void fault_tell(void);
void fault_reset(void);

/* owner.c: which pages are held that were not when owner_note() looked. */
void owner_init(void);
void owner_note(void);
void owner_report(void);

/* play.c */
void play(struct workload *workload, int number);
void play_window(struct step *copy, int window);
void out_window(struct step *copy, int window);
void out_step(struct step *step, long ret, int64_t copied);

uint64_t tag_of(const struct step *step, int page);
void fill_page(void *page, uint64_t tag);

#endif
