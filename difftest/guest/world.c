// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a workload lives in: a tmpfs mount, its files and mappings. Made
 * afresh for each workload, looked at when the last operation is done, taken
 * down again; what is left of it then is a leak.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/*
 * Two pages more than the largest mapping lie between neighbours, so that no
 * two ever merge; all of them share one page of the page table, unless the
 * workload has huge ones.
 */
#define MAP_BASE 0x10000000UL
#define MAP_STRIDE (MAP_PAGES * (world.huge ? HPAGE : PAGE))
#define OTHER_PLACE (MAX_MAPS * MAP_STRIDE)	/* behind those that did not move */

struct world world;

/* Behind the mappings, one for each file, without page tables: see below. */
#define PROBE_BASE (MAP_BASE + 2 * OTHER_PLACE)
#define ARENA_LENGTH (2 * OTHER_PLACE + MAX_FILES * MAX_PAGES * PAGE)

#define TICK 20000		/* microseconds: one of the slowest clock, and more */
#define YIELDS 20		/* as long as a tenth of that */

static int vmstat, refresh;
static long held;
static long promised;		/* pages committed after the last workload */
static char *buffer;		/* resident; MAX_PAGES for each file */

void world_init(void)
{
	mkdir("/m", 0700);
	entries_init();
	vmstat = open("/proc/vmstat", O_RDONLY);
	if (vmstat < 0)
		die("/proc/vmstat: %s", strerror(errno));
	refresh = open("/proc/sys/vm/stat_refresh", O_WRONLY);
	buffer = mmap(NULL, MAX_FILES * MAX_PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffer == MAP_FAILED)
		die("no memory");
}

/*
 * The set-up is queued, and made with the first operation. So descriptors are
 * known before they are open: those of a workload are the lowest that are free.
 */
static int next_fd(void)
{
	static int lowest;

	if (!lowest) {
		lowest = dup(vmstat);
		close(lowest);
	}
	return world.root ? world.root + 1 + world.files : lowest;
}

/* Called before anything else of a workload. */
void world_plan(const struct workload *workload)
{
	memset(&world, 0, sizeof(world));
	world.huge = workload->huge;
	world.protects = workload->protects;
	if (world.huge)
		pool_note();
}

void world_mount(long blocks)
{
	static char options[32];

	world.blocks = blocks;
	world.filler = -1;
	world.mlocked = -1;
	snprintf(options, sizeof(options), "size=%ldk", blocks * 4);
	MUST("mount /m", 0, SYS_mount, (long)"tmpfs", (long)"/m", (long)"tmpfs",
	     0, (long)options);
	world.root = next_fd();
	MUST("open /m", world.root, SYS_open, (long)"/m",
	     O_RDONLY | O_DIRECTORY);
}

/* Files have no name: to close them is to delete them. */
#define TEMPORARY (long)"/m", O_TMPFILE | O_RDWR, 0600

int world_filler(void)
{
	if (world.filler < 0)
		world.filler = NOW(SYS_open, TEMPORARY);
	if (world.filler < 0)
		die("filler: %s", strerror(-world.filler));
	return world.filler;
}

static void add_file(long pages)
{
	int fd = next_fd();

	if (world.files == MAX_FILES)
		die("more than %d files", MAX_FILES);
	if (pages)
		MUST("ftruncate", 0, SYS_ftruncate, fd, pages * PAGE);
	world.file[world.files++] = fd;
}

void world_file(long pages)
{
	MUST("file", next_fd(), SYS_open, TEMPORARY);
	add_file(pages);
}

void world_memfd(long pages)
{
	MUST("memfd", next_fd(), SYS_memfd_create, (long)"memfd", MFD_CLOEXEC);
	add_file(pages);
}

/* What is mapped over something huge is smaller. */
static void unmap_huge(struct map *map)
{
	if (map->mapped && map->size != PAGE)
		NOW(SYS_munmap, (long)map->address, map->pages * map->size);
}

/* Queue what maps something over a mapping and registers it: that is returned. */
static struct call *remap(struct map *map, int flags, int file, long offset)
{
	static struct uffdio_register range[MAX_MAPS];
	size_t length;

