/**
 * Numbers of the virtio network device.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.1 "Network device"
 */

/** Feature bits. [VIRTIO] 5.1.3 */
export const NetFeature = {
  csum: 0,
  guestCsum: 1,
  ctrlGuestOffloads: 2,
  mac: 5,
  guestTso4: 7,
  guestTso6: 8,
  guestEcn: 9,
  hostTso4: 11,
  hostTso6: 12,
  hostEcn: 13,
  mrgRxbuf: 15,
  status: 16,
  ctrlVq: 17,
  ctrlRx: 18,
  ctrlVlan: 19,
  ctrlRxExtra: 20,
  guestAnnounce: 21,
  ctrlMacAddr: 23,
} as const;

/** Queues. [VIRTIO] 5.1.2 */
export const NetQueue = { receive: 0, transmit: 1, control: 2 } as const;

/** struct virtio_net_config, up to the status. [VIRTIO] 5.1.4 */
export const NetConfigLayout = { mac: 0, status: 6, bytes: 8 } as const;
/** Bits of the status. [VIRTIO] 5.1.4 */
export const LinkStatus = { up: 1, announce: 2 } as const;

/** struct virtio_net_hdr_v1. [VIRTIO] 5.1.6 */
export const NET_HEADER_BYTES = 12;
/** Its last field: over how many buffers the frame goes. */
export const NUM_BUFFERS_OFFSET = 10;

/** Classes of the control queue's commands. [VIRTIO] 5.1.6.5 */
export const ControlClass = { receive: 0, mac: 1, vlan: 2, announce: 3, guestOffloads: 5 } as const;
/** [VIRTIO] 5.1.6.5.1 */
export const ReceiveCommand = {
  promiscuous: 0,
  allMulticast: 1,
  allUnicast: 2,
  noMulticast: 3,
  noUnicast: 4,
  noBroadcast: 5,
} as const;
/** [VIRTIO] 5.1.6.5.2 */
export const MacCommand = { tableSet: 0, addressSet: 1 } as const;
/** [VIRTIO] 5.1.6.5.3 */
export const VlanCommand = { add: 0, remove: 1 } as const;
/** [VIRTIO] 5.1.6.5.4 */
export const AnnounceCommand = { acknowledge: 0 } as const;
/** [VIRTIO] 5.1.6.5.6 */
export const OffloadsCommand = { set: 0 } as const;
/** Answers. [VIRTIO] 5.1.6.5 */
export const ControlAck = { ok: 0, error: 1 } as const;
