/*
 * floor: what the kernel alone takes to wire a pod, and nothing else: no process, no addresses to find, no record.
 *
 *   floor PODS
 *
 * For each pod: a veth pair whose peer is born in the pod's namespace, then in the pod its link up, a /32, the routes to
 * and via 169.254.1.1 and its permanent neighbour, then on the host proxy_arp, link up and the route to the pod. Works in
 * the namespace it is started in, so start it in a new one. Prints a JSON line with the processor time and the median
 * milliseconds of one pod. Namespaces and links are gone when it ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_INDEX = 1000, POD_INDEX = 2, DEVCONF_PROXY_ARP = 3 };

static char octets[8192];
static size_t length;
static struct nlmsghdr *message;
static const unsigned char host_mac[6] = { 0xee, 0xee, 0xee, 0xee, 0xee, 0xee };

static void fail(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *room(size_t size)
{
	void *at = memset(octets + length, 0, NLMSG_ALIGN(size));
	length += NLMSG_ALIGN(size);
	return at;
}

static void *begin(int type, int flags, size_t body)
{
	message = room(sizeof *message);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	return room(body);
}

static void put(int type, const void *value, size_t size)
{
	struct rtattr *attribute = room(RTA_LENGTH(size));
	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(size);
	memcpy(RTA_DATA(attribute), value, size);
}

static void put_u32(int type, unsigned value) { put(type, &value, sizeof value); }

static struct rtattr *open_nest(int type)
{
	struct rtattr *nest = room(RTA_LENGTH(0));
	nest->rta_type = type;
	return nest;
}

static void close_nest(struct rtattr *nest) { nest->rta_len = octets + length - (char *)nest; }

static void end(void) { message->nlmsg_len = octets + length - (char *)message; }

/* Sends what was begun and ended; the last message asks for the acknowledgement, errors come for any. */
static void commit(int socket, const char *what)
{
	char answer[4096];
	message->nlmsg_flags |= NLM_F_ACK;
	if (send(socket, octets, length, 0) < 0) fail(what);
	ssize_t got = recv(socket, answer, sizeof answer, 0);
	if (got < 0) fail(what);
	struct nlmsgerr *error = NLMSG_DATA((struct nlmsghdr *)answer);
	if (error->error != 0) errno = -error->error, fail(what);
	length = 0;
}

static int netlink(void)
{
	int socket_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (socket_ < 0) fail("socket");
	return socket_;
}

static void link_up(int index)
{
	struct ifinfomsg *link = begin(RTM_NEWLINK, 0, sizeof *link);
	link->ifi_index = index;
	link->ifi_flags = link->ifi_change = IFF_UP;
	end();
}

/* No link-local address, as ours: in a message of its own before the one that sets the link up. */
static void no_address(int index)
{
	struct ifinfomsg *link = begin(RTM_NEWLINK, 0, sizeof *link);
	link->ifi_index = index;
	struct rtattr *families = open_nest(IFLA_AF_SPEC), *inet6 = open_nest(AF_INET6);
	unsigned char none = 1;
	put(IFLA_INET6_ADDR_GEN_MODE, &none, 1);
	close_nest(inet6);
	close_nest(families);
	end();
}

static void route(unsigned to, int bits, unsigned via, int index)
{
	struct rtmsg *body = begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof *body);
	*body = (struct rtmsg){ .rtm_family = AF_INET, .rtm_dst_len = bits, .rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST,
		.rtm_scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK };
	if (bits) put_u32(RTA_DST, to);
	if (via) put_u32(RTA_GATEWAY, via);
	put_u32(RTA_OIF, index);
	end();
}