	unmap_huge(map);
	map->size = flags & MAP_HUGETLB ? HPAGE : PAGE;
	length = map->pages * map->size;
	MUST("map", (long)map->address, SYS_mmap, (long)map->address, length,
	     PROT_READ | PROT_WRITE, flags | MAP_FIXED, file, offset * PAGE);
	map->mapped = true;
	return userfault_register(&range[map - world.map], map->address,
				  length);
}

void world_map(long pages, int flags, int file, long offset)
{
	struct map *map = &world.map[world.maps];
	bool huge = flags & MAP_HUGETLB;

	if (world.maps == MAX_MAPS || pages > (huge ? MAX_HUGE : MAX_PAGES))
		die("map %d", world.maps);
	map->address = (char *)MAP_BASE + world.maps++ * MAP_STRIDE;
	map->pages = pages;
	call_must(remap(map, flags, file, offset), "register", 0);
}

/* Map over a mapping and register that: returns what the latter does. */
long world_remap(struct map *map, int flags, int file, long offset)
{
	struct call *call = remap(map, flags, file, offset);

	world_look();
	calls_make();
	return call->ret;
}

/*
 * The same with huge pages, if there are as many. What was there is gone in
 * any case, whatever a kernel leaves in its place when there are not.
 */
long world_remap_huge(struct map *map, long pages)
{
	long ret;

	if (pages > MAX_HUGE)
		die("%ld huge pages", pages);
	if (map->mapped)
		NOW(SYS_munmap, (long)map->address, map->pages * map->size);
	map->pages = pages;
	map->size = HPAGE;
	ret = NOW(SYS_mmap, (long)map->address, pages * HPAGE,
		  PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0);
	map->mapped = ret == (long)map->address;
	return map->mapped ? world_register(map, false) : ret;
}

/* For missing pages, and to protect what there is from being written to. */
long world_register(struct map *map, bool protect)
{
	struct uffdio_register range;
	struct call *call = userfault_register(&range, map->address,
					       map->pages * map->size);

	if (protect)
		range.mode |= UFFDIO_REGISTER_MODE_WP;
	world_look();
	calls_make();
	return call->ret;
}

/* Move a mapping to its other place, or back. */
long world_move(struct map *map)
{
	size_t length = map->pages * map->size;
	char *to = map->address < (char *)MAP_BASE + OTHER_PLACE ?
			   map->address + OTHER_PLACE :
			   map->address - OTHER_PLACE;
	long ret = world_call(SYS_mremap,
			      ARGUMENTS((long)map->address, length, length,
					MREMAP_MAYMOVE | MREMAP_FIXED,
					(long)to));

	if (ret < 0)
		return ret;
	map->address = to;
	world.moved = true;
	return 0;
}

static struct statfs fs;
static bool looked;

/* Queue a look at the blocks in use, for world_used(). */
void world_look(void)
{
	MUST("fstatfs", 0, SYS_fstatfs, world.root, (long)&fs);
	looked = true;
}

/* What was seen so far is not what there will be. */
void world_forget(void)
{
	looked = false;
}

/* Where the mappings of workloads are, all of them. */
void world_range(unsigned long *from, unsigned long *to)
{
	*from = MAP_BASE;
	*to = PROBE_BASE;
}

/* Blocks of the mount in use, f_blocks - f_bfree, when world_look() was made. */
long world_used(void)
{
	if (!looked)
		world_look();
	calls_make();
	looked = false;
	world.used = fs.f_blocks - fs.f_bfree;
	return world.used;
}

/* Make a system call, and look right after it. */
long world_call(long number, const long *argument)
{
	struct call *call = call_later(number, argument);

	world_look();
	calls_make();
	return call->ret;
}

static void out_tags(const char *pages, long count)
{
	long i;

	out_str("[");
	for (i = 0; i < count; i++) {
		if (i)
			out_str(",");
		out_num(read_tag(pages + i * PAGE));
	}
	out_str("]");
}

