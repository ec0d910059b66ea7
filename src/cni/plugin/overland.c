/*
 * The CNI plugin: passes the request of the container runtime to the agent on this node and prints its answer.
 *
 * Every decision is the agent's. Here is only what must work without it: VERSION, an error that says what to do, and a
 * DEL that is written down for the agent to finish when it is back. C, because a process start is most of what a pod
 * pays for its network: 0.2 ms, where the smallest start of Node.js is 21 ms; static, because a host promises nothing.
 *
 * Executed under the name overland-ipam it is the address delegate of another main plugin, and says so to the agent.
 *
 *   request   POST /cni, body: each CNI_* variable as NAME=VALUE NUL (and PLUGIN=overland-ipam, where that is the name),
 *             one more NUL, then standard input as it is
 *   reply     200: the body goes to standard output, exit 0; any other status: the same, exit 1
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "config.h"

#define DEFAULT_SOCKET "/run/overland/agent.sock"
#define DEFAULT_STATE_DIR "/var/lib/overland"
#define VERSIONS "\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\""
#define ANSWER_LIMIT_SECONDS 10 /* more than the agent waits for etcd */
#define MAX_OCTETS (16 << 20)

enum { INVALID_ENVIRONMENT = 4, IO_FAILURE = 5, NOT_JSON = 6, TRY_AGAIN = 11, NOT_AVAILABLE = 50 };

struct octets { char *at; size_t length, room; };

extern char **environ;
static const char *cni_version = "1.1.0";
static int is_delegate;

/* Prints a CNI error object and ends with status 1. */
static void fail(int code, const char *details, const char *format, ...)
{
	char message[1024];
	const char *texts[] = { message, details }, *names[] = { "msg", "details" };
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	printf("{\"cniVersion\":\"%s\",\"code\":%d", cni_version, code);
	for (int i = 0; i < 2; i++) {
		printf(",\"%s\":\"", names[i]);
		for (const unsigned char *c = (const unsigned char *)texts[i]; *c; c++) {
			if (*c == '"' || *c == '\\') printf("\\%c", *c);
			else if (*c < 0x20 || *c >= 0x7f) printf("\\u%04x", *c);
			else putchar(*c);
		}
		putchar('"');
	}
	puts("}");
	fflush(stdout);
	exit(1);
}

static void append(struct octets *to, const void *from, size_t length)
{
	if (to->length + length > MAX_OCTETS)
		fail(IO_FAILURE, "", "more than %d octets of input or answer", MAX_OCTETS);
	if (to->length + length + 1 > to->room) {
		to->room = 2 * (to->length + length) + 4096;
		to->at = realloc(to->at, to->room);
		if (!to->at) fail(IO_FAILURE, "", "out of memory");
	}
	memcpy(to->at + to->length, from, length);
	to->length += length;
	to->at[to->length] = 0;
}

static int write_all(int fd, const char *at, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, at, length);
		if (n < 0 && errno != EINTR) return 0;
		if (n > 0) at += n, length -= n;
	}
	return 1;
}

static void understand(const struct octets *input, struct config *config)
{
	config->is_json = read_config(input->at, config) && strlen(input->at) == input->length;
	char quoted[sizeof config->version + 2];
	snprintf(quoted, sizeof quoted, "\"%s\"", config->version);
	if (config->version[0] != ',' && strstr(VERSIONS, quoted)) cni_version = config->version;
}

/* ---- the agent ---- */

static long long milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Connects at once or not at all: a full backlog counts as an agent that is away. */
static int connect_agent(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) return -1;
	return fd;
}

static int ready(int fd, short events, long long deadline)
{
	long long left = deadline - milliseconds();
	struct pollfd wait = { .fd = fd, .events = events };
	return left > 0 && (poll(&wait, 1, (int)left) >= 0 || errno == EINTR);
}

/* Sends the request and reads until the agent closes. A reply may come before all is sent. */
static void exchange(int fd, const struct octets *request, struct octets *reply)
{
	long long deadline = milliseconds() + ANSWER_LIMIT_SECONDS * 1000LL;
	char chunk[65536];
	for (size_t sent = 0; sent < request->length;) {
		if (!ready(fd, POLLOUT, deadline)) return;
		ssize_t n = send(fd, request->at + sent, request->length - sent, MSG_NOSIGNAL);
		if (n > 0) sent += n;
		else if (errno != EAGAIN && errno != EINTR) break;
	}
	while (ready(fd, POLLIN, deadline)) {
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);
		if (n > 0) append(reply, chunk, n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR)) return;
	}
}

/* Prints the body of a whole reply and gives the exit status; -1 for anything else. */
static int print_reply(const struct octets *reply)
{
	char *head = reply->at ? reply->at : "", *end = strstr(head, "\r\n\r\n");
	int status = 0;
	if (!end || sscanf(head, "HTTP/1.%*c %d", &status) != 1) return -1;
	char *body = end + 4, *field = strcasestr(head, "\r\ncontent-length:");
	size_t got = reply->length - (body - head), announced = got + 1;
	if (field && field < end) announced = strtoul(field + 17, NULL, 10);
	if (got < announced) return -1;
	if (announced == 0 && status != 200)
		fail(TRY_AGAIN, "", "the overland agent answered with HTTP status %d and no reason", status);
	return write_all(STDOUT_FILENO, body, announced) && status == 200 ? 0 : 1;
}

