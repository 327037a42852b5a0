/*
 * A subscriber to notifications, by liblttng-ctl. Commands come from standard input, one a line; each is answered
 * by its name and result on standard output. Parts are separated by ','.
 *
 *   consumed=NAME,SESSION,BYTES          register a trigger that notifies when so much was written
 *   high=NAME,SESSION,CHANNEL,RATIO      ... when a buffer is so full
 *   low=NAME,SESSION,CHANNEL,RATIO       ... when no buffer is fuller
 *   ongoing=NAME,SESSION                 ... when a rotation begins
 *   completed=NAME,SESSION               ... when one is over
 *   remove=NAME                          unregister a trigger
 *   subscribe=NAME                       subscribe to the condition of a trigger
 *   unsubscribe=NAME
 *   take=N                               wait for N notifications, and write a line for each
 *   pending                              whether a notification waits
 */
#include <inttypes.h>
#include <lttng/lttng.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lttng_notification_channel *channel;

static int add(struct lttng_condition *condition, const char *name)
{
	struct lttng_action *action = lttng_action_notify_create();
	struct lttng_trigger *trigger = lttng_trigger_create(condition, action);
	int result;

	if (!trigger)
		return -1;
	result = lttng_register_trigger_with_name(trigger, name);
	lttng_trigger_destroy(trigger);
	lttng_condition_destroy(condition);
	lttng_action_destroy(action);
	return result == LTTNG_OK ? 0 : -result;
}

static int add_consumed(char **parts)
{
	struct lttng_condition *condition = lttng_condition_session_consumed_size_create();

	lttng_condition_session_consumed_size_set_session_name(condition, parts[1]);
	lttng_condition_session_consumed_size_set_threshold(condition, strtoull(parts[2], NULL, 10));
	return add(condition, parts[0]);
}

static int add_usage(struct lttng_condition *condition, char **parts)
{
	lttng_condition_buffer_usage_set_session_name(condition, parts[1]);
	lttng_condition_buffer_usage_set_channel_name(condition, parts[2]);
	lttng_condition_buffer_usage_set_domain_type(condition, LTTNG_DOMAIN_UST);
	lttng_condition_buffer_usage_set_threshold_ratio(condition, strtod(parts[3], NULL));
	return add(condition, parts[0]);
}

static int add_rotation(struct lttng_condition *condition, char **parts)
{
	lttng_condition_session_rotation_set_session_name(condition, parts[1]);
	return add(condition, parts[0]);
}

/* Does something with the trigger of this name. */
static int with_trigger(const char *name, int (*act)(struct lttng_trigger *))
{
	struct lttng_triggers *triggers;
	unsigned int count, index;
	int result = -1000;

	if (lttng_list_triggers(&triggers) != LTTNG_OK)
		return -1001;
	lttng_triggers_get_count(triggers, &count);
	for (index = 0; index < count; index++) {
		const struct lttng_trigger *trigger = lttng_triggers_get_at_index(triggers, index);
		const char *its_name;

		if (lttng_trigger_get_name(trigger, &its_name) == LTTNG_TRIGGER_STATUS_OK
				&& !strcmp(its_name, name))
			result = act((struct lttng_trigger *) trigger);
	}
	lttng_triggers_destroy(triggers);
	return result;
}

static int unregister(struct lttng_trigger *trigger)
{
	return lttng_unregister_trigger(trigger);
}

static int subscribe(struct lttng_trigger *trigger)
{
	return lttng_notification_channel_subscribe(channel, lttng_trigger_get_const_condition(trigger));
}

static int unsubscribe(struct lttng_trigger *trigger)
{
	return lttng_notification_channel_unsubscribe(channel, lttng_trigger_get_const_condition(trigger));
}

static void show_field(const struct lttng_event_field_value *value)
{
	uint64_t unsigned_number;
	int64_t signed_number;
	double number;
	const char *text;
	unsigned int count, index;

	switch (lttng_event_field_value_get_type(value)) {
	case LTTNG_EVENT_FIELD_VALUE_TYPE_UNSIGNED_INT:
		lttng_event_field_value_unsigned_int_get_value(value, &unsigned_number);
		printf(" u%" PRIu64, unsigned_number);
		break;
	case LTTNG_EVENT_FIELD_VALUE_TYPE_SIGNED_INT:
		lttng_event_field_value_signed_int_get_value(value, &signed_number);
		printf(" i%" PRId64, signed_number);
		break;
	case LTTNG_EVENT_FIELD_VALUE_TYPE_REAL:
		lttng_event_field_value_real_get_value(value, &number);
		printf(" r%f", number);
		break;
	case LTTNG_EVENT_FIELD_VALUE_TYPE_STRING:
		lttng_event_field_value_string_get_value(value, &text);
		printf(" \"%s\"", text);
		break;
	case LTTNG_EVENT_FIELD_VALUE_TYPE_ARRAY:
		lttng_event_field_value_array_get_length(value, &count);
		printf(" [");
		for (index = 0; index < count; index++) {
			const struct lttng_event_field_value *element;

			lttng_event_field_value_array_get_element_at_index(value, index, &element);
			show_field(element);
		}
		printf(" ]");
		break;
	default:
		printf(" ?");
	}
}

