/*
 * Preloaded, shows a process and its children another time of day: WALL_OFFSET names a file with a number of seconds that
 * is added to the real one, and may change at any time. Other clocks are as they are.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_s;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("WALL_OFFSET");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *page;

	if (file < 0)
		return;
	page = mmap(NULL, sizeof(*offset_s), PROT_READ, MAP_SHARED, file, 0);
	if (page != MAP_FAILED)
		offset_s = page;
	close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int result = syscall(SYS_clock_gettime, clock, time);

	if (!result && offset_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		time->tv_sec += *offset_s;
	return result;
}

time_t time(time_t *result)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (result)
		*result = now.tv_sec;
	return now.tv_sec;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone)
{
	struct timespec now;

	(void) zone;
	clock_gettime(CLOCK_REALTIME, &now);
	result->tv_sec = now.tv_sec;
	result->tv_usec = now.tv_nsec / 1000;
	return 0;
}
