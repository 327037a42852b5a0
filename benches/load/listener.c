/*
 * A subscriber to notifications, for the load benches. Commands come from standard input, one a line; each is
 * answered by itself and its result on standard output.
 *
 *   subscribe=NAME        subscribe to the condition of the trigger of that name
 *   listen                take notifications from now on, beside the commands
 *   pause                 take no more for now
 *   go                    take them again
 *   await=COUNT           wait until there were COUNT of them, or none for two seconds; how many there were
 *   late=PERMILLE         microseconds within which that many of a thousand came, of those that captured
 *                         when their event was written (CLOCK_MONOTONIC, in nanoseconds, as text)
 *   dropped               how often the daemon said that it had dropped some
 *   forget                counts and times begin anew
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lttng/lttng.h>

/* Times that are kept. */
#define TIMES_MAX 1000000
/* How long it is quiet when no more notifications come. */
#define QUIET_MS 2000

static struct lttng_notification_channel *channel;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t going = PTHREAD_COND_INITIALIZER;
static bool is_paused;
static int taken, dropped, times;
static uint32_t times_us[TIMES_MAX];

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t) time.tv_sec * 1000000000 + (uint64_t) time.tv_nsec;
}

/* When the event of a notification was written; 0 when it does not tell. */
static uint64_t written_ns(struct lttng_notification *notification)
{
	const struct lttng_evaluation *evaluation = lttng_notification_get_evaluation(notification);
	const struct lttng_event_field_value *captured, *value;
	const char *text;

	if (lttng_evaluation_get_type(evaluation) != LTTNG_CONDITION_TYPE_EVENT_RULE_MATCHES ||
	    lttng_evaluation_event_rule_matches_get_captured_values(evaluation, &captured) !=
		    LTTNG_EVALUATION_EVENT_RULE_MATCHES_STATUS_OK ||
	    lttng_event_field_value_array_get_element_at_index(captured, 0, &value) !=
		    LTTNG_EVENT_FIELD_VALUE_STATUS_OK ||
	    lttng_event_field_value_string_get_value(value, &text) != LTTNG_EVENT_FIELD_VALUE_STATUS_OK)
		return 0;
	return strtoull(text, NULL, 10);
}

static void count(int status, struct lttng_notification *notification)
{
	uint64_t now = now_ns();
	uint64_t written = notification ? written_ns(notification) : 0;

	pthread_mutex_lock(&mutex);
	if (status == LTTNG_NOTIFICATION_CHANNEL_STATUS_NOTIFICATIONS_DROPPED)
		dropped++;
	else
		taken++;
	if (written && times < TIMES_MAX)
		times_us[times++] = (uint32_t) ((now - written) / 1000);
	pthread_mutex_unlock(&mutex);
}

static void *listener(void *unused)
{
	for (;;) {
		struct lttng_notification *notification = NULL;
		int status;

		pthread_mutex_lock(&mutex);
		while (is_paused)
			pthread_cond_wait(&going, &mutex);
		pthread_mutex_unlock(&mutex);
		status = lttng_notification_channel_get_next_notification(channel, &notification);
		if (status != LTTNG_NOTIFICATION_CHANNEL_STATUS_OK &&
		    status != LTTNG_NOTIFICATION_CHANNEL_STATUS_NOTIFICATIONS_DROPPED)
			return unused;
		count(status, notification);
		lttng_notification_destroy(notification);
	}
}

static int listen_aside(void)
{
	pthread_t thread;

	return -pthread_create(&thread, NULL, listener, NULL);
}

static int set_paused(bool paused)
{
	pthread_mutex_lock(&mutex);
	is_paused = paused;
	pthread_cond_signal(&going);
	pthread_mutex_unlock(&mutex);
	return 0;
}

static int get(const int *value)
{
	int copy;

	pthread_mutex_lock(&mutex);
	copy = *value;
	pthread_mutex_unlock(&mutex);
	return copy;
}

static int await(int wanted)
{
	int before = -1, now, quiet_ms = 0;

	while ((now = get(&taken)) < wanted && quiet_ms < QUIET_MS) {
		quiet_ms = now == before ? quiet_ms + 1 : 0;
		before = now;
		usleep(1000);
	}
	return now;
}

static int compare(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *) left, b = *(const uint32_t *) right;

	return (a > b) - (a < b);
}

static int late(int permille)
{
	int result = -1;

	pthread_mutex_lock(&mutex);
	qsort(times_us, (size_t) times, sizeof(times_us[0]), compare);
	if (times > 0)
		result = (int) times_us[(long) (times - 1) * permille / 1000];
	pthread_mutex_unlock(&mutex);
	return result;
}

static int forget(void)
{
	pthread_mutex_lock(&mutex);
	taken = dropped = times = 0;
	pthread_mutex_unlock(&mutex);
	return 0;
}

static int subscribe(const char *name)
{
	struct lttng_triggers *triggers;
	unsigned int total;
	int result = -1;

	if (lttng_list_triggers(&triggers) != LTTNG_OK)
		return -1;
	lttng_triggers_get_count(triggers, &total);
	for (unsigned int index = 0; index < total; index++) {
		const struct lttng_trigger *trigger = lttng_triggers_get_at_index(triggers, index);
		const char *its_name;

		if (lttng_trigger_get_name(trigger, &its_name) == LTTNG_TRIGGER_STATUS_OK &&
		    !strcmp(its_name, name))
			result = -lttng_notification_channel_subscribe(
				channel, lttng_trigger_get_const_condition(trigger));
	}
	lttng_triggers_destroy(triggers);
	return result;
}

static int run(const char *command, const char *argument)
{
	if (!strcmp(command, "subscribe"))
		return subscribe(argument);
	if (!strcmp(command, "listen"))
		return listen_aside();
	if (!strcmp(command, "pause"))
		return set_paused(true);
	if (!strcmp(command, "go"))
		return set_paused(false);
	if (!strcmp(command, "await"))
		return await(atoi(argument));
	if (!strcmp(command, "late"))
		return late(atoi(argument));
	if (!strcmp(command, "dropped"))
		return get(&dropped);
	if (!strcmp(command, "forget"))
		return forget();
	return -2;
}

int main(void)
{
	char line[256], words[256];

	channel = lttng_notification_channel_create(lttng_session_daemon_notification_endpoint);
	if (!channel) {
		fprintf(stderr, "listener: there is no notification channel\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		char *argument;

		line[strcspn(line, "\n")] = '\0';
		strcpy(words, line);
		argument = strchr(words, '=');
		if (argument)
			*argument++ = '\0';
		printf("%s %d\n", line, run(words, argument ? argument : ""));
	}
	return 0;
}
