/*
 * The kernel's own rate: adds routes as fast as one netlink socket takes them, in datagrams of many messages of which
 * the last is acknowledged. No speaker that installs routes one by one can be faster, whatever it is written in.
 *
 *   raw-netlink INTERFACE < routes        a line "address/length gateway" each, sorted in no way
 *
 * Prints the seconds it took, reading and preparing not counted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PROTOCOL = 201, BATCH = 400 };

struct route {
  struct nlmsghdr header;
  struct rtmsg body;
  struct rtattr destination_head;
  struct in_addr destination;
  struct rtattr gateway_head;
  struct in_addr gateway;
  struct rtattr link_head;
  int link;
};

static void fail(const char *what) {
  fprintf(stderr, "raw-netlink: %s: %s\n", what, strerror(errno));
  exit(1);
}

static struct rtattr attribute(unsigned short type) {
  return (struct rtattr){.rta_len = RTA_LENGTH(4), .rta_type = type};
}

static struct route *read_routes(int link, size_t *count) {
  size_t room = 1024;
  struct route *routes = malloc(room * sizeof *routes);
  char address[64], gateway[64];
  unsigned length;
  *count = 0;
  while (scanf("%63[0-9.]/%u %63s\n", address, &length, gateway) == 3) {
    if (*count == room) routes = realloc(routes, (room *= 2) * sizeof *routes);
    if (routes == NULL) fail("memory");
    struct route *route = &routes[(*count)++];
    *route = (struct route){
        .header = {.nlmsg_len = sizeof *route, .nlmsg_type = RTM_NEWROUTE, .nlmsg_seq = (unsigned)*count,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE},
        .body = {.rtm_family = AF_INET, .rtm_dst_len = (unsigned char)length, .rtm_table = RT_TABLE_MAIN,
                 .rtm_protocol = PROTOCOL, .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST},
        .destination_head = attribute(RTA_DST), .gateway_head = attribute(RTA_GATEWAY), .link_head = attribute(RTA_OIF),
        .link = link,
    };
    if (inet_pton(AF_INET, address, &route->destination) != 1) fail(address);
    if (inet_pton(AF_INET, gateway, &route->gateway) != 1) fail(gateway);
  }
  return routes;
}

/* One datagram; the answer to its last message comes when all are done. */
static void send_batch(int socket, struct route *routes, size_t count) {
  routes[count - 1].header.nlmsg_flags |= NLM_F_ACK;
  if (send(socket, routes, count * sizeof *routes, 0) < 0) fail("send");
  for (int done = 0; !done;) {
    char answer[8192];
    ssize_t left = recv(socket, answer, sizeof answer, 0);
    if (left < 0) fail("recv");
    for (struct nlmsghdr *message = (void *)answer; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type != NLMSG_ERROR) continue;
      errno = -((struct nlmsgerr *)NLMSG_DATA(message))->error;
      if (errno != 0) fail("a route");
      done = message->nlmsg_seq == routes[count - 1].header.nlmsg_seq;
    }
  }
}

int main(int argc, char **argv) {
  int link = argc == 2 ? (int)if_nametoindex(argv[1]) : 0;
  if (link == 0) fail("usage: raw-netlink INTERFACE");
  size_t count;
  struct route *routes = read_routes(link, &count);
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  int room = 1 << 20;
  if (netlink < 0) fail("socket");
  if (setsockopt(netlink, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) < 0) fail("SO_SNDBUF");
  struct timespec began, ended;
  clock_gettime(CLOCK_MONOTONIC, &began);
  for (size_t at = 0; at < count; at += BATCH) send_batch(netlink, &routes[at], count - at < BATCH ? count - at : BATCH);
  clock_gettime(CLOCK_MONOTONIC, &ended);
  printf("%.6f\n", (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9);
  return 0;
}
