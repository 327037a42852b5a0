/*
 * A clock override plugin: microseconds of the monotonic clock, from another zero. SAMPLE_CLOCK in the
 * environment has it do something else: "unset" sets no clock, "exit" ends the process, "hang" never
 * returns, "nameless" sets a clock without a name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lttng/ust-clock.h>

#define ZERO_US 1000000000000ULL

void lttng_ust_clock_plugin_init(void);

static uint64_t read64(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000 + ZERO_US;
}

static uint64_t freq(void)
{
	return 1000000;
}

static int uuid(char *room)
{
	memcpy(room, "5f4dcc3b-5aa7-4d61-8327-deb882cf99aa", LTTNG_UST_UUID_STR_LEN);
	return 0;
}

static const char *name(void)
{
	return "sample_clock";
}

static const char *no_name(void)
{
	return NULL;
}

static const char *description(void)
{
	return "Microseconds";
}

void lttng_ust_clock_plugin_init(void)
{
	const char *mode = getenv("SAMPLE_CLOCK");

	if (!mode)
		mode = "";
	if (!strcmp(mode, "unset"))
		return;
	if (!strcmp(mode, "exit"))
		exit(3);
	while (!strcmp(mode, "hang"))
		pause();
	/* A program that was not linked with LTTng-UST has this called twice: by it, while it is loaded. */
	if (lttng_ust_trace_clock_set_read64_cb(read64) == -EBUSY)
		return;
	if (lttng_ust_trace_clock_set_freq_cb(freq)
	    || lttng_ust_trace_clock_set_uuid_cb(uuid)
	    || lttng_ust_trace_clock_set_name_cb(strcmp(mode, "nameless") ? name : no_name)
	    || lttng_ust_trace_clock_set_description_cb(description)
	    || lttng_ust_enable_trace_clock_override())
		abort();
}
