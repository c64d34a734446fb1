// SPDX-License-Identifier: GPL-2.0-only
/* The vocabulary: one function for each operation of difftest/workload/ops.py. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_UNWRITTEN INT64_MIN

static char *buffer;		/* resident; what write() and fill() write */
static int64_t copied;		/* the copy or zeropage field; unwritten otherwise */

/* Which operation and page filled a page: distinct in a workload, never 0. */
uint64_t tag_of(const struct step *step, int page)
{
	return (uint64_t)(step->ordinal + 1) * 256 + page + 1;
}

void fill_page(void *page, uint64_t tag)
{
	uint64_t *word = page;
	size_t i;

	for (i = 0; i < PAGE / sizeof(*word); i++)
		word[i] = tag;
}

static long result(long value)
{
	return value < 0 ? -errno : value;
}

static int file_of(struct step *step, int field)
{
	long file = step->field[field].number;

	if (file < 0 || file >= world.files)
		die("step %s: no file %ld", step->name, file);
	return world.file[file];
}

static struct map *map_of(struct step *step)
{
	long map = step->field[0].number;

	if (map < 0 || map >= world.maps)
		die("step %s: no map %ld", step->name, map);
	return &world.map[map];
}

static long op_mount(struct step *step)
{
	world_mount(step->field[0].number);
	return 0;
}

static long op_file(struct step *step)
{
	world_file(step->field[0].number);
	return 0;
}

static long op_map(struct step *step)
{
	file_of(step, 0);
	world_map(step->field[0].number, step->field[1].number,
		  step->field[2].number);
	return 0;
}

static long write_pages(struct step *step, int fd, long page, long pages)
{
	long i;

	if (pages > MAX_BLOCKS)
		die("step %s: %ld pages", step->name, pages);
	for (i = 0; i < pages; i++)
		fill_page(buffer + i * PAGE, tag_of(step, i));
	return result(pwrite(fd, buffer, pages * PAGE, page * PAGE));
}

static long op_write(struct step *step)
{
	return write_pages(step, file_of(step, 0), step->field[1].number,
			   step->field[2].number);
}

static long op_fill(struct step *step)
{
	long pages = world.blocks - world.used - step->field[0].number;
	long ret;

	if (pages <= 0)
		return 0;
	ret = write_pages(step, world_filler(), world.filler_pages, pages);
	if (ret > 0)
		world.filler_pages += ret / PAGE;
	return ret;
}

static long op_free(struct step *step)
{
	world.filler_pages -= step->field[0].number;
	if (world.filler_pages < 0)
		world.filler_pages = 0;
	return result(ftruncate(world_filler(), world.filler_pages * PAGE));
}

static long op_truncate(struct step *step)
{
	return result(ftruncate(file_of(step, 0),
				step->field[1].number * PAGE));
}

static long op_punch(struct step *step)
{
	return result(fallocate(file_of(step, 0),
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				step->field[1].number * PAGE,
				step->field[2].number * PAGE));
}

static long op_munmap(struct step *step)
{
	struct map *map = map_of(step);

	map->mapped = false;
	return result(munmap(map->address, map->pages * PAGE));
}

static long op_unregister(struct step *step)
{
	struct map *map = map_of(step);

	return result(userfault_unregister(map->address, map->pages * PAGE));
}

static long op_munmap_source(struct step *step)
{
	(void)step;
	userfault_drop_source();
	return 0;
}

static long op_zeropage(struct step *step)
{
	return userfault_zeropage(map_of(step)->address +
					  step->field[1].number * PAGE,
				  step->field[2].number * PAGE, &copied);
}

static long op_copy(struct step *step)
{
	const char *source = step->field[2].text;
	int64_t copy;
	long ret = userfault_copy(step,
				  map_of(step)->address +
					  step->field[1].number * PAGE,
				  strlen(source), source, &copy);

	copied = copy;
	return ret;
}

static const struct {
	const char *name;
	long (*play)(struct step *step);
} operation[] = {
	{ "mount", op_mount },
	{ "file", op_file },
	{ "map", op_map },
	{ "copy", op_copy },
	{ "zeropage", op_zeropage },
	{ "write", op_write },
	{ "fill", op_fill },
	{ "free", op_free },
	{ "truncate", op_truncate },
	{ "punch", op_punch },
	{ "munmap", op_munmap },
	{ "unregister", op_unregister },
	{ "munmap_source", op_munmap_source },
};

static void out_at(struct step *step)
{
	out_str("{\"at\":\"");
	out_str(step->at);
}

static void play_step(struct step *step)
{
	size_t i;
	long ret;

	for (i = 0; i < sizeof(operation) / sizeof(*operation); i++)
		if (!strcmp(step->name, operation[i].name))
			break;
	if (i == sizeof(operation) / sizeof(*operation))
		die("unknown operation '%s'", step->name);
	copied = COPY_UNWRITTEN;
	ret = operation[i].play(step);
	if (!*step->at)
		return;		/* set-up: not an observation */
	out_at(step);
	out_str("\",\"ret\":");
	out_num(ret);
	if (copied != COPY_UNWRITTEN) {
		out_str(",\"copy\":");
		out_num(copied);
	}
	out_str(",\"used\":");
	out_num(world_used());
	out_str("}");
	out_line();
}

/* The window-th window of a copy is open: no lock is held until we return. */
void play_window(struct step *copy, int window)
{
	struct step *step = copy + 1, *end = copy + copy->size;
	struct step *last;

	out_str("{\"window\":\"");
	out_str(copy->at);
	out_str(".");
	out_num(window);
	out_str("\",\"used\":");
	out_num(world_used());
	out_str("}");
	out_line();
	for (; step < end && window; step += step->size)
		window--;
	if (step >= end)
		return;		/* a window in which nothing happens */
	last = step + step->size;
	for (step++; step < last; step += step->size)
		play_step(step);
}

/* Returns how many pages the workload left allocated. */
static long play_once(struct workload *workload, int number)
{
	struct step *end = workload->step + workload->count, *step;
	long held;

	for (step = workload->step; step < end; step += step->size)
		play_step(step);
	world_observe();
	held = world_destroy();
	out_str(",\"done\":");
	out_num(number);
	out_str("}");
	out_line();
	return held;
}

/*
 * A kernel allocates a page for good when something is used for the first
 * time; a leak comes each time. So one that shows is played again, and only
 * the last time counts, with who holds the pages then.
 */
void play(struct workload *workload, int number)
{
	size_t mark = out_mark();
	int again = 2;

	if (!buffer)
		buffer = mmap(NULL, MAX_BLOCKS * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	while (play_once(workload, number) && number >= 0) {
		if (!again--) {
			owner_report();
			break;
		}
		if (!again)
			owner_note();
		out_rewind(mark);
	}
}
