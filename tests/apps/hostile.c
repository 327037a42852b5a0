/* What an application can do to the buffers that it shares with the consumer daemon. */
#define _GNU_SOURCE
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
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
/* How many there are, there. */
#define SUBBUF_COUNT_WORD (112 / 8)
/* Where the reader's position is, and where what was written of each sub-buffer is counted for writers and for the
 * reader: ring_buffer.consumed, .commit_hot, .commit_cold; the latter two are an object and an offset there. */
#define CONSUMED_WORD (152 / 8)
#define COMMIT_HOT_WORD ((136 + 8) / 8)
#define COMMIT_COLD_WORD ((352 + 8) / 8)
/* Distance of the counts of two sub-buffers. */
#define COMMIT_WORDS (128 / 8)
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
/* Where copies of them begin; the tracer's own are below. */
#define KEPT_FROM 512

static int pipes[PIPES_MAX];
static int pipe_count;

static void ring_all(void)
{
	for (int i = 0; i < pipe_count; i++) {
		/* They do not block; a full one is rung enough. */
		ssize_t written = write(pipes[i], "x", 1);

		(void) written;
	}
}

static void *ring_for_ever(void *unused)
{
	(void) unused;
	for (;;)
		ring_all();
	return NULL;
}

/* Finds the pipes, and keeps them when the tracer closes them. */
static int find_pipes(void)
{
	struct stat status;

	for (int fd = 3; fd < KEPT_FROM && pipe_count < PIPES_MAX; fd++) {
		int flags = fcntl(fd, F_GETFL);

		if (flags < 0 || fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode))
			continue;
		if ((flags & O_ACCMODE) == O_WRONLY && flags & O_NONBLOCK)
			pipes[pipe_count++] = fcntl(fd, F_DUPFD_CLOEXEC, KEPT_FROM);
	}
	/* The other end may be closed. */
	signal(SIGPIPE, SIG_IGN);
	return pipe_count;
}

int ring(void)
{
	pthread_t thread;

	if (!find_pipes())
		return -ENOENT;
	return -pthread_create(&thread, NULL, ring_for_ever, NULL) ?: pipe_count;
}

/* Says that all sub-buffers are full which the reader does not have: what is in them is from before. */
static void forge_in(volatile uint64_t *words)
{
	uint64_t size = words[SUBBUF_SIZE_WORD], count = words[SUBBUF_COUNT_WORD];
	uint64_t at = words[OFFSET_WORD];

	while (at / size - words[CONSUMED_WORD] / size < count) {
		uint64_t index = at / size % count, written = (at / size / count + 1) * size;

		words[words[COMMIT_HOT_WORD] / 8 + COMMIT_WORDS * index] = written;
		words[words[COMMIT_COLD_WORD] / 8 + COMMIT_WORDS * index] = written;
		at = (at / size + 1) * size;
		__atomic_store_n(&words[OFFSET_WORD], at, __ATOMIC_SEQ_CST);
	}
}

static void *forge_for_ever(void *unused)
{
	(void) unused;
	for (;;) {
		for (size_t i = 0; i < area_count; i++)
			forge_in(areas[i].words);
		ring_all();
	}
	return NULL;
}

int forge(void)
{
	pthread_t thread;
	int found = find_areas();

	if (found <= 0 || !find_pipes())
		return found < 0 ? found : -ENOENT;
	return -pthread_create(&thread, NULL, forge_for_ever, NULL) ?: found;
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