/* ---- the agent is away ---- */

static int safe_name(const char *name)
{
	for (const char *c = name; c && *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.-", *c)) return 0;
	return name && *name && *name != '.';
}

static void make_directories(char *path)
{
	for (char *slash = path; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash) *slash = 0;
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			fail(IO_FAILURE, path, "cannot make a directory: %s", strerror(errno));
		if (slash) *slash = '/';
	}
}

/* Leaves the request for the agent: whole or not at all, the last one of the same attachment winning. */
static void write_down(const char *state_dir, const char *name, const struct octets *body)
{
	char directory[300], temporary[400], final[1024];
	snprintf(directory, sizeof directory, "%s/pending-del", state_dir);
	snprintf(temporary, sizeof temporary, "%s/.%d.tmp", directory, (int)getpid());
	snprintf(final, sizeof final, "%s/%s", directory, name);
	make_directories(directory);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0 && write_all(fd, body->at, body->length) && fsync(fd) == 0 && rename(temporary, final) == 0) return;
	int reason = errno;
	unlink(temporary);
	fail(IO_FAILURE, final, "the agent is away and the request cannot be written down: %s", strerror(reason));
}

/* A frozen agent, or one that died over the request, may still do it or have done it: a DEL done twice does no harm. */
static int without_agent(const char *command, const char *reason, const struct config *config, const struct octets *body)
{
	char name[600];
	if (!config->is_json)
		fail(NOT_JSON, reason, "the network configuration on standard input is empty or no JSON object");
	if (!strcmp(command, "STATUS")) fail(NOT_AVAILABLE, reason, "the overland agent is not running on this node");
	/* GC is not kept for later: by then its list of living attachments would be old. The runtime repeats it. */
	if (strcmp(command, "DEL"))
		fail(TRY_AGAIN, reason, "the overland agent does not answer: is it running on this node? "
			"See 'systemctl status overland' or 'kubectl get pods -A -o wide'");
	const char *container = getenv("CNI_CONTAINERID"), *interface = getenv("CNI_IFNAME");
	if (!safe_name(container) || !safe_name(interface))
		fail(INVALID_ENVIRONMENT, "", "CNI_CONTAINERID or CNI_IFNAME is missing or has characters that no ID has");
	/* The agent's own name for it: an interface's "-" as ":", so that no other container and interface have the same. */
	snprintf(name, sizeof name, "%s-%s", container, interface);
	for (char *c = name + strlen(name) - strlen(interface); *c; c++)
		if (*c == '-') *c = ':';
	write_down(config->state_dir, name, body);
	return 0;
}

int main(int count, char **arguments)
{
	struct octets input = { 0 }, body = { 0 }, request = { 0 }, reply = { 0 };
	struct config config = { 0 };
	const char *command = getenv("CNI_COMMAND"), *path = getenv("OVERLAND_SOCKET");
	char chunk[65536], head[256], reason[512];
	ssize_t n;

	const char *slash = count > 0 ? strrchr(arguments[0], '/') : NULL;
	is_delegate = count > 0 && !strcmp(slash ? slash + 1 : arguments[0], "overland-ipam");
	signal(SIGPIPE, SIG_IGN);
	append(&input, "", 0);
	while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0) append(&input, chunk, n);
	understand(&input, &config);
	if (!command || !*command) fail(INVALID_ENVIRONMENT, "", "the environment variable CNI_COMMAND is missing");
	if (!strcmp(command, "VERSION"))
		return printf("{\"cniVersion\":\"%s\",\"supportedVersions\":[" VERSIONS "]}\n", cni_version) < 0;
	snprintf(head, sizeof head, " %s ", command);
	if (strchr(command, ' ') || !strstr(" ADD DEL CHECK GC STATUS ", head))
		fail(INVALID_ENVIRONMENT, command, "CNI_COMMAND is none of ADD, DEL, CHECK, GC, STATUS, VERSION");
	if (config.socket[0]) path = config.socket;
	else if (!path || !*path) path = DEFAULT_SOCKET;
	if (!config.state_dir[0]) strcpy(config.state_dir, DEFAULT_STATE_DIR);

	for (char **variable = environ; *variable; variable++)
		if (!strncmp(*variable, "CNI_", 4)) append(&body, *variable, strlen(*variable) + 1);
	if (is_delegate) append(&body, "PLUGIN=overland-ipam", sizeof "PLUGIN=overland-ipam");
	append(&body, "", 1);
	append(&body, input.at, input.length);
	int fd = connect_agent(path);
	snprintf(reason, sizeof reason, "connecting to %s: %s", path, strerror(errno));
	if (fd < 0) return without_agent(command, reason, &config, &body);
	snprintf(head, sizeof head, "POST /cni HTTP/1.1\r\nHost: overland\r\nConnection: close\r\n"
		"Content-Type: application/x-overland-cni\r\nContent-Length: %zu\r\n\r\n", body.length);
	append(&request, head, strlen(head));
	append(&request, body.at, body.length);
	exchange(fd, &request, &reply);
	int status = print_reply(&reply);
	snprintf(reason, sizeof reason, "no whole answer from %s within %d s", path, ANSWER_LIMIT_SECONDS);
	return status < 0 ? without_agent(command, reason, &config, &body) : status;
}
