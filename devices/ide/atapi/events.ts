/**
 * GET EVENT STATUS NOTIFICATION: what has happened since the guest asked last, for guests that poll.
 *
 * [MMC] GET EVENT STATUS NOTIFICATION
 */
import { putU16 } from "./big-endian.js";
import type { Answer } from "./drive-view.js";
import { Sense } from "./sense.js";

/** IMMED bit of byte 1. Without it the command would wait for an event, which we cannot do. */
const POLLED = 0x01;
/** Notification classes: byte 4 asks for them by bit. */
const EventClass = { operationalChange: 1, media: 4 } as const;
const SUPPORTED = (1 << EventClass.operationalChange) | (1 << EventClass.media);
const NO_EVENT_AVAILABLE = 0x80;

/** Events of the media class. */
export const MediaEvent = { none: 0, ejectRequest: 1, newMedium: 2, mediumRemoval: 3 } as const;
/** Of the operational change class: the drive's features or profile are others than before. */
const FEATURE_CHANGE_EVENT = 2;
const FEATURE_CHANGE = 1;
const MediaStatus = { trayOpen: 0x01, present: 0x02 } as const;

/** What waits to be told; it is forgotten once told. */
export interface PendingEvents {
  /** One of {@link MediaEvent}. */
  media: number;
  profileChanged: boolean;
}

/** The drive's door and medium, as they are: a medium in an open tray is present. */
export interface TrayView {
  readonly trayOpen: boolean;
  readonly present: boolean;
}

export function getEventStatus(
  packet: Uint8Array,
  target: Uint8Array,
  pending: PendingEvents,
  { trayOpen, present }: TrayView,
): Answer {
  if (((packet[1] ?? 0) & POLLED) === 0) return Sense.invalidField;
  const wanted = (packet[4] ?? 0) & SUPPORTED;
  target[3] = SUPPORTED;
  // The class of the lowest number that has news, or else the lowest asked for.
  const wantsOperational = (wanted & (1 << EventClass.operationalChange)) !== 0;
  const wantsMedia = (wanted & (1 << EventClass.media)) !== 0;
  putU16(target, 0, 6); // bytes after this field
  if (wantsOperational && (pending.profileChanged || !wantsMedia || pending.media === MediaEvent.none)) {
    target[2] = EventClass.operationalChange;
    if (pending.profileChanged) target.set([FEATURE_CHANGE_EVENT, 0, 0, FEATURE_CHANGE], 4);
    pending.profileChanged = false;
    return 8;
  }
  if (wantsMedia) {
    target[2] = EventClass.media;
    target[4] = pending.media;
    target[5] = (trayOpen ? MediaStatus.trayOpen : 0) | (present ? MediaStatus.present : 0);
    pending.media = MediaEvent.none;
    return 8;
  }
  putU16(target, 0, 2);
  target[2] = NO_EVENT_AVAILABLE;
  return 4;
}