/* Queue what tells which pages are in the page cache, for all files at once. */
static void look_into_cache(unsigned char *cached)
{
	char *probe = (char *)PROBE_BASE;
	int i;

	for (i = 0; i < world.files; i++)
		MUST("probe", (long)probe + i * MAX_PAGES * PAGE, SYS_mmap,
		     (long)probe + i * MAX_PAGES * PAGE, MAX_PAGES * PAGE,
		     PROT_NONE, MAP_SHARED | MAP_FIXED, world.file[i], 0);
	MUST("mincore", 0, SYS_mincore, (long)probe,
	     world.files * MAX_PAGES * PAGE, (long)cached);
}

static struct seen {
	struct stat st;
	struct call *content;
} seen_file[MAX_FILES], seen_filler;

static void look_at_size(int fd, struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	if (fd >= 0)
		MUST("fstat", 0, SYS_fstat, fd, (long)&seen->st);
}

static void look_at_file(int i)
{
	look_at_size(world.file[i], &seen_file[i]);
	seen_file[i].content = LATER(SYS_pread64, world.file[i],
				     (long)buffer + i * MAX_PAGES * PAGE,
				     MAX_PAGES * PAGE, 0);
}

static void out_size(const struct seen *seen)
{
	out_str("{\"size\":");
	out_num(seen->st.st_size / PAGE);
	out_str(",\"blocks\":");
	out_num(seen->st.st_blocks / (PAGE / 512));
}

static void out_file(int file, const unsigned char *cached)
{
	long length = seen_file[file].content->ret;
	int i;

	out_size(&seen_file[file]);
	out_str(",\"cached\":\"");
	for (i = 0; i < MAX_PAGES; i++)
		out_str(cached[i] & 1 ? "1" : "0");
	out_str("\",\"content\":");
	if (length < 0)
		die("pread: %s", strerror(-length));
	out_tags(buffer + file * MAX_PAGES * PAGE, length / PAGE);
	out_str("}");
}

/* A line of /proc/vmstat, by its beginning; 0 if there is none. */
static long counter_in(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (; text; text = strchr(text, '\n'), text = text ? text + 1 : NULL)
		if (!strncmp(text, name, n))
			return atol(text + n);
	return 0;
}

/* Read it, with the calls that are queued. */
static const char *read_vmstat(void)
{
	static char text[8192];
	struct call *call;

	/* A kernel for several processors has it: each counts for itself. */
	if (refresh >= 0)
		LATER(SYS_write, refresh, (long)"1", 1);
	call = LATER(SYS_pread64, vmstat, (long)text, sizeof(text) - 1, 0);
	calls_make();
	if (call->ret <= 0)
		die("/proc/vmstat: %s", strerror(-call->ret));
	text[call->ret] = 0;
	return text;
}

/* Pages that were locked or unlocked wait for the count in batches: end those. */
static long count_mlocked(long *unevictable)
{
	const char *text;

	LATER(SYS_madvise, (long)buffer, PAGE, MADV_COLD);
	text = read_vmstat();
	*unevictable = counter_in(text, "nr_unevictable ");
	return counter_in(text, "nr_mlock ");
}

/* Called before memory is locked: what there is now does not count. */
void world_will_lock(void)
{
	if (world.mlocked < 0)
		world.mlocked = count_mlocked(&world.unevictable);
}

static void observe_pool(void)
{
	struct pool used = pool_used();

	out_str(",\"huge\":");
	out_num(used.taken);
	out_str(",\"reserved\":");
	out_num(used.reserved);
	world.drained = used.taken || used.reserved;
}