static void show_event(const struct lttng_evaluation *evaluation)
{
	const struct lttng_event_field_value *captured;
	unsigned int count, index;

	printf(" event");
	if (lttng_evaluation_event_rule_matches_get_captured_values(evaluation, &captured)
			!= LTTNG_EVALUATION_EVENT_RULE_MATCHES_STATUS_OK)
		return;
	lttng_event_field_value_array_get_length(captured, &count);
	for (index = 0; index < count; index++) {
		const struct lttng_event_field_value *value;

		if (lttng_event_field_value_array_get_element_at_index(captured, index, &value)
				== LTTNG_EVENT_FIELD_VALUE_STATUS_OK)
			show_field(value);
		else
			printf(" -");
	}
}

static void show_completed(const struct lttng_evaluation *evaluation)
{
	const struct lttng_trace_archive_location *location;
	const char *path;
	uint64_t id;

	lttng_evaluation_session_rotation_get_id(evaluation, &id);
	printf(" completed %" PRIu64, id);
	if (lttng_evaluation_session_rotation_completed_get_location(evaluation, &location)
			== LTTNG_EVALUATION_STATUS_OK
			&& lttng_trace_archive_location_get_type(location)
			== LTTNG_TRACE_ARCHIVE_LOCATION_TYPE_LOCAL
			&& lttng_trace_archive_location_local_get_absolute_path(location, &path)
			== LTTNG_TRACE_ARCHIVE_LOCATION_STATUS_OK)
		printf(" %s", path);
}

static void show(struct lttng_notification *notification)
{
	const struct lttng_evaluation *evaluation = lttng_notification_get_evaluation(notification);
	const struct lttng_trigger *trigger = lttng_notification_get_trigger(notification);
	const char *name = "-";
	uint64_t number;

	lttng_trigger_get_name(trigger, &name);
	printf("notified %s", name);
	switch (lttng_evaluation_get_type(evaluation)) {
	case LTTNG_CONDITION_TYPE_SESSION_CONSUMED_SIZE:
		lttng_evaluation_session_consumed_size_get_consumed_size(evaluation, &number);
		printf(" consumed %" PRIu64, number);
		break;
	case LTTNG_CONDITION_TYPE_BUFFER_USAGE_HIGH:
	case LTTNG_CONDITION_TYPE_BUFFER_USAGE_LOW:
		lttng_evaluation_buffer_usage_get_usage(evaluation, &number);
		printf(" usage %" PRIu64, number);
		break;
	case LTTNG_CONDITION_TYPE_SESSION_ROTATION_ONGOING:
		lttng_evaluation_session_rotation_get_id(evaluation, &number);
		printf(" ongoing %" PRIu64, number);
		break;
	case LTTNG_CONDITION_TYPE_SESSION_ROTATION_COMPLETED:
		show_completed(evaluation);
		break;
	case LTTNG_CONDITION_TYPE_EVENT_RULE_MATCHES:
		show_event(evaluation);
		break;
	default:
		printf(" unknown");
	}
	printf("\n");
}

static int take(long count)
{
	while (count > 0) {
		struct lttng_notification *notification;
		int status = lttng_notification_channel_get_next_notification(channel, &notification);

		if (status == LTTNG_NOTIFICATION_CHANNEL_STATUS_NOTIFICATIONS_DROPPED) {
			printf("dropped\n");
			continue;
		}
		if (status != LTTNG_NOTIFICATION_CHANNEL_STATUS_OK)
			return status;
		show(notification);
		lttng_notification_destroy(notification);
		count--;
	}
	return 0;
}

static int run(char *command, char *argument)
{
	char *parts[4] = { argument };
	int count = 1;

	while (parts[count - 1] && count < 4 && strchr(parts[count - 1], ',')) {
		parts[count] = strchr(parts[count - 1], ',');
		*parts[count]++ = '\0';
		count++;
	}
	if (!strcmp(command, "consumed") && count == 3)
		return add_consumed(parts);
	if (!strcmp(command, "high") && count == 4)
		return add_usage(lttng_condition_buffer_usage_high_create(), parts);
	if (!strcmp(command, "low") && count == 4)
		return add_usage(lttng_condition_buffer_usage_low_create(), parts);
	if (!strcmp(command, "ongoing") && count == 2)
		return add_rotation(lttng_condition_session_rotation_ongoing_create(), parts);
	if (!strcmp(command, "completed") && count == 2)
		return add_rotation(lttng_condition_session_rotation_completed_create(), parts);
	if (!strcmp(command, "remove"))
		return with_trigger(argument, unregister);
	if (!strcmp(command, "subscribe"))
		return with_trigger(argument, subscribe);
	if (!strcmp(command, "unsubscribe"))
		return with_trigger(argument, unsubscribe);
	if (!strcmp(command, "take"))
		return take(strtol(argument, NULL, 10));
	if (!strcmp(command, "pending")) {
		bool pending;

		if (lttng_notification_channel_has_pending_notification(channel, &pending))
			return -1;
		return pending;
	}
	return -2000;
}

int main(void)
{
	char line[4096];

	channel = lttng_notification_channel_create(lttng_session_daemon_notification_endpoint);
	if (!channel) {
		fprintf(stderr, "there is no notification channel\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		char *argument, name[sizeof(line)];

		line[strcspn(line, "\n")] = '\0';
		strcpy(name, line);
		argument = strchr(line, '=');
		if (argument)
			*argument++ = '\0';
		printf("%s %d\n", name, run(line, argument));
	}
	lttng_notification_channel_destroy(channel);
	return 0;
}
