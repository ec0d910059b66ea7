/** Who holds the blocks of services' addresses. It is no node's name (they have no colon), and never departs. */
export const LOAD_BALANCER = "virtual:load-balancer";
