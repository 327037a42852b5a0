/*
 * Random lives of sessions, from create to destroy, each with programs that exit, are killed, and register
 * at any moment of it.
 *
 *   lives CLIENTS SECONDS SEED DIRECTORY PROGRAM CONTROL_URL DATA_URL
 *
 * CLIENTS processes live side by side for SECONDS; then every session is destroyed and every program has
 * ended. SEED makes the choices. Traces go below DIRECTORY, where each is removed after its life, or to the
 * relay daemon of the URLs. PROGRAM is `traced`.
 *
 * Standard output gets a line for each life, "life MODE", and one for each command that was refused for a
 * reason that a client has to expect. Any other refusal ends everything with an error.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lttng/lttng.h>

/* Programs of a life at a time. */
#define PROGRAMS_MAX 6
/* Period of the timer of live sessions. */
#define LIVE_TIMER_US 200000

enum mode { USUAL, PER_PROCESS, SNAPSHOT, STREAMED, LIVE, MODES };

static const char *const names[] = { "usual", "per-process", "snapshot", "streamed", "live" };

static const char *directory, *program, *control_url, *data_url;
static unsigned int seed;

/* A program that runs, and the pipe that it takes commands from. */
static struct {
	pid_t pid;
	int commands;
} programs[PROGRAMS_MAX];

static unsigned int any(unsigned int below)
{
	return (unsigned int) rand_r(&seed) % below;
}

static uint64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t) time.tv_sec * 1000000 + (uint64_t) time.tv_nsec / 1000;
}

static void fail(const char *what, const char *session, const char *why)
{
	fprintf(stderr, "lives: %s of %s: %s\n", what, session, why);
	exit(1);
}

static void must(int result, const char *what, const char *session)
{
	if (result < 0)
		fail(what, session, lttng_strerror(result));
}

/* For what the state of the session may forbid. */
static void may(int result, const char *what, const char *session)
{
	switch (-result) {
	case LTTNG_ERR_ROTATION_PENDING:
	case LTTNG_ERR_ROTATION_MULTIPLE_AFTER_STOP:
	case LTTNG_ERR_ROTATION_AFTER_STOP_CLEAR:
	case LTTNG_ERR_ROTATION_NOT_AVAILABLE:
	case LTTNG_ERR_CLEAR_NOT_AVAILABLE_RELAY:
		printf("refused %s: %s\n", what, lttng_strerror(result));
		return;
	default:
		must(result, what, session);
	}
}

/* Starts a program in a free place, if there is one. It emits events at once, and then ends or waits. */
static void start_program(void)
{
	char events[32];
	int pipes[2], place = 0;
	int stays = any(3) > 0;

	while (place < PROGRAMS_MAX && programs[place].pid)
		place++;
	if (place == PROGRAMS_MAX || pipe2(pipes, O_CLOEXEC) < 0)
		return;
	snprintf(events, sizeof(events), "number=%u", 1 + any(200));
	programs[place].pid = fork();
	if (programs[place].pid == 0) {
		if (dup2(pipes[0], 0) < 0 || !freopen("/dev/null", "w", stdout))
			_exit(126);
		execl(program, program, events, stays ? "-" : "exit", NULL);
		_exit(127);
	}
	close(pipes[0]);
	programs[place].commands = pipes[1];
}

/* Has all programs that wait emit events, which some do until they end. */
static void write_events(void)
{
	static const char command[] = "number=50\n";

	for (int place = 0; place < PROGRAMS_MAX; place++)
		if (programs[place].pid && write(programs[place].commands, command, sizeof(command) - 1) < 0)
			continue;
}

/* Ends the programs: each is killed or has nothing more to do. Nobody waits for them here. */
static void end_programs(int killed)
{
	for (int place = 0; place < PROGRAMS_MAX; place++) {
		if (!programs[place].pid)
			continue;
		if (killed)
			kill(programs[place].pid, SIGKILL);
		if (programs[place].commands >= 0)
			close(programs[place].commands);
		programs[place].commands = -1;
	}
}

static void wait_for_programs(void)
{
	end_programs(0);
	for (int place = 0; place < PROGRAMS_MAX; place++) {
		if (programs[place].pid)
			waitpid(programs[place].pid, NULL, 0);
		programs[place].pid = 0;
	}
}

static void create(enum mode mode, const char *session, const char *path)
{
	struct lttng_session_descriptor *descriptor = NULL;
	enum lttng_error_code code;

	switch (mode) {
	case SNAPSHOT:
		descriptor = lttng_session_descriptor_snapshot_local_create(session, path);
		break;
	case STREAMED:
		descriptor = lttng_session_descriptor_network_create(session, control_url, data_url);
		break;
	case LIVE:
		descriptor = lttng_session_descriptor_live_network_create(session, control_url, data_url,
									  LIVE_TIMER_US);
		break;
	default:
		descriptor = lttng_session_descriptor_local_create(session, path);
	}
	if (!descriptor)
		fail("descriptor", session, "none");
	code = lttng_create_session_ext(descriptor);
	must(code == LTTNG_OK ? 0 : -(int) code, "create", session);
	lttng_session_descriptor_destroy(descriptor);
}

