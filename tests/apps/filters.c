/*
 * Has liblttng-ctl compile filters. Standard input: for each filter its length in bytes (uint32_t) and
 * the bytes. Each is sent to the daemon in the request that enables an event; the answer of the
 * library goes to standard output (int32_t).
 */
#include <fcntl.h>
#include <lttng/lttng.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

int main(void)
{
	static char text[1 << 20];
	struct lttng_domain domain = { .type = LTTNG_DOMAIN_UST, .buf_type = LTTNG_BUFFER_PER_UID };
	struct lttng_handle *handle = lttng_create_handle("session", &domain);
	struct lttng_event *event = lttng_event_create();
	/* The library has words of its own for standard output and error. */
	int answers = dup(STDOUT_FILENO);
	int nowhere = open("/dev/null", O_WRONLY);
	uint32_t len;

	if (!handle || !event || answers < 0 || nowhere < 0)
		fail("preparations");
	if (dup2(nowhere, STDOUT_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0)
		fail("dup2");
	event->type = LTTNG_EVENT_TRACEPOINT;
	strcpy(event->name, "event");
	event->loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL;
	event->loglevel = -1;
	while (fread(&len, sizeof(len), 1, stdin) == 1) {
		int32_t answer;

		if (len >= sizeof(text) || fread(text, 1, len, stdin) != len)
			exit(1);
		text[len] = '\0';
		answer = lttng_enable_event_with_filter(handle, event, "channel", text);
		if (write(answers, &answer, sizeof(answer)) != sizeof(answer))
			exit(1);
	}
	lttng_event_destroy(event);
	lttng_destroy_handle(handle);
	return 0;
}
