/** A request that was understood and cannot be met, in words for the person who made it. */
export type RefusalCode =
  | "no-pool" /** no pool of the family may be used by this node */
  | "unknown-pool" /** the request names a pool that does not exist */
  | "pool-full"
  | "block-limit" /** the node may claim no more blocks, and cannot borrow */
  | "strict-affinity" /** the address is in another node's block, and nothing may be borrowed */
  | "address-outside-pools"
  | "address-in-use"
  | "handle-in-use" /** the handle already holds another address than the one asked for */
  | "busy" /** others changed the same records, again and again */
  | "too-large" /** more at once than one transaction holds */
  | "corrupt"; /** a stored record cannot be read */

export class Refusal extends Error {
  readonly code: RefusalCode;
  /** True when the same request may succeed later without anybody changing the configuration. */
  readonly retryable: boolean;

  constructor(code: RefusalCode, message: string, retryable: boolean) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.retryable = retryable;
  }
}
