/*
 * load: drives a CNI plugin as a container runtime does, and times it.
 *
 *   load PLUGIN CONFIG-FILE PREFIX N IN-FLIGHT[:SECONDS][,IN-FLIGHT...]
 *
 * Makes N network namespaces PREFIX0.. under /run/netns (not timed). Then, for each number of calls in flight, ADD for
 * every one of them and, so many seconds later, DEL for every one, each call an exec of the plugin with the CNI_* variables and the
 * configuration on standard input; what ADD printed is put into DEL's configuration as prevResult. Prints one JSON line
 * a phase: milliseconds, those of the first and the last hundred apart, and the processor time of the plugin's processes
 * for a call. Exits 1 when a call failed, after removing the namespaces; SIGINT and SIGTERM remove them too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_ROOM 65536

static const char *plugin, *prefix;
static char config[OUTPUT_ROOM], **results;
static double *latencies;
static int pods, adding;
static atomic_int next_pod, failures, stopping, told;

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void namespace_path(char *path, size_t room, int pod) { snprintf(path, room, "/run/netns/%s%d", prefix, pod); }

static void remove_namespaces(void)
{
	char path[256];
	for (int i = 0; i < pods; i++) {
		namespace_path(path, sizeof path, i);
		umount2(path, MNT_DETACH);
		unlink(path);
	}
}

/*
 * In a thread of its own, whose namespace it changes for good: makes a namespace and pins it by a bind mount, for
 * each pod.
 */
static void *make_namespaces(void *unused)
{
	char path[256];
	for (int i = 0; i < pods; i++) {
		namespace_path(path, sizeof path, i);
		int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0 || close(fd) < 0) die(path);
		if (unshare(CLONE_NEWNET) < 0 || mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) < 0)
			die("making a namespace");
	}
	return unused;
}

/* Writes the configuration, for DEL with prevResult before its closing brace, into a file that the plugin reads. */
static int config_file(int pod)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	size_t length = strlen(config);
	if (fd < 0) die("memfd_create");
	if (adding || !results[pod][0]) dprintf(fd, "%s", config);
	else dprintf(fd, "%.*s,\"prevResult\":%s}", (int)length - 1, config, results[pod]);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* One call of the plugin; true when it succeeded. */
static int call(int pod)
{
	char command[32], id[64], netns[300], path[300], *slash;
	snprintf(command, sizeof command, "CNI_COMMAND=%s", adding ? "ADD" : "DEL");
	snprintf(id, sizeof id, "CNI_CONTAINERID=%s%d", prefix, pod);
	memcpy(netns, "CNI_NETNS=", 10);
	namespace_path(netns + 10, sizeof netns - 10, pod);
	snprintf(path, sizeof path, "CNI_PATH=%s", plugin);
	if ((slash = strrchr(path, '/'))) *slash = 0;
	char arguments[160], *standard = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	const char *format = "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=%s%d";
	snprintf(arguments, sizeof arguments, format, prefix, pod);
	char *environment[] = { command, id, netns, "CNI_IFNAME=eth0", path, arguments, standard, NULL };
	char *argv[] = { (char *)plugin, NULL };
	int input = config_file(pod), output[2], status = -1;
	if (pipe2(output, O_CLOEXEC) < 0) die("pipe");
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, 0);
	posix_spawn_file_actions_adddup2(&actions, output[1], 1);
	pid_t child;
	int error = posix_spawn(&child, plugin, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	close(input);
	close(output[1]);
	if (error) errno = error, die(plugin);
	static __thread char text[OUTPUT_ROOM];
	size_t length = 0;
	ssize_t n;
	while ((n = read(output[0], text + length, sizeof text - 1 - length)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0) length += n;
	text[length] = 0;
	close(output[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0) {
		if (!told++) fprintf(stderr, "load: %s of pod %d failed: %s\n", adding ? "ADD" : "DEL", pod, text);
		return 0;
	}
	if (adding) {
		free(results[pod]);
		results[pod] = strdup(text);
	}
	return 1;
}

static void *worker(void *unused)
{
	for (int pod; !stopping && (pod = next_pod++) < pods;) {
		double start = milliseconds();
		if (!call(pod)) failures++;
		latencies[pod] = milliseconds() - start;
	}
	return unused;
}

static double cpu_of_children(void)
{
	struct rusage used;
	getrusage(RUSAGE_CHILDREN, &used);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

static int ascending(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;
	return (difference > 0) - (difference < 0);
}

static double median(const double *values, int count)
{
	double sorted[count];
	memcpy(sorted, values, sizeof sorted);
	qsort(sorted, count, sizeof *sorted, ascending);
	return sorted[count / 2];
}

/* One phase over all pods, and its line. Gives the number of failures. */
static int phase(int add, int in_flight)
{
	pthread_t threads[in_flight];
	adding = add;
	next_pod = failures = 0;
	double start = milliseconds(), cpu = cpu_of_children();
	for (int i = 0; i < in_flight; i++)
		if (pthread_create(&threads[i], NULL, worker, NULL)) die("starting a thread");
	for (int i = 0; i < in_flight; i++) pthread_join(threads[i], NULL);
	double wall = milliseconds() - start;
	if (stopping) return 1;
	int hundred = pods < 100 ? pods : 100;
	double first = median(latencies, hundred), last = median(latencies + pods - hundred, hundred);
	qsort(latencies, pods, sizeof *latencies, ascending);
	printf("{\"op\":\"%s\",\"n\":%d,\"c\":%d,\"fail\":%d,\"wall_ms\":%.2f,\"p50\":%.3f,\"p99\":%.3f,\"per_s\":%.1f,"
	       "\"first\":%.3f,\"last\":%.3f,\"cpu_ms\":%.4f}\n",
		add ? "ADD" : "DEL", pods, in_flight, failures, wall, latencies[pods / 2], latencies[pods * 99 / 100],
		pods * 1000.0 / wall, first, last, (cpu_of_children() - cpu) / pods);
	fflush(stdout);
	return failures;
}

static void stop(int signal) { stopping = signal; }

int main(int argc, char **argv)
{
	if (argc != 6 || (pods = atoi(argv[4])) < 1 || strlen(argv[3]) > 32) {
		fprintf(stderr, "usage: load PLUGIN CONFIG-FILE PREFIX N IN-FLIGHT[:SECONDS][,IN-FLIGHT...]\n");
		return 2;
	}
	plugin = argv[1];
	prefix = argv[3];
	FILE *file = fopen(argv[2], "r");
	if (!file) die(argv[2]);
	size_t length = fread(config, 1, sizeof config - 1, file);
	while (length > 0 && config[length - 1] != '}') config[--length] = 0;
	fclose(file);
	latencies = calloc(pods, sizeof *latencies);
	results = calloc(pods, sizeof *results);
	for (int i = 0; i < pods; i++) results[i] = strdup("");
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	mkdir("/run/netns", 0755);
	atexit(remove_namespaces);
	pthread_t maker;
	if (pthread_create(&maker, NULL, make_namespaces, NULL)) die("starting a thread");
	pthread_join(maker, NULL);
	int failed = 0;
	for (char *next = strtok(argv[5], ","); next && !stopping; next = strtok(NULL, ",")) {
		int in_flight = atoi(next) < 1 ? 1 : atoi(next) > 256 ? 256 : atoi(next);
		failed += phase(1, in_flight);
		for (int left = (next = strchr(next, ':')) ? atoi(next + 1) : 0; left > 0 && !stopping; left--) sleep(1);
		if (stopping) phase(0, 1);
		else failed += phase(0, in_flight);
	}
	return stopping ? 130 : failed > 0;
}
