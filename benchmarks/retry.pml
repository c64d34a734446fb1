/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The retry protocol of UFFDIO_COPY into a shared tmpfs mapping, as SPIN takes it: two copiers, two
 * fillers and a truncater, as in the scenario two_fillers_truncater. A step is what the model's
 * kernel does from one point where it may sleep, fault or take a lock to the next.
 *
 * -DFIXED=0: the code before the fix, which asserts where the kernel has BUG_ON(page).
 */
#ifndef FIXED
#define FIXED 1
#endif
#define BLOCKS	2
#define PAGES	2

byte used;		/* blocks of the mount */
byte size = PAGES;	/* of the file, in pages */
byte readers;		/* of mmap_lock */
bool cached[PAGES];	/* the page cache of the file */
bool mapped[PAGES];	/* page-table entries */
byte appended;		/* pages of the filler */
bool file_lock, filler_lock;
byte running = 5;

proctype copier(byte at)
{
	bool page, resident, charged;

	atomic { readers++; }
retry:
	/* pte_alloc, then the charge */
	atomic {
		if
		:: used < BLOCKS -> used++; charged = true
		:: else -> charged = false
		fi
	}
	if
	:: atomic {
		!charged ->
		assert(FIXED || !page);
		page = false
	}
	:: atomic {
		/* alloc_page; the source is missing */
		charged && !page ->
		assert(!resident);
		page = true;
		used--
	}
		/* cond_resched; unlock */
		atomic { readers--; }
		/* the window: the fault is resolved at any time */
		atomic { resident = true; }
		atomic { readers++; goto retry }
	:: atomic {
		charged && page && at >= size ->
		page = false;
		used--
	}
	:: atomic {
		charged && page && at < size ->
		page = false
	}
		/* shmem_add_to_page_cache, mfill_atomic_install_pte */
		atomic {
			if
			:: at >= size || cached[at] || mapped[at] -> used--
			:: else ->
				cached[at] = true;
				mapped[at] = true
			fi
		}
	fi;
	/* cond_resched; unlock */
	atomic { readers--; running-- }
}

proctype filler()
{
	byte pages, written;

	atomic { pages = BLOCKS - used; }
	atomic { !filler_lock -> filler_lock = true; }
	do
	:: atomic {
		/* the charge of shmem_get_folio */
		written < pages && used < BLOCKS ->
		used++
	}
		/* alloc_page, then the insert */
		atomic { skip; }
		atomic { appended++; written++; }
	:: atomic {
		written >= pages || used >= BLOCKS ->
		filler_lock = false;
		running--;
		break
	}
	od
}

proctype truncater()
{
	byte at = 1;

	atomic { skip; }
	atomic {
		!file_lock ->
		size = 1;
		mapped[at] = false;
		if
		:: cached[at] -> cached[at] = false; used--
		:: else
		fi;
		running--
	}
}

init {
	atomic {
		run copier(0);
		run copier(1);
		run filler();
		run filler();
		run truncater()
	}
	running == 0;
	/* Whatever is charged is in a file. */
	assert(used == appended + cached[0] + cached[1]);
	assert(readers == 0)
}
