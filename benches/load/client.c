/*
 * Clients of a session daemon, for the load benches. Times are printed in microseconds, one a line.
 *
 *   client lives CLIENTS SECONDS DIRECTORY   whole session lives, for so long; each life's time
 *   client list CLIENTS SECONDS              requests for the list of sessions, for so long; the
 *                                            number of answers of each client
 *   client short COUNT                       COUNT times create, list, destroy; the time of each
 *   client brief COUNT                       COUNT times create, destroy; the time of each
 *   client brief-all CLIENTS SECONDS         the same side by side, for so long; how often each did
 *   client listing SECONDS                   requests for the list of sessions, for so long; the time of each
 *   client each COUNT VERB [DIRECTORY]       create, enable (a small channel and an event rule), start, stop or
 *                                            destroy of each of the sessions scale-0 and so on; the time of each
 *   client sessions COUNT                    creates COUNT sessions named idle-0 and so on; the time of all
 *   client rules FIRST COUNT SESSION         COUNT event rules that no tracepoint has, the first one named
 *                                            by the number FIRST; the time of each
 *   client triggers COUNT                    registers COUNT triggers on events that no tracepoint has and
 *                                            removes them; the time of all
 *   client grow COUNT                        COUNT lives without a start; the time of all
 *   client channels COUNT SESSION            COUNT channels with small buffers; the time of all
 *   client run COUNT PROGRAM [ARGUMENT]...   COUNT processes started together; the time until all ended
 *   client rotate SESSION                    one rotation, looked at every millisecond; the time until
 *                                            it is over
 */
#define _DEFAULT_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lttng/lttng.h>

static uint64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t) time.tv_sec * 1000000 + (uint64_t) time.tv_nsec / 1000;
}

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "client: %s: %s\n", what, lttng_strerror(result));
	exit(1);
}

/* Makes a session; its traces go below directory, or nowhere when that is NULL. */
static void create(const char *name, const char *directory)
{
	struct lttng_session_descriptor *session;
	enum lttng_error_code code;
	char path[512];

	if (directory) {
		snprintf(path, sizeof(path), "%s/%s", directory, name);
		session = lttng_session_descriptor_local_create(name, path);
	} else {
		session = lttng_session_descriptor_create(name);
	}
	if (!session) {
		fprintf(stderr, "client: session descriptor of %s\n", name);
		exit(1);
	}
	code = lttng_create_session_ext(session);
	check(code == LTTNG_OK ? 0 : -(int) code, "create");
	lttng_session_descriptor_destroy(session);
}

/* A channel of the smallest buffers. */
static struct lttng_channel *small_channel(struct lttng_domain *domain)
{
	struct lttng_channel *channel = lttng_channel_create(domain);

	if (!channel) {
		fprintf(stderr, "client: out of memory\n");
		exit(1);
	}
	lttng_channel_set_default_attr(domain, &channel->attr);
	channel->attr.subbuf_size = (uint64_t) sysconf(_SC_PAGESIZE);
	channel->attr.num_subbuf = 2;
	return channel;
}

/* COUNT channels of the smallest buffers. */
static void enable_channels(int count, const char *name)
{
	struct lttng_domain domain = { .type = LTTNG_DOMAIN_UST, .buf_type = LTTNG_BUFFER_PER_UID };
	struct lttng_handle *handle = lttng_create_handle(name, &domain);
	struct lttng_channel *channel = small_channel(&domain);
	uint64_t start = now_us();

	if (!handle) {
		fprintf(stderr, "client: out of memory\n");
		exit(1);
	}
	for (int number = 0; number < count; number++) {
		snprintf(channel->name, sizeof(channel->name), "channel%d", number);
		check(lttng_enable_channel(handle, channel), "enable channel");
	}
	lttng_channel_destroy(channel);
	lttng_destroy_handle(handle);
	printf("%llu\n", (unsigned long long) (now_us() - start));
}

static void enable_in(const char *name, struct lttng_domain *domain, struct lttng_channel *channel)
{
	struct lttng_handle *handle = lttng_create_handle(name, domain);
	struct lttng_event *event = lttng_event_create();

	if (!handle || !channel || !event) {
		fprintf(stderr, "client: out of memory\n");
		exit(1);
	}
	strcpy(channel->name, "channel");
	check(lttng_enable_channel(handle, channel), "enable channel");
	strcpy(event->name, "sample:number");
	event->type = LTTNG_EVENT_TRACEPOINT;
	event->loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL;
	event->loglevel = -1;
	check(lttng_enable_event(handle, event, "channel"), "enable event");
	lttng_event_destroy(event);
	lttng_channel_destroy(channel);
	lttng_destroy_handle(handle);
}

static void enable(const char *name)
{
	struct lttng_domain domain = { .type = LTTNG_DOMAIN_UST, .buf_type = LTTNG_BUFFER_PER_UID };

	enable_in(name, &domain, lttng_channel_create(&domain));
}

