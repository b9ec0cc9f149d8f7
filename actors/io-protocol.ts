/** What every I/O actor is asked by the device actor, over a channel of their own and each other's doorbell. */

export type IoRequest =
  /** Take nothing new and finish what is under way: the guest's memory is not touched after it. Answered by `quiesced`. */
  { readonly kind: "quiesce" } | { readonly kind: "resume" } | { readonly kind: "stop" };

export interface Quiesced {
  readonly kind: "quiesced";
}
