/* What an application can do to the buffers that it shares with the consumer daemon. */
#define _GNU_SOURCE
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The most buffers that are known: one for each processor and channel. */
#define AREAS_MAX 1024

/* Where the writers' position is in a buffer: struct lttng_ust_ring_buffer, ring_buffer.offset. */
#define OFFSET_WORD (128 / 8)
/* Where its processor is: struct lttng_ust_ring_buffer, backend.cpu. */
#define CPU_WORD (264 / 8)
/* Where the size of a sub-buffer is: struct lttng_crash_abi, subbuf_size. */
#define SUBBUF_SIZE_WORD (104 / 8)
/* The header of a packet. */
#define HEADER_LEN 84
/* More than a buffer's control structure, less than any buffer. */
#define BUFFER_LEN_MIN 4096

struct area {
	volatile uint64_t *words;
	size_t count;
};

static struct area areas[AREAS_MAX];
static size_t area_count;

/* Finds the buffers: they are the shared mappings of memory without a name, or of files of streams. */
static int find_areas(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	if (!maps)
		return -errno;
	area_count = 0;
	while (area_count < AREAS_MAX && fgets(line, sizeof(line), maps)) {
		uintptr_t start, end;
		char mode[5];

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, mode) != 3)
			continue;
		/* The page by which applications learn of a session daemon is smaller. */
		if (strcmp(mode, "rw-s") || end - start <= BUFFER_LEN_MIN || !strstr(line, "lttng-ust-"))
			continue;
		areas[area_count].words = (volatile uint64_t *) start;
		areas[area_count++].count = (end - start) / sizeof(uint64_t);
	}
	fclose(maps);
	return (int) area_count;
}

static uint64_t state;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t random_value(void)
{
	uint64_t value = next_random();

	switch (value % 5) {
	case 0:
		return value;
	case 1:
		return value % 200;
	case 2:
		return (value >> 8) % 64 * 4096;
	case 3:
		return UINT64_C(1) << (value >> 8) % 64;
	default:
		return UINT64_MAX;
	}
}

static void *scribble_for_ever(void *unused)
{
	(void) unused;
	for (;;) {
		const struct area *area = &areas[next_random() % area_count];
		/* Half of it where the control words are. */
		size_t count = next_random() % 2 && area->count > 80 ? 80 : area->count;

		area->words[next_random() % count] = random_value();
	}
	return NULL;
}

int scribble(long seed)
{
	pthread_t thread;
	int found = find_areas();

	if (found <= 0)
		return found ? found : -ENOENT;
	state = (uint64_t) seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	return -pthread_create(&thread, NULL, scribble_for_ever, NULL) ?: found;
}

/* The most pipes that are known. */
#define PIPES_MAX 256

static int pipes[PIPES_MAX];
static int pipe_count;

static void *ring_for_ever(void *unused)
{
	(void) unused;
	for (;;) {
		for (int i = 0; i < pipe_count; i++) {
			/* They do not block; a full one is rung enough. */
			ssize_t written = write(pipes[i], "x", 1);

			(void) written;
		}
	}
	return NULL;
}

int ring(void)
{
	struct stat status;
	pthread_t thread;

	for (int fd = 3; fd < 1024 && pipe_count < PIPES_MAX; fd++) {
		int flags = fcntl(fd, F_GETFL);

		if (flags < 0 || fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode))
			continue;
		if ((flags & O_ACCMODE) == O_WRONLY && flags & O_NONBLOCK)
			pipes[pipe_count++] = fd;
	}
	if (!pipe_count)
		return -ENOENT;
	return -pthread_create(&thread, NULL, ring_for_ever, NULL) ?: pipe_count;
}

int scribble_all(long seed)
{
	int found = find_areas();

	state = (uint64_t) seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (int i = 0; i < found; i++) {
		for (size_t word = 0; word < areas[i].count; word++)
			areas[i].words[word] = random_value();
	}
	return found;
}

int hold(long len)
{
	int found = find_areas();

	for (int i = 0; i < found; i++) {
		volatile uint64_t *offset = &areas[i].words[OFFSET_WORD];
		uint64_t old = *offset, new;

		/* The first event of a packet takes the header with it. */
		do
			new = old + (uint64_t) len + (old % areas[i].words[SUBBUF_SIZE_WORD] ? 0 : HEADER_LEN);
		while (!__atomic_compare_exchange_n(offset, &old, new, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	}
	return found;
}

int rewind_own(long position)
{
	int found = find_areas();
	int rewound = 0;

	for (int i = 0; i < found; i++) {
		if ((int) (uint32_t) areas[i].words[CPU_WORD] != sched_getcpu())
			continue;
		areas[i].words[OFFSET_WORD] = (uint64_t) position;
		rewound++;
	}
	return found < 0 ? found : rewound;
}
