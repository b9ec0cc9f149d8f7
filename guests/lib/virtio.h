/* Virtio devices on PCI, version 1: transport and split queues. [VIRTIO] 1.2, 2.7 and 4.1. */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include "pci.h"

#define VIRTIO_BLOCK_ID 0x10421af4u /* vendor 0x1af4, device 0x1040 + 2 */

enum { VIRTIO_ACKNOWLEDGE = 1, VIRTIO_DRIVER = 2, VIRTIO_DRIVER_OK = 4, VIRTIO_FEATURES_OK = 8, VIRTIO_NEEDS_RESET = 64 };
#define VIRTIO_F_INDIRECT_DESC (1ul << 28)
#define VIRTIO_F_EVENT_IDX (1ul << 29)
#define VIRTIO_F_VERSION_1 (1ul << 32)
#define VIRTIO_NO_VECTOR 0xffff

/* Offsets in the common configuration. [VIRTIO] 4.1.4.3 */
enum virtio_common {
  VIRTIO_DEVICE_FEATURE_SELECT = 0,
  VIRTIO_DEVICE_FEATURE = 4,
  VIRTIO_DRIVER_FEATURE_SELECT = 8,
  VIRTIO_DRIVER_FEATURE = 12,
  VIRTIO_CONFIG_VECTOR = 16,
  VIRTIO_QUEUE_COUNT = 18,
  VIRTIO_STATUS = 20,
  VIRTIO_QUEUE_SELECT = 22,
  VIRTIO_QUEUE_SIZE = 24,
  VIRTIO_QUEUE_VECTOR = 26,
  VIRTIO_QUEUE_ENABLE = 28,
  VIRTIO_QUEUE_NOTIFY_OFFSET = 30,
  VIRTIO_QUEUE_DESC = 32,
  VIRTIO_QUEUE_DRIVER = 40,
  VIRTIO_QUEUE_DEVICE = 48,
};

/* The vendor capabilities. [VIRTIO] 4.1.4 */
enum { VIRTIO_CAP_COMMON = 1, VIRTIO_CAP_NOTIFY, VIRTIO_CAP_ISR, VIRTIO_CAP_DEVICE, VIRTIO_CAP_PCI, VIRTIO_CAPS };

struct virtio {
  u32 devfn;
  u32 caps[VIRTIO_CAPS];  /* offset of each capability, 0 where there is none */
  u64 places[VIRTIO_CAPS]; /* address of what it points at */
  u32 notify_step;
  u32 msix;        /* offset of the MSI-X capability */
  u64 msix_table;
};

/* Finds the first device with these IDs and its structures, and lets it decode and master. */
bool virtio_open(struct virtio *device, u32 ids);
u8 virtio_read8(const struct virtio *device, u32 at);
u16 virtio_read16(const struct virtio *device, u32 at);
u32 virtio_read32(const struct virtio *device, u32 at);
void virtio_write8(const struct virtio *device, u32 at, u8 value);
void virtio_write16(const struct virtio *device, u32 at, u16 value);
void virtio_write32(const struct virtio *device, u32 at, u32 value);
u8 virtio_status(const struct virtio *device);
/* Resets and waits for the end of it; false when that does not come. */
bool virtio_reset(const struct virtio *device);
u64 virtio_offered(const struct virtio *device);
/* Resets, and offers to take `features`; true when the device agrees. The driver is not yet up. */
bool virtio_negotiate(const struct virtio *device, u64 features);
void virtio_driver_ok(const struct virtio *device);
u8 virtio_isr(const struct virtio *device);
/* Aims MSI-X entry `entry` at `vector` on APIC `target`, and turns MSI-X on or off. */
void virtio_msix_entry(const struct virtio *device, u32 entry, u32 target, u8 vector);
void virtio_msix(const struct virtio *device, bool on);

#define VIRTIO_QUEUE_ENTRIES 64
struct virtio_desc {
  u64 address;
  u32 length;
  u16 flags, next;
};
enum { VIRTIO_NEXT = 1, VIRTIO_WRITE = 2, VIRTIO_INDIRECT = 4 };
#define VIRTIO_NO_INTERRUPT 1

/* A queue, its rings included: static memory, as it must not move. */
struct virtio_queue {
  struct virtio_desc desc[VIRTIO_QUEUE_ENTRIES] PAGE_ALIGNED;
  struct {
    u16 flags, index, ring[VIRTIO_QUEUE_ENTRIES], used_event;
  } avail;
  struct {
    u16 flags, index;
    struct {
      u32 head, length;
    } ring[VIRTIO_QUEUE_ENTRIES];
    u16 avail_event;
  } used __attribute__((aligned(4)));
  u64 notify;
  u16 number;
  u16 seen; /* the used index up to which answers were taken */
};

/* Empties the queue and gives it to the device as its queue `number`. False when the device does not take it. */
bool virtio_queue_start(const struct virtio *device, struct virtio_queue *queue, u16 number, u16 vector);
/* Makes the chain at `head` available. */
void virtio_offer(struct virtio_queue *queue, u16 head);
void virtio_notify(const struct virtio_queue *queue);
/* True while there are answers that were not taken. */
bool virtio_answered(const struct virtio_queue *queue);

#endif
