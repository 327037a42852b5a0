/*
 * Makes a program slow for its session daemon: preloaded, it waits LATE_US microseconds after whatever
 * is received by recvmsg(2), by which LTTng-UST receives all commands and answers.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t recvmsg(int socket, struct msghdr *message, int flags)
{
	static ssize_t (*original)(int, struct msghdr *, int);
	const char *late_us = getenv("LATE_US");
	ssize_t received;

	if (!original)
		original = (ssize_t (*)(int, struct msghdr *, int)) dlsym(RTLD_NEXT, "recvmsg");
	received = original(socket, message, flags);
	if (received > 0 && late_us)
		usleep((useconds_t) atoi(late_us));
	return received;
}
