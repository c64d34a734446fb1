// SPDX-License-Identifier: GPL-2.0-only
/* The vocabulary: one function for each operation of difftest/workload/ops.py. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char *buffer;		/* resident; what write() and fill() write */
static int64_t copied;		/* the copy, zeropage or mapped field */

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

#define CALL(number, ...) world_call(number, ARGUMENTS(__VA_ARGS__))

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

static long op_memfd(struct step *step)
{
	world_memfd(step->field[0].number);
	return 0;
}

static long op_map(struct step *step)
{
	world_map(step->field[2].number, MAP_SHARED, file_of(step, 0),
		  step->field[1].number);
	return 0;
}

static long op_map_private(struct step *step)
{
	world_map(step->field[2].number, MAP_PRIVATE, file_of(step, 0),
		  step->field[1].number);
	return 0;
}

static long op_map_anonymous(struct step *step)
{
	world_map(step->field[0].number, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 0;
}

static long op_map_shared_anonymous(struct step *step)
{
	world_map(step->field[0].number, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return 0;
}

static long op_map_hugetlb(struct step *step)
{
	world_map(step->field[0].number,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	return 0;
}

static long op_map_hugetlb_noreserve(struct step *step)
{
	world_map(step->field[0].number,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1,
		  0);
	return 0;
}

static long op_fault(struct step *step)
{
	fault_add(step->field[0].text, step->field[1].number,
		  step->field[2].text);
	return 0;
}

static long write_pages(struct step *step, int fd, long page, long pages)
{
	long i;

	if (pages > MAX_BLOCKS)
		die("step %s: %ld pages", step->name, pages);
	for (i = 0; i < pages; i++)
		fill_page(buffer + i * PAGE, tag_of(step, i));
	return CALL(SYS_pwrite64, fd, (long)buffer, pages * PAGE, page * PAGE);
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
	return CALL(SYS_ftruncate, world_filler(), world.filler_pages * PAGE);
}

static long op_truncate(struct step *step)
{
	return CALL(SYS_ftruncate, file_of(step, 0),
		    step->field[1].number * PAGE);
}

static long op_punch(struct step *step)
{
	return CALL(SYS_fallocate, file_of(step, 0),
		    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		    step->field[1].number * PAGE,
		    step->field[2].number * PAGE);
}

static size_t whole(const struct map *map)
{
	return map->pages * map->size;
}

static long op_munmap(struct step *step)
{
	struct map *map = map_of(step);

	map->mapped = false;
	return CALL(SYS_munmap, (long)map->address, whole(map));
}

static long op_remap(struct step *step)
{
	return world_remap(map_of(step), MAP_SHARED, file_of(step, 1),
			   step->field[2].number);
}

static long op_remap_private(struct step *step)
{
	return world_remap(map_of(step), MAP_PRIVATE, file_of(step, 1),
			   step->field[2].number);
}

static long op_remap_anonymous(struct step *step)
{
	return world_remap(map_of(step), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long op_remap_hugetlb(struct step *step)
{
	return world_remap_huge(map_of(step), step->field[1].number);
}

static long op_fill_hugetlb(struct step *step)
{
	return pool_fill(step->field[0].number);
}

static long op_mremap(struct step *step)
{
	return world_move(map_of(step));
}

static long op_mprotect(struct step *step)
{
	struct map *map = map_of(step);
	int write = step->field[1].number ? PROT_WRITE : 0;

	return CALL(SYS_mprotect, (long)map->address, whole(map),
		    PROT_READ | write);
}

static long op_mlock(struct step *step)
{
	struct map *map = map_of(step);

	if (map->size != PAGE)
		return 0;	/* it would be filled, and wait for us */
	world_will_lock();
	return CALL(SYS_mlock2, (long)map->address, whole(map), MLOCK_ONFAULT);
}

static char *page_of(struct step *step)
{
	struct map *map = map_of(step);

	return map->address + step->field[1].number * map->size;
}

static size_t length_of(struct step *step)
{
	return step->field[2].number * map_of(step)->size;
}

static long op_pageout(struct step *step)
{
	return CALL(SYS_madvise, (long)page_of(step), length_of(step),
		    MADV_PAGEOUT);
}

static long op_register(struct step *step)
{
	return world_register(map_of(step), false);
}

static long op_register_wp(struct step *step)
{
	return world_register(map_of(step), true);
}

static long op_unregister(struct step *step)
{
	struct map *map = map_of(step);

	return userfault_unregister(map->address, whole(map));
}

static long op_remove_begin(struct step *step)
{
	return userfault_remove_begin(page_of(step), length_of(step));
}

static long op_remove_end(struct step *step)
{
	(void)step;
	return userfault_remove_end();
}

static long op_fork(struct step *step)
{
	(void)step;
	return child_fork();
}

static long op_swapon(struct step *step)
{
	(void)step;
	swap_on();
	return 0;
}

static long op_overcommit(struct step *step)
{
	commit_limit(step->field[0].number);
	return 0;
}

static long op_close_destination(struct step *step)
{
	(void)step;
	return userfault_close();
}

static long op_munmap_source(struct step *step)
{
	(void)step;
	copy_drop_source();
	return 0;
}

static long op_close_source(struct step *step)
{
	(void)step;
	copy_close_source();
	return 0;
}

static long op_kill_copier(struct step *step)
{
	(void)step;
	copy_kill();
	return 0;
}

static long op_zeropage(struct step *step)
{
	return userfault_zeropage(page_of(step), length_of(step), &copied);
}

static long op_continue(struct step *step)
{
	return userfault_continue(page_of(step), length_of(step), &copied);
}

static long play_copy(struct step *step, const char *letters, uint64_t mode)
{
	int64_t copy;
	long ret = copy_play(step, page_of(step), map_of(step)->size, letters,
			     0, mode, &copy);

	copied = copy;
	return ret;
}

static long op_copy(struct step *step)
{
	return play_copy(step, step->field[2].text, 0);
}

/* Of small pages, whatever there is. */
static long op_copy_unaligned(struct step *step)
{
	char *to = map_of(step)->address + step->field[1].number * PAGE;
	int64_t copy;
	long ret = copy_play(step, to, PAGE, step->field[2].text, PAGE / 2, 0,
			     &copy);

	copied = copy;
	return ret;
}

static long op_copy_wp(struct step *step)
{
	char letters[MAX_COPY + 1] = "";
	long pages = step->field[2].number;

	if (pages < 1 || pages > MAX_COPY)
		die("step %s: %ld pages", step->name, pages);
	memset(letters, 'R', pages);
	return play_copy(step, letters, UFFDIO_COPY_MODE_WP);
}

static long op_begin(struct step *step)
{
	copy_begin(step, page_of(step), map_of(step)->size,
		   step->field[2].text);
	return 0;
}

static long op_resume(struct step *step)
{
	copy_resume(step->field[0].number);
	return 0;
}

enum {
	SETUP = 1,	/* not an observation: writes no line */
	OWN_LINE = 2,	/* writes its line itself */
	MAPS = 4,	/* changes what the limit of memory is not about */
	LIBRARY = 8,	/* makes calls by the C library, which join no queue */
};

static const struct {
	const char *name;
	long (*play)(struct step *step);
	int kind;
} operation[] = {
	{ "mount", op_mount, SETUP },
	{ "file", op_file, SETUP },
	{ "memfd", op_memfd, SETUP },
	{ "map", op_map, SETUP },
	{ "map_private", op_map_private, SETUP },
	{ "map_anonymous", op_map_anonymous, SETUP },
	{ "map_shared_anonymous", op_map_shared_anonymous, SETUP },
	{ "map_hugetlb", op_map_hugetlb, SETUP },
	{ "map_hugetlb_noreserve", op_map_hugetlb_noreserve, SETUP },
	{ "fault", op_fault, SETUP },
	{ "copy", op_copy, 0 },
	{ "copy_unaligned", op_copy_unaligned, 0 },
	{ "copy_wp", op_copy_wp, 0 },
	{ "begin", op_begin, OWN_LINE },
	{ "resume", op_resume, 0 },
	{ "zeropage", op_zeropage, 0 },
	{ "continue", op_continue, 0 },
	{ "write", op_write, 0 },
	{ "fill", op_fill, 0 },
	{ "free", op_free, 0 },
	{ "truncate", op_truncate, 0 },
	{ "punch", op_punch, 0 },
	{ "munmap", op_munmap, MAPS },
	{ "remap", op_remap, MAPS },
	{ "remap_private", op_remap_private, MAPS },
	{ "remap_anonymous", op_remap_anonymous, MAPS },
	{ "remap_hugetlb", op_remap_hugetlb, MAPS },
	{ "fill_hugetlb", op_fill_hugetlb, MAPS },
	{ "mremap", op_mremap, MAPS },
	{ "mprotect", op_mprotect, MAPS },
	{ "mlock", op_mlock, MAPS },
	{ "pageout", op_pageout, 0 },
	{ "register", op_register, MAPS },
	{ "register_wp", op_register_wp, MAPS },
	{ "unregister", op_unregister, MAPS },
	{ "remove_begin", op_remove_begin, MAPS },
	{ "remove_end", op_remove_end, MAPS },
	{ "fork", op_fork, MAPS | LIBRARY },
	{ "swapon", op_swapon, MAPS | LIBRARY },
	{ "overcommit", op_overcommit, LIBRARY },
	{ "close_destination", op_close_destination, MAPS },
	{ "munmap_source", op_munmap_source, MAPS },
	{ "close_source", op_close_source, 0 },
	{ "kill_copier", op_kill_copier, 0 },
};

void out_step(struct step *step, long ret, int64_t copied)
{
	out_str("{\"at\":\"");
	out_str(step->at);
	out_str("\",\"ret\":");
	out_num(ret);
	if (copied != UNWRITTEN) {
		out_str(",\"copy\":");
		out_num(copied);
	}
	out_str(",\"used\":");
	out_num(world_used());
	fault_tell();
	out_str("}");
	out_line();
}

void out_window(struct step *copy, int window)
{
	out_str("{\"window\":\"");
	out_str(copy->at);
	out_str(".");
	out_num(window);
	out_str("\",\"used\":");
	out_num(world_used());
	fault_tell();
	out_str("}");
	out_line();
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
	copied = UNWRITTEN;
	world_forget();
	if (!(operation[i].kind & SETUP))
		fault_arm();
	if (operation[i].kind & LIBRARY)
		calls_make();
	if (operation[i].kind & MAPS)
		commit_lift();
	ret = operation[i].play(step);
	if (operation[i].kind & MAPS)
		commit_restore();
	if (!(operation[i].kind & (SETUP | OWN_LINE)))
		out_step(step, ret, copied);
}

/* The window-th window of a copy is open: no lock is held until we return. */
void play_window(struct step *copy, int window)
{
	struct step *step = copy + 1, *end = copy + copy->size;
	struct step *last;

	out_window(copy, window);
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

	world_plan(workload);
	for (step = workload->step; step < end; step += step->size)
		play_step(step);
	copy_land();
	userfault_remove_end();
	fault_reset();
	commit_reset();
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
 * the last time counts, with who holds the pages then. Once the pool of huge
 * pages is not what it was, the other workloads are left to another boot.
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
		if (world.drained) {
			pool_refill();
			world_settle();
		}
		if (!again) {
			owner_note();
			world_settle();	/* to look allocates, too */
		}
		out_rewind(mark);
	}
	if (world.drained && number >= 0)
		power_off();
}