static void enable_small(const char *name)
{
	struct lttng_domain domain = { .type = LTTNG_DOMAIN_UST, .buf_type = LTTNG_BUFFER_PER_UID };

	enable_in(name, &domain, small_channel(&domain));
}

static void live(int client, uint64_t end_us, const char *directory)
{
	for (int life = 0; now_us() < end_us; life++) {
		uint64_t start = now_us();
		char name[64];

		snprintf(name, sizeof(name), "life-%d-%d", client, life);
		create(name, directory);
		enable(name);
		check(lttng_start_tracing(name), "start");
		check(lttng_stop_tracing(name), "stop");
		check(lttng_destroy_session(name), "destroy");
		printf("%llu\n", (unsigned long long) (now_us() - start));
		fflush(stdout);
	}
}

static void list(uint64_t end_us)
{
	unsigned long answers = 0;

	while (now_us() < end_us) {
		struct lttng_session *sessions = NULL;

		check(lttng_list_sessions(&sessions), "list");
		free(sessions);
		answers++;
	}
	printf("%lu\n", answers);
}

static void list_each(uint64_t end_us)
{
	while (now_us() < end_us) {
		struct lttng_session *sessions = NULL;
		uint64_t start = now_us();

		check(lttng_list_sessions(&sessions), "list");
		free(sessions);
		printf("%llu\n", (unsigned long long) (now_us() - start));
	}
}

/* 0 when there is such a verb. */
static int with_each(int count, const char *verb, const char *directory)
{
	for (int number = 0; number < count; number++) {
		uint64_t start = now_us();
		char name[64];

		snprintf(name, sizeof(name), "scale-%d", number);
		if (!strcmp(verb, "create"))
			create(name, directory);
		else if (!strcmp(verb, "enable"))
			enable_small(name);
		else if (!strcmp(verb, "start"))
			check(lttng_start_tracing(name), verb);
		else if (!strcmp(verb, "stop"))
			check(lttng_stop_tracing(name), verb);
		else if (!strcmp(verb, "destroy"))
			check(lttng_destroy_session(name), verb);
		else
			return 2;
		printf("%llu\n", (unsigned long long) (now_us() - start));
	}
	return 0;
}

static void create_list_destroy(int count)
{
	for (int round = 0; round < count; round++) {
		uint64_t start = now_us();
		struct lttng_session *sessions = NULL;
		char name[64];

		snprintf(name, sizeof(name), "short-%d-%d", getpid(), round);
		create(name, NULL);
		check(lttng_list_sessions(&sessions), "list");
		free(sessions);
		check(lttng_destroy_session(name), "destroy");
		printf("%llu\n", (unsigned long long) (now_us() - start));
		fflush(stdout);
	}
}

static void create_destroy(const char *name)
{
	create(name, NULL);
	check(lttng_destroy_session(name), "destroy");
}

static void brief(int count)
{
	for (int round = 0; round < count; round++) {
		uint64_t start = now_us();

		create_destroy("brief");
		printf("%llu\n", (unsigned long long) (now_us() - start));
		fflush(stdout);
	}
}

static void brief_until(int client, uint64_t end_us)
{
	unsigned long rounds = 0;
	char name[64];

	snprintf(name, sizeof(name), "brief-%d", client);
	for (; now_us() < end_us; rounds++)
		create_destroy(name);
	printf("%lu\n", rounds);
}

static void create_idle(int count)
{
	uint64_t start = now_us();

	for (int number = 0; number < count; number++) {
		char name[64];

		snprintf(name, sizeof(name), "idle-%d", number);
		create(name, NULL);
	}
	printf("%llu\n", (unsigned long long) (now_us() - start));
}

static void enable_rules(int first, int count, const char *name)
{
	struct lttng_domain domain = { .type = LTTNG_DOMAIN_UST, .buf_type = LTTNG_BUFFER_PER_UID };
	struct lttng_handle *handle = lttng_create_handle(name, &domain);
	struct lttng_event *event = lttng_event_create();

	if (!handle || !event) {
		fprintf(stderr, "client: out of memory\n");
		exit(1);
	}
	event->type = LTTNG_EVENT_TRACEPOINT;
	event->loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL;
	event->loglevel = -1;
	for (int number = first; number < first + count; number++) {
		uint64_t start = now_us();

		snprintf(event->name, sizeof(event->name), "absent:rule_%d", number);
		check(lttng_enable_event(handle, event, "channel"), "enable event");
		printf("%llu\n", (unsigned long long) (now_us() - start));
	}
	lttng_event_destroy(event);
	lttng_destroy_handle(handle);
}

static struct lttng_trigger *trigger(int number)
{
	struct lttng_event_rule *rule = lttng_event_rule_user_tracepoint_create();
	struct lttng_condition *condition;
	struct lttng_action *action = lttng_action_notify_create();
	struct lttng_trigger *made;
	char name[64];

