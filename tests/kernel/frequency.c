// Prints how fast the processor's time stamp counter counts, in kHz.
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_RAW, &time);
	return (double) time.tv_sec + (double) time.tv_nsec * 1e-9;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	const double begin = now();
	const unsigned long long first = __rdtsc();

	nanosleep(&pause, NULL);

	const double seconds = now() - begin;

	printf("%.0f\n", (double) (__rdtsc() - first) / seconds / 1000);
	return 0;
}
