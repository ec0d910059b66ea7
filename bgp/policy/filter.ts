/** A BGPFilter, compiled. */
export interface Filter {
  readonly name: string;
}
