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

/*
 * The layout that workload text refers to. The Python side holds the same
 * numbers in difftest/workload/limits.py; a test compares the two.
 */
#define PAGE 4096UL
#define MAX_FILES 4
#define MAX_MAPS 4
#define MAX_PAGES 16		/* pages of a file or a mapping */
#define MAX_COPY 8		/* pages of one UFFDIO_COPY */
#define MAX_BLOCKS 64		/* blocks of the mount */
#define MAX_STEPS 64		/* steps of one workload, windows included */
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
	struct step step[MAX_STEPS];
};

/* workload.c: returns the text after the workload, NULL when there is none. */
char *workload_parse(char *text, struct workload *workload);

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

/* world.c: what a workload lives in: the mount, files, mappings. */
struct map {
	int file;
	long offset;
	long pages;
	char *address;
	bool mapped;
};

struct world {
	int blocks;
	long used;		/* blocks, as world_used() last saw them */
	int files;
	int maps;
	int root;		/* the mount's directory */
	int filler;		/* -1 until the first fill */
	long filler_pages;
	int file[MAX_FILES];
	struct map map[MAX_MAPS];
};

extern struct world world;

void world_init(void);
void world_mount(long blocks);
void world_file(long pages);
void world_map(long file, long offset, long pages);
int world_filler(void);
long world_used(void);
void world_observe(void);
long world_destroy(void);

/* userfault.c: the two userfaultfds, the copier thread, the windows. */
void userfault_init(void);
void userfault_reset(void);
int userfault_register(void *start, size_t length);
int userfault_unregister(void *start, size_t length);
int userfault_zeropage(void *start, size_t length, int64_t *zeropage);
int userfault_copy(struct step *step, char *to, int pages, const char *source,
		   int64_t *copy);
void userfault_drop_source(void);

/* owner.c: which pages are held that were not when owner_note() looked. */
void owner_init(void);
void owner_note(void);
void owner_report(void);

/* play.c */
void play(struct workload *workload, int number);
void play_window(struct step *copy, int window);

uint64_t tag_of(const struct step *step, int page);
void fill_page(void *page, uint64_t tag);

#endif
