/**
 * States of either end of a paravirtual device.
 *
 * [XENBUS] xen.git xen/include/public/io/xenbus.h, enum xenbus_state
 */

export const XenbusState = {
  unknown: 0,
  initialising: 1,
  /** Ready, and waits for the other end or for something of its own. */
  initWait: 2,
  /** Has published its rings and waits to be connected to. */
  initialised: 3,
  connected: 4,
  /** About to close: by an error or an unplug. */
  closing: 5,
  closed: 6,
  reconfiguring: 7,
  reconfigured: 8,
} as const;
export type XenbusState = (typeof XenbusState)[keyof typeof XenbusState];

const STATES: readonly XenbusState[] = Object.values(XenbusState);

/** The state that a `state` node tells. A missing node, or one with anything else in it, tells `unknown`. */
export function parseXenbusState(text: string | undefined): XenbusState {
  return STATES.find((state) => text === `${state}`) ?? XenbusState.unknown;
}