static void add_channels(enum mode mode, const char *session)
{
	struct lttng_domain domain = { .type = LTTNG_DOMAIN_UST };
	struct lttng_handle *handle;
	struct lttng_channel *channel;
	struct lttng_event *event = lttng_event_create();
	unsigned int channels = 1 + any(2);

	domain.buf_type = mode == PER_PROCESS || (mode != USUAL && any(2)) ? LTTNG_BUFFER_PER_PID
									    : LTTNG_BUFFER_PER_UID;
	handle = lttng_create_handle(session, &domain);
	channel = lttng_channel_create(&domain);
	if (!handle || !channel || !event)
		fail("channel", session, "out of memory");
	for (unsigned int number = 0; number < channels; number++) {
		lttng_channel_set_default_attr(&domain, &channel->attr);
		channel->attr.subbuf_size = 4096u << any(3);
		channel->attr.num_subbuf = 4;
		channel->attr.overwrite = mode == SNAPSHOT;
		snprintf(channel->name, sizeof(channel->name), "channel%u", number);
		must(lttng_enable_channel(handle, channel), "enable channel", session);
		strcpy(event->name, number ? "sample:number" : "sample:*");
		event->type = LTTNG_EVENT_TRACEPOINT;
		event->loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL;
		event->loglevel = -1;
		must(lttng_enable_event(handle, event, channel->name), "enable event", session);
	}
	lttng_event_destroy(event);
	lttng_channel_destroy(channel);
	lttng_destroy_handle(handle);
}

static void rotate(const char *session)
{
	struct lttng_rotation_handle *handle = NULL;
	enum lttng_rotation_state state = LTTNG_ROTATION_STATE_ONGOING;
	int is_awaited = any(2);

	may(lttng_rotate_session(session, NULL, &handle), "rotate", session);
	while (handle && is_awaited && state == LTTNG_ROTATION_STATE_ONGOING) {
		if (lttng_rotation_handle_get_state(handle, &state) != LTTNG_ROTATION_STATUS_OK)
			break;
		usleep(1000);
	}
	lttng_rotation_handle_destroy(handle);
}

static void clear(const char *session)
{
	struct lttng_clear_handle *handle = NULL;
	enum lttng_clear_handle_status status;
	enum lttng_error_code code = lttng_clear_session(session, &handle);

	if (code == LTTNG_OK && handle) {
		status = lttng_clear_handle_wait_for_completion(handle, -1);
		if (status != LTTNG_CLEAR_HANDLE_STATUS_COMPLETED ||
		    lttng_clear_handle_get_result(handle, &code) != LTTNG_CLEAR_HANDLE_STATUS_OK)
			fail("clear", session, "it does not end");
	}
	lttng_clear_handle_destroy(handle);
	may(code == LTTNG_OK ? 0 : -(int) code, "clear", session);
}

static void list(const char *session)
{
	struct lttng_domain domain = { .type = LTTNG_DOMAIN_UST };
	struct lttng_handle *handle = lttng_create_handle(session, &domain);
	struct lttng_channel *channels = NULL;

	must(lttng_list_channels(handle, &channels), "list", session);
	free(channels);
	lttng_destroy_handle(handle);
}

/* Something that a user does while the session is active. */
static void act(enum mode mode, const char *session)
{
	switch (any(8)) {
	case 0:
		if (mode != SNAPSHOT && mode != LIVE)
			rotate(session);
		break;
	case 1:
		clear(session);
		break;
	case 2:
		must(lttng_stop_tracing(session), "stop", session);
		must(lttng_start_tracing(session), "start again", session);
		break;
	case 3:
		list(session);
		break;
	case 4:
		end_programs(any(2));
		wait_for_programs();
		break;
	case 5:
		write_events();
		break;
	default:
		start_program();
	}
	if (mode == SNAPSHOT && any(2))
		must(lttng_snapshot_record(session, NULL, 0), "snapshot", session);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void) status, (void) kind, (void) where;
	return remove(path);
}

static void live(int client, unsigned int number)
{
	static const enum mode modes[] = { USUAL, USUAL, PER_PROCESS, PER_PROCESS, PER_PROCESS,
					   SNAPSHOT, STREAMED, STREAMED, LIVE };
	enum mode mode = modes[any(sizeof(modes) / sizeof(modes[0]))];
	char session[64], path[512];
	unsigned int actions = any(6);

	snprintf(session, sizeof(session), "life-%d-%u", client, number);
	snprintf(path, sizeof(path), "%s/%s", directory, session);
	create(mode, session, path);
	if (any(2))
		start_program();
	add_channels(mode, session);
	must(lttng_start_tracing(session), "start", session);
	while (actions-- > 0) {
		start_program();
		act(mode, session);
		if (any(3) == 0)
			usleep(any(10000));
	}
	/* The end meets programs that live, die, are dead, and begin. */
	switch (any(5)) {
	case 0:
		end_programs(1);
		break;
	case 1:
		end_programs(0);
		break;
	case 2:
		wait_for_programs();
		break;
	default:
		start_program();
		usleep(any(6000));
		end_programs(any(2));
	}
	if (any(3) == 0)
		must(lttng_stop_tracing(session), "stop", session);
	must(lttng_destroy_session(session), "destroy", session);
	wait_for_programs();
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	printf("life %s\n", names[mode]);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int status, failed = 0;
	uint64_t end_us;

	if (argc != 8) {
		fprintf(stderr, "lives: wrong arguments, see the source\n");
		return 2;
	}
	end_us = now_us() + strtoull(argv[2], NULL, 10) * 1000000;
	directory = argv[4];
	program = argv[5];
	control_url = argv[6];
	data_url = argv[7];
	signal(SIGPIPE, SIG_IGN);
	for (int client = 0; client < atoi(argv[1]); client++) {
		if (fork() == 0) {
			seed = (unsigned int) (strtoul(argv[3], NULL, 10) * 1000 + (unsigned int) client);
			for (unsigned int number = 0; now_us() < end_us; number++)
				live(client, number);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