	snprintf(name, sizeof(name), "absent:trigger_%d", number);
	if (lttng_event_rule_user_tracepoint_set_name_pattern(rule, name) != LTTNG_EVENT_RULE_STATUS_OK) {
		fprintf(stderr, "client: event rule of %s\n", name);
		exit(1);
	}
	condition = lttng_condition_event_rule_matches_create(rule);
	made = lttng_trigger_create(condition, action);
	lttng_event_rule_destroy(rule);
	lttng_condition_destroy(condition);
	lttng_action_destroy(action);
	if (!made) {
		fprintf(stderr, "client: trigger %s\n", name);
		exit(1);
	}
	return made;
}

static void register_triggers(int count)
{
	struct lttng_trigger **triggers = calloc((size_t) count, sizeof(*triggers));
	uint64_t start = now_us();
	enum lttng_error_code code;
	char name[64];

	for (int number = 0; triggers && number < count; number++) {
		triggers[number] = trigger(number);
		snprintf(name, sizeof(name), "trigger-%d", number);
		code = lttng_register_trigger_with_name(triggers[number], name);
		check(code == LTTNG_OK ? 0 : -(int) code, "register trigger");
	}
	for (int number = 0; triggers && number < count; number++) {
		check(lttng_unregister_trigger(triggers[number]), "unregister trigger");
		lttng_trigger_destroy(triggers[number]);
	}
	free(triggers);
	printf("%llu\n", (unsigned long long) (now_us() - start));
}

static void grow(int count)
{
	uint64_t start = now_us();

	for (int life = 0; life < count; life++) {
		char name[64];

		snprintf(name, sizeof(name), "grow-%d", life);
		create(name, NULL);
		enable(name);
		check(lttng_destroy_session(name), "destroy");
	}
	printf("%llu\n", (unsigned long long) (now_us() - start));
}

/* Waits for all children; 0 when each of them has succeeded. */
static int wait_for_all(void)
{
	int status, failed = 0;

	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}

static int run(int count, char **arguments)
{
	uint64_t start = now_us();
	int failed;

	for (int process = 0; process < count; process++) {
		if (fork() == 0) {
			if (!freopen("/dev/null", "w", stdout))
				_exit(126);
			execvp(arguments[0], arguments);
			_exit(127);
		}
	}
	failed = wait_for_all();
	printf("%llu\n", (unsigned long long) (now_us() - start));
	return failed;
}

static void rotate(const char *name)
{
	uint64_t start = now_us();
	enum lttng_rotation_state state;
	struct lttng_rotation_handle *handle;

	check(lttng_rotate_session(name, NULL, &handle), "rotate");
	for (;;) {
		check(-(lttng_rotation_handle_get_state(handle, &state) != LTTNG_ROTATION_STATUS_OK), "rotation");
		if (state != LTTNG_ROTATION_STATE_ONGOING)
			break;
		usleep(1000);
	}
	lttng_rotation_handle_destroy(handle);
	if (state != LTTNG_ROTATION_STATE_COMPLETED) {
		fprintf(stderr, "client: the rotation ended in state %d\n", (int) state);
		exit(1);
	}
	printf("%llu\n", (unsigned long long) (now_us() - start));
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";
	int count = argc > 2 ? atoi(argv[2]) : 0;
	uint64_t end_us = now_us() + (argc > 3 ? strtoull(argv[3], NULL, 10) * 1000000 : 0);

	if (!strcmp(mode, "short")) {
		create_list_destroy(count);
		return 0;
	}
	if (!strcmp(mode, "brief")) {
		brief(count);
		return 0;
	}
	if (!strcmp(mode, "listing")) {
		list_each(now_us() + (uint64_t) count * 1000000);
		return 0;
	}
	if (!strcmp(mode, "each") && argc > 3)
		return with_each(count, argv[3], argc > 4 ? argv[4] : NULL);
	if (!strcmp(mode, "sessions")) {
		create_idle(count);
		return 0;
	}
	if (!strcmp(mode, "rules") && argc > 4) {
		enable_rules(count, atoi(argv[3]), argv[4]);
		return 0;
	}
	if (!strcmp(mode, "triggers")) {
		register_triggers(count);
		return 0;
	}
	if (!strcmp(mode, "grow")) {
		grow(count);
		return 0;
	}
	if (!strcmp(mode, "rotate")) {
		rotate(argv[2]);
		return 0;
	}
	if (!strcmp(mode, "channels") && argc > 3) {
		enable_channels(count, argv[3]);
		return 0;
	}
	if (!strcmp(mode, "run") && argc > 3)
		return run(count, &argv[3]);
	if ((strcmp(mode, "lives") || argc < 5) && (strcmp(mode, "list") || argc < 4) &&
	    (strcmp(mode, "brief-all") || argc < 4)) {
		fprintf(stderr, "client: wrong arguments, see the source\n");
		return 2;
	}
	for (int client = 0; client < count; client++) {
		if (fork() == 0) {
			if (!strcmp(mode, "lives"))
				live(client, end_us, argv[4]);
			else if (!strcmp(mode, "brief-all"))
				brief_until(client, end_us);
			else
				list(end_us);
			exit(0);
		}
	}
	return wait_for_all();
}
