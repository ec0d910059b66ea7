/*
 * The CNI plugin: passes the request of the container runtime to the agent on this node and prints its answer.
 *
 * Every decision is the agent's. Here is only what must work without it: VERSION, an error that says what to do, and a
 * DEL that is written down for the agent to finish when it is back. C, because a process start is most of what a pod
 * pays for its network: 0.2 ms, where the smallest start of Node.js is 21 ms; static, because a host promises nothing.
 *
 *   request   POST /cni, body: each CNI_* variable as NAME=VALUE NUL, one more NUL, then standard input as it is
 *   reply     200: the body goes to standard output, exit 0; any other status: the same, exit 1
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/overland/agent.sock"
#define DEFAULT_STATE_DIR "/var/lib/overland"
#define VERSIONS "\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\""
#define ANSWER_LIMIT_SECONDS 120
#define MAX_OCTETS (16 << 20)
#define MAX_DEPTH 64

enum { INVALID_ENVIRONMENT = 4, IO_FAILURE = 5, NOT_JSON = 6, TRY_AGAIN = 11, NOT_AVAILABLE = 50 };

struct octets { char *at; size_t length, room; };
struct config { int is_json; char socket[256], state_dir[256], version[16]; };

extern char **environ;
static const char *cni_version = "1.1.0";

/* Prints a CNI error object and ends with status 1. */
static void fail(int code, const char *details, const char *format, ...)
{
	char message[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	printf("{\"cniVersion\":\"%s\",\"code\":%d", cni_version, code);
	for (int i = 0; i < 2; i++) {
		printf(i == 0 ? ",\"msg\":\"" : ",\"details\":\"");
		for (const unsigned char *c = (const unsigned char *)(i == 0 ? message : details); *c; c++) {
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

static void append_text(struct octets *to, const char *text) { append(to, text, strlen(text)); }

/* ---- the network configuration: a JSON reader that keeps three strings of the top level ---- */

static const char *blank(const char *p) { return p + strspn(p, " \t\r\n"); }

/* Reads a string, copying it to `out` unless that is NULL; one too long, or with more than simple escapes, as empty. */
static const char *string(const char *p, char *out, size_t room)
{
	size_t n = 0;
	if (*p != '"') return NULL;
	for (p++; *p != '"'; p++, n++) {
		if ((unsigned char)*p < 0x20) return NULL;
		if (*p == '\\') {
			p++;
			if (!*p || !strchr("\"\\/bfnrtu", *p)) return NULL;
			if (strchr("bfnrtu", *p)) room = 0;
		}
		if (out && n + 1 < room) out[n] = *p;
	}
	if (out) out[n < room ? n : 0] = 0;
	return p + 1;
}

static const char *value(const char *p, int depth, struct config *keep);

/* A member of an object; of the top level's, three are kept. */
static const char *member(const char *p, int depth, struct config *keep)
{
	char key[16];
	p = string(p, key, sizeof key);
	if (!p || *(p = blank(p)) != ':') return NULL;
	p = blank(p + 1);
	if (depth == 0 && *p == '"') {
		if (!strcmp(key, "socket")) return string(p, keep->socket, sizeof keep->socket);
		if (!strcmp(key, "stateDir")) return string(p, keep->state_dir, sizeof keep->state_dir);
		if (!strcmp(key, "cniVersion")) return string(p, keep->version, sizeof keep->version);
	}
	return value(p, depth + 1, keep);
}

/* Steps over any value. NULL: malformed. */
static const char *value(const char *p, int depth, struct config *keep)
{
	if (*p == '"') return string(p, NULL, 0);
	if (*p == '{' || *p == '[') {
		char close = *p == '{' ? '}' : ']';
		if (depth == MAX_DEPTH) return NULL;
		p = blank(p + 1);
		if (*p == close) return p + 1;
		for (;; p = blank(p + 1)) {
			p = close == '}' ? member(p, depth, keep) : value(p, depth + 1, keep);
			if (!p) return NULL;
			p = blank(p);
			if (*p == close) return p + 1;
			if (*p != ',') return NULL;
		}
	}
	if (!strncmp(p, "true", 4) || !strncmp(p, "null", 4)) return p + 4;
	if (!strncmp(p, "false", 5)) return p + 5;
	return strchr("-0123456789", *p) && *p ? p + strspn(p, "+-0123456789.eE") : NULL;
}

static void read_config(const struct octets *input, struct config *config)
{
	const char *start = blank(input->at), *end = *start == '{' ? value(start, 0, config) : NULL;
	config->is_json = end && *blank(end) == 0 && strlen(input->at) == input->length;
	char quoted[sizeof config->version + 2];
	snprintf(quoted, sizeof quoted, "\"%s\"", config->version);
	if (config->version[0] && strstr(VERSIONS, quoted)) cni_version = config->version;
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

/* Prints the body of a whole reply and gives the exit status. */
static int print_reply(const struct octets *reply)
{
	char *head = reply->at ? reply->at : "", *end = strstr(head, "\r\n\r\n");
	int status = 0;
	if (!end || sscanf(head, "HTTP/1.%*c %d", &status) != 1)
		fail(TRY_AGAIN, "the answer was cut off or is no HTTP", "the overland agent did not finish its answer; try again");
	char *body = end + 4, *field = strcasestr(head, "\r\ncontent-length:");
	size_t got = reply->length - (body - head), announced = field && field < end ? strtoul(field + 17, NULL, 10) : got + 1;
	if (got < announced)
		fail(TRY_AGAIN, "the answer was cut off", "the overland agent did not finish its answer; try again");
	if (announced == 0 && status != 200)
		fail(TRY_AGAIN, "", "the overland agent answered with HTTP status %d and no reason", status);
	for (size_t written = 0; written < announced;) {
		ssize_t n = write(STDOUT_FILENO, body + written, announced - written);
		if (n < 0 && errno != EINTR) return 1;
		if (n > 0) written += n;
	}
	return status == 200 ? 0 : 1;
}

/* ---- the agent is away ---- */

static int safe_name(const char *name)
{
	return name && *name && *name != '.' && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == strlen(name);
}

static void make_directories(char *path)
{
	for (char *slash = path; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash) *slash = 0;
		if (mkdir(path, 0700) < 0 && errno != EEXIST) fail(IO_FAILURE, path, "cannot make a directory: %s", strerror(errno));
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
	size_t written = 0;
	while (fd >= 0 && written < body->length) {
		ssize_t n = write(fd, body->at + written, body->length - written);
		if (n > 0) written += n;
		else if (errno != EINTR) break;
	}
	if (fd < 0 || written < body->length || fsync(fd) < 0 || close(fd) < 0 || rename(temporary, final) < 0) {
		int reason = errno;
		unlink(temporary);
		fail(IO_FAILURE, final, "the overland agent is away and the request cannot be written down: %s", strerror(reason));
	}
}

static int without_agent(const char *command, const char *path, const struct config *config, const struct octets *body)
{
	char reason[512], name[600];
	snprintf(reason, sizeof reason, "connecting to %s: %s", path, strerror(errno));
	if (!config->is_json) fail(NOT_JSON, reason, "the network configuration on standard input is empty or no JSON object");
	if (!strcmp(command, "STATUS")) fail(NOT_AVAILABLE, reason, "the overland agent is not running on this node");
	int gc = !strcmp(command, "GC");
	if (!gc && strcmp(command, "DEL"))
		fail(TRY_AGAIN, reason, "the overland agent does not answer: is it running on this node? "
			"See 'systemctl status overland' or 'kubectl get pods -A -o wide'");
	const char *container = getenv("CNI_CONTAINERID"), *interface = getenv("CNI_IFNAME");
	if (!gc && !safe_name(container)) fail(INVALID_ENVIRONMENT, container ? container : "", "CNI_CONTAINERID is missing or no container ID");
	if (!gc && !safe_name(interface)) fail(INVALID_ENVIRONMENT, interface ? interface : "", "CNI_IFNAME is missing or no interface name");
	snprintf(name, sizeof name, gc ? "gc" : "%s-%s", container, interface);
	write_down(config->state_dir, name, body);
	return 0;
}

int main(void)
{
	struct octets input = { 0 }, body = { 0 }, request = { 0 }, reply = { 0 };
	struct config config = { 0 };
	const char *command = getenv("CNI_COMMAND"), *path = getenv("OVERLAND_SOCKET");
	char chunk[65536], head[256];
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	append(&input, "", 0);
	while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0) append(&input, chunk, n);
	read_config(&input, &config);
	if (!command || !*command) fail(INVALID_ENVIRONMENT, "", "the environment variable CNI_COMMAND is missing");
	if (!strcmp(command, "VERSION")) {
		printf("{\"cniVersion\":\"%s\",\"supportedVersions\":[" VERSIONS "]}\n", cni_version);
		return 0;
	}
	if (strcmp(command, "ADD") && strcmp(command, "DEL") && strcmp(command, "CHECK") && strcmp(command, "GC") && strcmp(command, "STATUS"))
		fail(INVALID_ENVIRONMENT, command, "CNI_COMMAND is none of ADD, DEL, CHECK, GC, STATUS, VERSION");
	if (config.socket[0]) path = config.socket;
	else if (!path || !*path) path = DEFAULT_SOCKET;
	if (!config.state_dir[0]) strcpy(config.state_dir, DEFAULT_STATE_DIR);

	for (char **variable = environ; *variable; variable++)
		if (!strncmp(*variable, "CNI_", 4)) append(&body, *variable, strlen(*variable) + 1);
	append(&body, "", 1);
	append(&body, input.at, input.length);
	int fd = connect_agent(path);
	if (fd < 0) return without_agent(command, path, &config, &body);
	snprintf(head, sizeof head, "POST /cni HTTP/1.1\r\nHost: overland\r\nConnection: close\r\n"
		"Content-Type: application/x-overland-cni\r\nContent-Length: %zu\r\n\r\n", body.length);
	append_text(&request, head);
	append(&request, body.at, body.length);
	exchange(fd, &request, &reply);
	return print_reply(&reply);
}