static void create_pair(int socket, int pod, int namespace)
{
	char name[IFNAMSIZ];
	snprintf(name, sizeof name, "floor%d", pod);
	struct ifinfomsg *link = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *link);
	link->ifi_index = FIRST_INDEX + pod;
	put(IFLA_IFNAME, name, strlen(name) + 1);
	put(IFLA_ADDRESS, host_mac, 6);
	put_u32(IFLA_NUM_TX_QUEUES, 1);
	put_u32(IFLA_NUM_RX_QUEUES, 1);
	struct rtattr *info = open_nest(IFLA_LINKINFO);
	put(IFLA_INFO_KIND, "veth", 4);
	struct rtattr *data = open_nest(IFLA_INFO_DATA), *peer = open_nest(VETH_INFO_PEER);
	struct ifinfomsg *other = room(sizeof *other);
	other->ifi_index = POD_INDEX;
	put(IFLA_IFNAME, "eth0", 5);
	put_u32(IFLA_NUM_TX_QUEUES, 1);
	put_u32(IFLA_NUM_RX_QUEUES, 1);
	put_u32(IFLA_NET_NS_FD, namespace);
	close_nest(peer);
	close_nest(data);
	close_nest(info);
	end();
	commit(socket, "creating a pair");
}

static void wire_pod(int socket, unsigned address)
{
	unsigned gateway = inet_addr("169.254.1.1");
	link_up(1);
	no_address(POD_INDEX);
	link_up(POD_INDEX);
	struct ifaddrmsg *body = begin(RTM_NEWADDR, NLM_F_CREATE, sizeof *body);
	*body = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = POD_INDEX };
	put_u32(IFA_LOCAL, address);
	end();
	route(gateway, 32, 0, POD_INDEX);
	route(0, 0, gateway, POD_INDEX);
	struct ndmsg *neighbour = begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof *neighbour);
	*neighbour = (struct ndmsg){ .ndm_family = AF_INET, .ndm_ifindex = POD_INDEX, .ndm_state = NUD_PERMANENT };
	put_u32(NDA_DST, gateway);
	put(NDA_LLADDR, host_mac, 6);
	end();
	commit(socket, "in the pod");
}

static void wire_host(int socket, int index, unsigned address)
{
	no_address(index);
	struct ifinfomsg *link = begin(RTM_NEWLINK, 0, sizeof *link);
	link->ifi_index = index;
	struct rtattr *families = open_nest(IFLA_AF_SPEC), *inet = open_nest(AF_INET), *conf = open_nest(IFLA_INET_CONF);
	put_u32(DEVCONF_PROXY_ARP, 1);
	close_nest(conf);
	close_nest(inet);
	close_nest(families);
	end();
	link_up(index);
	route(address, 32, 0, index);
	commit(socket, "on the host");
}

static int ascending(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;
	return (difference > 0) - (difference < 0);
}

static double milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static double cpu(void)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

static int namespace_of_thread(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0) fail("/proc/thread-self/ns/net");
	return fd;
}

int main(int argc, char **argv)
{
	int pods = argc == 2 ? atoi(argv[1]) : 0;
	if (pods < 1 || pods > 60000) {
		fprintf(stderr, "usage: floor PODS\n");
		return 2;
	}
	int *namespaces = calloc(pods, sizeof *namespaces), home = namespace_of_thread(), host = netlink();
	double *times = calloc(pods, sizeof *times);
	for (int pod = 0; pod < pods; pod++) {
		if (unshare(CLONE_NEWNET) < 0) fail("making a namespace");
		namespaces[pod] = namespace_of_thread();
	}
	if (setns(home, CLONE_NEWNET) < 0) fail("coming home");
	double cpu_before = cpu();
	for (int pod = 0; pod < pods; pod++) {
		double start = milliseconds();
		unsigned address = htonl((10u << 24) + pod + 1);
		create_pair(host, pod, namespaces[pod]);
		if (setns(namespaces[pod], CLONE_NEWNET) < 0) fail("entering the pod");
		int inside = netlink();
		if (setns(home, CLONE_NEWNET) < 0) fail("coming home");
		wire_pod(inside, address);
		close(inside);
		wire_host(host, FIRST_INDEX + pod, address);
		times[pod] = milliseconds() - start;
	}
	double used = (cpu() - cpu_before) / pods;
	qsort(times, pods, sizeof *times, ascending);
	printf("{\"cpu_ms\":%.4f,\"p50\":%.4f}\n", used, times[pods / 2]);
	return 0;
}
