/*
 * The only program of the image that pods of the scenarios run: there is no network here to pull another from.
 *
 *   pod                      what a sandbox does: nothing, until it is told to end
 *   pod serve PORT TEXT      says TEXT to whoever connects, over IPv4 and IPv6
 *   pod dial ADDRESS PORT    prints what is said there; status 1 when nobody answers within 3 seconds
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void ended(int number)
{
	(void)number;
	_exit(0);
}

static int serve(int port, const char *text)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any };
	int both = 0, again = 1, listener = socket(AF_INET6, SOCK_STREAM, 0);
	setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof both);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &again, sizeof again);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 64) < 0)
		return perror("pod: listening"), 1;
	for (;;) {
		int client = accept(listener, NULL, NULL);
		if (client < 0) continue;
		if (write(client, text, strlen(text)) < 0) perror("pod: answering");
		close(client);
	}
}

static int dial(const char *host, const char *port)
{
	struct addrinfo wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *found;
	struct timeval limit = { .tv_sec = 3 };
	char text[256];
	if (getaddrinfo(host, port, &wanted, &found) != 0) return fprintf(stderr, "pod: %s is no address\n", host), 1;
	int fd = socket(found->ai_family, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, found->ai_addr, found->ai_addrlen) < 0) return perror("pod: connecting"), 1;
	ssize_t length = read(fd, text, sizeof text);
	if (length <= 0) return perror("pod: reading"), 1;
	return fwrite(text, 1, length, stdout) == (size_t)length ? 0 : 1;
}

int main(int count, char **words)
{
	/* The first process of a namespace gets no signal that it does not handle. */
	signal(SIGTERM, ended);
	signal(SIGINT, ended);
	if (count == 4 && !strcmp(words[1], "serve")) return serve(atoi(words[2]), words[3]);
	if (count == 4 && !strcmp(words[1], "dial")) return dial(words[2], words[3]);
	if (count != 1) return fprintf(stderr, "pod [serve PORT TEXT | dial ADDRESS PORT]\n"), 2;
	/* Children of others that end here are this process's to collect. */
	signal(SIGCHLD, SIG_IGN);
	for (;;) pause();
}
