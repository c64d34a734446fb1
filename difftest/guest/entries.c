// SPDX-License-Identifier: GPL-2.0-only
/* The page-table entries of mappings, and what memory holds where there is one. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static int pagemap;
static uint64_t entry[2 * MAX_MAPS * MAP_PAGES];
static int places;
static const uint64_t *of_map[MAX_MAPS];

void entries_init(void)
{
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0)
		die("/proc/self/pagemap: %s", strerror(errno));
}

/* The tag that fills a page; 0 for zeros; -1 for anything else. */
long read_tag(const void *page)
{
	const uint64_t *word = page;
	size_t i;

	for (i = 1; i < PAGE / sizeof(*word); i++)
		if (word[i] != word[0])
			return -1;
	return word[0];
}

/*
 * The same for a huge page. The last page has the tag of the first one; those
 * between are zeros, of which the first word stands for all: see copy.c.
 */
static long read_huge_tag(const char *page)
{
	long tag = read_tag(page), between = 0;
	size_t i;

	for (i = PAGE; i < HPAGE - PAGE; i += PAGE)
		between |= *(const long *)(page + i);
	return between || read_tag(page + HPAGE - PAGE) != tag ? -1 : tag;
}

#define IS_PRESENT (1UL << 63)
#define IS_SWAPPED (1UL << 62)
#define IS_PROTECTED (1UL << 57)

/* What is protected and not present: so it is, if there is no swap. */
static bool is_marker(uint64_t entry)
{
	return entry & IS_PROTECTED && !(entry & IS_PRESENT);
}

static bool is_swapped(uint64_t entry)
{
	return entry & IS_SWAPPED && !is_marker(entry);
}

/* Queue what reads page-table entries. */
static void read_entries(const char *from, uint64_t *to, long count)
{
	long length = count * sizeof(*to);

	MUST("pagemap", length, SYS_pread64, pagemap, (long)to, length,
	     (uintptr_t)from / PAGE * sizeof(*to));
}

/* The same for mappings that are far apart, of which some may be huge. */
static void read_entries_apart(void)
{
	struct map *map = world.map;
	uint64_t *first = entry;
	long i;

	memset(entry, 0, sizeof(entry));
	for (; map < world.map + world.maps; map++, first += MAP_PAGES) {
		for (i = 0; i < map->pages; i++)
			read_entries(map->address + i * map->size, first + i,
				     1);
		calls_make();
	}
}

/* Queue a look: one for all, from where the mappings begin, if none is huge. */
void entries_look(const char *base)
{
	int i;

	places = world.moved && !world.huge ? 2 * MAX_MAPS : world.maps;
	if (world.huge)
		read_entries_apart();
	else
		read_entries(base, entry, places * MAP_PAGES);
	for (i = 0; i < world.maps; i++)
		of_map[i] = entry + (world.huge ? i * MAP_PAGES :
				     (world.map[i].address - base) /
				     (long)PAGE);
}

/* Entries whose page is in swap. */
long entries_swapped(void)
{
	long swapped = 0;
	int i;

	for (i = 0; i < places * MAP_PAGES; i++)
		swapped += is_swapped(entry[i]);
	return swapped;
}

/* The bit came with 5.14; before, its place is always empty. */
static bool is_shown(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return major > 5 || (major == 5 && minor >= 14);
}

static void out_protection(struct map *map, const uint64_t *first)
{
	long i;

	out_str("\"");
	for (i = 0; map->mapped && i < map->pages; i++)
		out_str(is_marker(first[i]) ? "m" :
			first[i] & IS_PROTECTED ? "1" : "0");
	out_str("\"");
}

/* Page-table entries, and what memory holds where there is one. */
static void out_map(struct map *map, const uint64_t *first)
{
	const char *page = map->address;
	long i;

	if (!map->mapped) {
		out_str("null");
		return;
	}
	out_str("[");
	for (i = 0; i < map->pages; i++, page += map->size) {
		if (i)
			out_str(",");
		if (!(first[i] & IS_PRESENT) && !is_swapped(first[i]))
			out_str("null");
		else
			out_num(map->size == PAGE ? read_tag(page) :
						    read_huge_tag(page));
	}
	out_str("]");
}

static void out_maps(void (*out)(struct map *map, const uint64_t *first))
{
	int i;

	out_str("[");
	for (i = 0; i < world.maps; i++) {
		if (i)
			out_str(",");
		out(&world.map[i], of_map[i]);
	}
	out_str("]");
}

void out_contents(void)
{
	out_maps(out_map);
}

/* As a field of its own, if anything can be said. */
void out_protected(void)
{
	if (!world.protects || !is_shown())
		return;
	out_str(",\"protected\":");
	out_maps(out_protection);
}