void world_observe(void)
{
	unsigned char cached[MAX_FILES * MAX_PAGES];
	/* Before anything is read: that brings pages back, and locks them. */
	long mlocked = 0, unevictable = 0;
	int i;

	if (world.mlocked >= 0) {
		mlocked = count_mlocked(&unevictable) - world.mlocked;
		unevictable -= world.unevictable;
	}
	look_into_cache(cached);
	entries_look((char *)MAP_BASE);
	for (i = 0; i < world.files; i++)
		look_at_file(i);
	look_at_size(world.filler, &seen_filler);
	calls_make();
	out_str("{\"files\":[");
	for (i = 0; i < world.files; i++) {
		if (i)
			out_str(",");
		out_file(i, cached + i * MAX_PAGES);
	}
	out_str("],\"filler\":");
	out_size(&seen_filler);
	out_str("},\"maps\":");
	out_contents();
	out_str(",\"mlocked\":");
	out_num(mlocked);
	out_str(",\"unevictable\":");
	out_num(unevictable);
	out_str(",\"swapped\":");
	out_num(entries_swapped());
	out_protected();
	if (world.huge)
		observe_pool();
	out_str("}");
	out_line();
}

/*
 * Pages that are allocated and are neither slab nor page table nor kernel
 * stack, nor mapped as private memory (those are the agent's own): allocated
 * minus freed, from the event counters of /proc/vmstat, which count every page
 * that enters or leaves the page allocator.
 */
static long count_pages(void)
{
	static const struct {
		const char *name;
		int sign;
	} counter[] = {
		{ "nr_kernel_stack ", -1 },	/* in KiB */
		{ "nr_anon_pages ", -1 },
		{ "nr_page_table_pages ", -1 },
		{ "nr_slab_reclaimable ", -1 },
		{ "nr_slab_unreclaimable ", -1 },
		{ "pgalloc_dma ", 1 },
		{ "pgalloc_dma32 ", 1 },
		{ "pgalloc_normal ", 1 },
		{ "pgalloc_movable ", 1 },
		{ "pgfree ", -1 },
	};
	const char *line = read_vmstat();
	long sum = 0;
	size_t i;

	while (line) {
		for (i = 0; i < sizeof(counter) / sizeof(*counter); i++) {
			size_t n = strlen(counter[i].name);

			if (!strncmp(line, counter[i].name, n))
				sum += counter[i].sign * atol(line + n) /
				       (i ? 1 : (long)PAGE / 1024);
		}
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return sum;
}

/*
 * With several processors, RCU frees slabs and stacks after a while: a number
 * that changed is looked at again.
 */
static long pages_held(void)
{
	long pages = count_pages();
	int looks;

	for (looks = 0; refresh >= 0 && held && pages != held && looks < 5;
	     looks++) {
		usleep(TICK);
		pages = count_pages();
	}
	return pages;
}

/* What is held now is not the next workload's. */
void world_settle(void)
{
	held = pages_held();
}

/* Returns how many pages are held that were not before the workload. */
long world_destroy(void)
{
	long before = held, owed = promised, ignored;
	bool dead;
	int yields;

	child_reap();
	if (world.filler >= 0 && world.filler < world.root)
		LATER(SYS_close, world.filler);	/* it may be below the others */
	LATER(SYS_close_range, world.root + 1, ~0U);
	LATER(SYS_munmap, MAP_BASE, ARENA_LENGTH);
	pool_empty();
	if (world.mlocked >= 0)
		count_mlocked(&ignored);	/* no page waits in a batch any more */
	userfault_reset();
	copy_reset();
	world_forget();
	world_look();
	LATER(SYS_close, world.root);
	MUST("umount /m", 0, SYS_umount2, (long)"/m", 0);
	swap_off();
	commit_look();
	held = pages_held();
	dead = thread_died();
	/*
	 * The stack of a thread that died is freed by RCU: mostly as soon as
	 * others may run, surely after a tick. The first workload leaves more,
	 * and nobody asks how much.
	 */
	if (before && dead) {
		for (yields = 0; held != before && yields < YIELDS; yields++) {
			sched_yield();
			held = pages_held();
		}
		if (held != before) {
			usleep(TICK);
			held = pages_held();
		}
	}
	promised = commit_seen();
	out_str("{\"left\":");
	out_num(world_used());
	out_str(",\"committed\":");
	out_num(promised - owed);
	out_str(",\"held\":");
	out_num(held - before);
	if (world.huge)
		observe_pool();
	return held - before;
}
