/*
 * What is started as a consumer daemon and is none: it does what the file named by NO_CONSUMER says, which may change between
 * its starts.
 *
 *   exit      ends at once with an error
 *   hang      does not connect
 *   garbage   connects, and says what no consumer daemon says, at both of its connections
 *   half      connects, says that it is ready, and answers the first command with half an answer and its end
 *   PROGRAM   executes this program
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* LTTCOMM_CONSUMERD_COMMAND_SOCK_READY */
#define READY 100

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return address;
}

static int say(int socket, const void *bytes, size_t len)
{
	return send(socket, bytes, len, MSG_NOSIGNAL) == (ssize_t) len ? 0 : -1;
}

static void wait_for_ever(void)
{
	/* Ends with who started it. */
	while (getppid() != 1)
		sleep(1);
	exit(1);
}

int main(int argc, char **argv)
{
	static const char garbage[512] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	const char *error_path = NULL, *command_path = NULL;
	struct sockaddr_un error_at, command_at;
	char what[4096] = "", request[65536];
	int file, error_socket, listener, client, is_half;
	int32_t ready = READY;

	for (int i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], "--consumerd-err-sock"))
			error_path = argv[i + 1];
		if (!strcmp(argv[i], "--consumerd-cmd-sock"))
			command_path = argv[i + 1];
	}
	file = open(getenv("NO_CONSUMER"), O_RDONLY);
	if (file < 0 || read(file, what, sizeof(what) - 1) < 0 || !error_path || !command_path)
		return 2;
	close(file);
	if (*what == '/') {
		execv(what, argv);
		return 2;
	}
	if (!strcmp(what, "exit"))
		return 1;
	if (!strcmp(what, "hang"))
		wait_for_ever();
	is_half = !strcmp(what, "half");

	unlink(command_path);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	command_at = address(command_path);
	if (bind(listener, (struct sockaddr *) &command_at, sizeof(command_at)) || listen(listener, 8))
		return 2;
	error_socket = socket(AF_UNIX, SOCK_STREAM, 0);
	error_at = address(error_path);
	if (connect(error_socket, (struct sockaddr *) &error_at, sizeof(error_at)))
		return 2;
	if (say(error_socket, &ready, sizeof(ready)))
		return 2;
	client = accept(listener, NULL, NULL);
	/* The second connection is the one for metadata. */
	if (client < 0 || accept(listener, NULL, NULL) < 0)
		return 2;
	if (is_half) {
		if (recv(client, request, sizeof(request), 0) > 0)
			say(client, garbage, 2);
		return 1;
	}
	for (;;) {
		if (recv(client, request, sizeof(request), 0) <= 0)
			wait_for_ever();
		if (say(client, garbage, sizeof(garbage)) || say(error_socket, garbage, sizeof(garbage)))
			wait_for_ever();
	}
}
