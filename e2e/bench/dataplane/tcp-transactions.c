/*
 * One-byte TCP transactions, one after the other: what a packet's way costs, wake-ups included.
 *
 *   tcp-transactions -s PORT                       serves one connection at a time, both families
 *   tcp-transactions [-c] ADDRESS PORT SECONDS     prints {"perSecond": n, "p50": us, "p99": us}
 *
 * With -c each transaction has a connection of its own, ended by a reset so that ports never run out.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Latencies in steps of 100 ns, up to 100 ms; what takes longer counts as that. */
enum { STEP_NS = 100, STEPS = 1000000 };
static unsigned histogram[STEPS];

static void fail(const char *what)
{
	fprintf(stderr, "tcp-transactions: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void at_once(int fd)
{
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void serve(const char *port)
{
	int one = 1, zero = 0, listener = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	if (bind(listener, (void *)&any, sizeof any) || listen(listener, 64)) fail("listen");
	for (;;) {
		char byte;
		int fd = accept(listener, 0, 0);
		if (fd < 0) continue;
		at_once(fd);
		while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
			;
		close(fd);
	}
}

static int dial(const struct addrinfo *to)
{
	int fd = socket(to->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen)) fail("connect");
	at_once(fd);
	return fd;
}

static void reset(int fd)
{
	struct linger at_once_and_unsent = { 1, 0 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once_and_unsent, sizeof at_once_and_unsent);
	close(fd);
}

static double percentile(long long count, double share)
{
	long long seen = 0;
	for (int step = 0; step < STEPS; step++) {
		seen += histogram[step];
		if (seen >= count * share) return (step + 0.5) * STEP_NS / 1000;
	}
	return 0;
}

static void transact(const struct addrinfo *to, double seconds, int connect_each)
{
	int fd = connect_each ? -1 : dial(to);
	long long count = 0, start = now(), last = start, end = start + (long long)(seconds * 1e9);
	while (last < end) {
		char byte = 'x';
		if (connect_each) fd = dial(to);
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) fail("transaction");
		if (connect_each) reset(fd);
		long long time = now(), step = (time - last) / STEP_NS;
		histogram[step < STEPS ? step : STEPS - 1]++;
		last = time;
		count++;
	}
	printf("{\"perSecond\": %.0f, \"p50\": %.2f, \"p99\": %.2f}\n", count * 1e9 / (last - start),
	       percentile(count, 0.5), percentile(count, 0.99));
}

int main(int argc, char **argv)
{
	struct addrinfo *to, hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
	int connect_each = argc == 5 && !strcmp(argv[1], "-c");
	if (argc == 3 && !strcmp(argv[1], "-s")) serve(argv[2]);
	if (argc != 4 + connect_each) {
		fprintf(stderr, "usage: tcp-transactions -s PORT | tcp-transactions [-c] ADDRESS PORT SECONDS\n");
		return 2;
	}
	argv += connect_each;
	int fault = getaddrinfo(argv[1], argv[2], &hints, &to);
	if (fault) {
		fprintf(stderr, "tcp-transactions: %s: %s\n", argv[1], gai_strerror(fault));
		return 2;
	}
	transact(to, atof(argv[3]), connect_each);
	return 0;
}
