/*
 * A program to be traced. Its arguments are commands, done in order; the argument "-" goes on with
 * commands from standard input, one a line, each answered by its name and result on standard output.
 *
 *   number=N     N events sample:number, numbered on from the last one
 *   fields=N     N events sample:fields
 *   levels=N     N times one event of each log level
 *   bulk=N       N events sample:bulk of 4000 bytes
 *   delay=US     pause of US microseconds after each further event
 *   paced=N,RATE N events sample:number, RATE a second, whose text is the time in nanoseconds
 *                (CLOCK_MONOTONIC); those that are late come at once
 *   text=WORD    the text of further events
 *   load=FILE    dlopen FILE
 *   unload       dlclose the file loaded last
 *   fork=N       a child that emits N events sample:number and exits; waits for it
 *   daemonise    go on in a child with a session of its own
 *   exec=PROG    execute PROG with the rest of the arguments
 *   wait=FILE    wait until FILE exists
 *   pin          stay on the first processor that is allowed
 *   scribble=N   write anything anywhere in its buffers from now on, as the seed N says
 *   deface=N     write anything to every word of its buffers, once
 *   hold=N       reserve N bytes in each of its buffers and never write them
 *   rewind=N     write N over the writers' position in the buffers of the processor that it runs on
 *   ring         ring the consumer daemon without end
 *   forge        say that there are packets as fast as they are taken, without end
 *   pid          answer the process id
 *   exit         leave at once, without clean-up
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "sample.h"

static int number;
static useconds_t delay_us;
static char text[256] = "hello";
static void *loaded;

static void pause_after_event(void)
{
	if (delay_us)
		usleep(delay_us);
}

static void emit_number(long count)
{
	while (count-- > 0) {
		/* Apart: the arguments are not evaluated while nobody records the event. */
		lttng_ust_tracepoint(sample, number, number, text);
		number++;
		pause_after_event();
	}
}

static void emit_paced(long count, long rate)
{
	const long second_ns = 1000000000;
	struct timespec due, now;

	clock_gettime(CLOCK_MONOTONIC, &due);
	while (count-- > 0) {
		due.tv_nsec += second_ns / rate;
		if (due.tv_nsec >= second_ns) {
			due.tv_nsec -= second_ns;
			due.tv_sec++;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec < due.tv_sec || (now.tv_sec == due.tv_sec && now.tv_nsec < due.tv_nsec))
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		snprintf(text, sizeof(text), "%lld%09ld", (long long) now.tv_sec, now.tv_nsec);
		emit_number(1);
	}
}

static void emit_fields(long count)
{
	static const int32_t values[] = { 1, -2, 3, -4, 5 };

	while (count-- > 0) {
		lttng_ust_tracepoint(sample, fields, number, values, (size_t) (number % 5), "text of fields");
		number++;
		pause_after_event();
	}
}

static void emit_levels(long count)
{
	while (count-- > 0) {
		lttng_ust_tracepoint(sample, alarm, number);
		lttng_ust_tracepoint(sample, caution, number);
		lttng_ust_tracepoint(sample, ordinary, number);
		lttng_ust_tracepoint(sample, detail, number);
		number++;
		pause_after_event();
	}
}

static void emit_bulk(long count)
{
	static uint8_t block[4000];

	while (count-- > 0) {
		lttng_ust_tracepoint(sample, bulk, number, block, sizeof(block));
		number++;
		pause_after_event();
	}
}

static int run_child(long count)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child == 0) {
		emit_number(count);
		exit(0);
	}
	if (waitpid(child, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

static int daemonise(void)
{
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child > 0)
		_exit(0);
	return setsid() < 0 ? -errno : 0;
}

static int wait_for(const char *path)
{
	while (access(path, F_OK) != 0)
		usleep(2000);
	return 0;
}

static int pin(void)
{
	cpu_set_t allowed, first;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return -errno;
	CPU_ZERO(&first);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed)) {
			CPU_SET(cpu, &first);
			break;
		}
	}
	return sched_setaffinity(0, sizeof(first), &first) < 0 ? -errno : 0;
}

/* Does one command; 0 or more is its result, below 0 an error number. */
static int command(char *words, char **rest)
{
	char *value = strchr(words, '=');
	long count;

	if (value)
		*value++ = '\0';
	else
		value = "";
	count = strtol(value, NULL, 10);

	if (!strcmp(words, "number"))
		return emit_number(count), 0;
	if (!strcmp(words, "paced") && strchr(value, ','))
		return emit_paced(count, strtol(strchr(value, ',') + 1, NULL, 10)), 0;
	if (!strcmp(words, "fields"))
		return emit_fields(count), 0;
	if (!strcmp(words, "levels"))
		return emit_levels(count), 0;
	if (!strcmp(words, "bulk"))
		return emit_bulk(count), 0;
	if (!strcmp(words, "delay"))
		return delay_us = (useconds_t) count, 0;
	if (!strcmp(words, "text"))
		return snprintf(text, sizeof(text), "%s", value), 0;
	if (!strcmp(words, "load"))
		return (loaded = dlopen(value, RTLD_NOW)) ? 0 : (fprintf(stderr, "%s\n", dlerror()), -ENOENT);
	if (!strcmp(words, "unload"))
		return loaded ? dlclose(loaded) : -ENOENT;
	if (!strcmp(words, "fork"))
		return run_child(count);
	if (!strcmp(words, "daemonise"))
		return daemonise();
	if (!strcmp(words, "exec")) {
		char *arguments[64] = { value };

		for (int i = 1; i < 63 && rest && *rest; i++)
			arguments[i] = *rest++;
		execv(value, arguments);
		return -errno;
	}
	if (!strcmp(words, "wait"))
		return wait_for(value);
	if (!strcmp(words, "pin"))
		return pin();
	if (!strcmp(words, "scribble"))
		return scribble(count);
	if (!strcmp(words, "deface"))
		return scribble_all(count);
	if (!strcmp(words, "hold"))
		return hold(count);
	if (!strcmp(words, "rewind"))
		return rewind_own(count);
	if (!strcmp(words, "ring"))
		return ring();
	if (!strcmp(words, "forge"))
		return forge();
	if (!strcmp(words, "pid"))
		return getpid();
	if (!strcmp(words, "exit"))
		_exit(0);
	return -EINVAL;
}

static int serve_standard_input(void)
{
	char line[512];

	while (fgets(line, sizeof(line), stdin)) {
		int result;

		line[strcspn(line, "\n")] = '\0';
		result = command(line, NULL);
		printf("%s %d\n", line, result);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int result;

		if (!strcmp(argv[i], "-"))
			return serve_standard_input();
		result = command(argv[i], &argv[i + 1]);
		if (result < 0) {
			fprintf(stderr, "traced: %s: %s\n", argv[i], strerror(-result));
			return 1;
		}
	}
	return 0;
}
