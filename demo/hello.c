/* A small traced program: says hello a few times, as events instead of words. */
#include <stdio.h>
#include <stdlib.h>

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "hello.h"

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 10;

	for (int number = 0; number < count; number++) {
		char text[64];

		snprintf(text, sizeof(text), "hello number %d", number);
		lttng_ust_tracepoint(hello, greeting, number, text);
	}
	return 0;
}
