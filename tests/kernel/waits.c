/*
 * What a program of liblttng-ctl waits for: waits LIVES DIRECTORY EVENT... lets so many kernel sessions live that record
 * the events, then as many of which snapshots are recorded, and writes a line for each thing that it waited for: what
 * it is, a tab, and milliseconds. Ends with 1 when something is refused.
 */
#include <lttng/lttng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What follows the name of what is waited for. */
static char events[32];

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void told(const char *what, double since_ms)
{
	printf("%s, %s, ms\t%.2f\n", what, events, now_ms() - since_ms);
	fflush(stdout);
}

static void fail(const char *what, int code)
{
	fprintf(stderr, "waits: %s: %s\n", what, lttng_strerror(code));
	exit(1);
}

static void timed(const char *what, double since_ms, int result)
{
	if (result < 0)
		fail(what, result);
	told(what, since_ms);
}

/* Something that the kernel records. */
static void activity(void)
{
	for (int turn = 0; turn < 5; turn++)
		usleep(1000);
}

static void enable(const char *session, const char *what, char **names)
{
	struct lttng_domain domain = { .type = LTTNG_DOMAIN_KERNEL };
	struct lttng_handle *handle = lttng_create_handle(session, &domain);
	double since_ms = now_ms();
	int result = 0;

	for (; *names && result >= 0; names++) {
		struct lttng_event event = { .type = LTTNG_EVENT_TRACEPOINT, .loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL };

		strncpy(event.name, *names, sizeof(event.name) - 1);
		result = lttng_enable_event(handle, &event, "channel0");
	}
	if (what)
		timed(what, since_ms, result);
	else if (result < 0)
		fail("enable event", result);
	lttng_destroy_handle(handle);
}

/* The daemon's answer, and then what it still has to write. */
static void stop(const char *session, const char *what, const char *then)
{
	double since_ms = now_ms();
	int pending;

	timed(what, since_ms, lttng_stop_tracing_no_wait(session));
	while ((pending = lttng_data_pending(session)) == 1)
		usleep(500);
	timed(then, since_ms, pending);
}

static void rotate(const char *session)
{
	enum lttng_rotation_state state = LTTNG_ROTATION_STATE_ONGOING;
	struct lttng_rotation_handle *handle;
	double since_ms = now_ms();

	timed("rotate: the answer", since_ms, lttng_rotate_session(session, NULL, &handle));
	while (lttng_rotation_handle_get_state(handle, &state) == LTTNG_ROTATION_STATUS_OK &&
	       state == LTTNG_ROTATION_STATE_ONGOING)
		usleep(500);
	timed("rotate: until the archive is there", since_ms, state == LTTNG_ROTATION_STATE_COMPLETED ? 0 : -LTTNG_ERR_UNK);
	lttng_rotation_handle_destroy(handle);
}

static void clear(const char *session)
{
	enum lttng_error_code result = LTTNG_ERR_UNK;
	struct lttng_clear_handle *handle;
	double since_ms = now_ms();

	if (lttng_clear_session(session, &handle) != LTTNG_OK)
		fail("clear", -LTTNG_ERR_UNK);
	lttng_clear_handle_wait_for_completion(handle, -1);
	lttng_clear_handle_get_result(handle, &result);
	timed("clear", since_ms, result == LTTNG_OK ? 0 : -(int) result);
	lttng_clear_handle_destroy(handle);
}

static void destroy(const char *session, const char *what)
{
	enum lttng_error_code result = LTTNG_ERR_UNK;
	struct lttng_destruction_handle *handle;
	double since_ms = now_ms();

	if (lttng_destroy_session_ext(session, &handle) != LTTNG_OK)
		fail("destroy", -LTTNG_ERR_UNK);
	lttng_destruction_handle_wait_for_completion(handle, -1);
	lttng_destruction_handle_get_result(handle, &result);
	timed(what, since_ms, result == LTTNG_OK ? 0 : -(int) result);
	lttng_destruction_handle_destroy(handle);
}

static void recorded(const char *directory, char **names)
{
	double since_ms = now_ms();

	timed("create", since_ms, lttng_create_session("s", directory));
	enable("s", "enable event, all of them", names);
	since_ms = now_ms();
	timed("start", since_ms, lttng_start_tracing("s"));
	activity();
	rotate("s");
	activity();
	clear("s");
	activity();
	stop("s", "first stop: the answer", "first stop: until no data is pending");
	since_ms = now_ms();
	timed("start again", since_ms, lttng_start_tracing("s"));
	activity();
	stop("s", "second stop: the answer", "second stop: until no data is pending");
	destroy("s", "destroy");
}

static void snapshot(const char *directory, char **names)
{
	double since_ms;
	int result = lttng_create_session_snapshot("p", directory);

	if (result < 0)
		fail("create", result);
	enable("p", NULL, names);
	if ((result = lttng_start_tracing("p")) < 0)
		fail("start", result);
	activity();
	for (int turn = 0; turn < 2; turn++) {
		since_ms = now_ms();
		timed("snapshot record", since_ms, lttng_snapshot_record("p", NULL, 0));
	}
	destroy("p", "destroy one of which snapshots are recorded");
}

int main(int argc, char **argv)
{
	char directory[4096];

	if (argc < 4) {
		fprintf(stderr, "waits LIVES DIRECTORY EVENT...\n");
		return 2;
	}
	snprintf(events, sizeof(events), "%d events", argc - 3);
	for (int life = 0; life < atoi(argv[1]); life++) {
		snprintf(directory, sizeof(directory), "file://%s/recorded-%d", argv[2], life);
		recorded(directory, argv + 3);
		snprintf(directory, sizeof(directory), "file://%s/snapshot-%d", argv[2], life);
		snapshot(directory, argv + 3);
	}
	return 0;
}
