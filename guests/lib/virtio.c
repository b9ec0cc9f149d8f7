/* [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 2.7 "Split virtqueues", 4.1 "Virtio over PCI bus". */
#include "virtio.h"

#include "clock.h"
#include "string.h"
#include "x86.h"

#define CAPABILITY_VENDOR 0x09
#define CAPABILITY_MSIX 0x11
#define MOST_CAPABILITIES 48
#define MSIX_ENABLE (1u << 31) /* of the dword that ends in the control register */
#define APIC_WINDOW 0xfee00000u
#define PATIENCE (5 * SECOND)

u8 virtio_read8(const struct virtio *device, u32 at) {
  return *(volatile u8 *)pointer_to(device->places[VIRTIO_CAP_COMMON] + at);
}

u16 virtio_read16(const struct virtio *device, u32 at) {
  return *(volatile u16 *)pointer_to(device->places[VIRTIO_CAP_COMMON] + at);
}

u32 virtio_read32(const struct virtio *device, u32 at) {
  return *(volatile u32 *)pointer_to(device->places[VIRTIO_CAP_COMMON] + at);
}

void virtio_write8(const struct virtio *device, u32 at, u8 value) {
  *(volatile u8 *)pointer_to(device->places[VIRTIO_CAP_COMMON] + at) = value;
}

void virtio_write16(const struct virtio *device, u32 at, u16 value) {
  *(volatile u16 *)pointer_to(device->places[VIRTIO_CAP_COMMON] + at) = value;
}

void virtio_write32(const struct virtio *device, u32 at, u32 value) {
  *(volatile u32 *)pointer_to(device->places[VIRTIO_CAP_COMMON] + at) = value;
}

static void write64(const struct virtio *device, u32 at, u64 value) {
  virtio_write32(device, at, (u32)value);
  virtio_write32(device, at + 4, (u32)(value >> 32));
}

bool virtio_open(struct virtio *device, u32 ids) {
  int devfn = pci_find(ids);
  if (devfn < 0) return false;
  memset(device, 0, sizeof *device);
  device->devfn = (u32)devfn;
  pci_write32(device->devfn, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
  u32 at = pci_read8(device->devfn, PCI_CAPABILITIES);
  for (u32 left = MOST_CAPABILITIES; at != 0 && left > 0; left--) {
    u32 header = pci_read32(device->devfn, at);
    u32 type = header >> 24;
    if ((header & 0xff) == CAPABILITY_MSIX) {
      u32 table = pci_read32(device->devfn, at + 4);
      device->msix = at;
      device->msix_table = pci_bar(device->devfn, table & 7).base + (table & ~7u);
    } else if ((header & 0xff) == CAPABILITY_VENDOR && type < VIRTIO_CAPS && device->caps[type] == 0) {
      device->caps[type] = at;
      if (type != VIRTIO_CAP_PCI)
        device->places[type] = pci_bar(device->devfn, pci_read8(device->devfn, at + 4)).base + pci_read32(device->devfn, at + 8);
      if (type == VIRTIO_CAP_NOTIFY) device->notify_step = pci_read32(device->devfn, at + 16);
    }
    at = header >> 8 & 0xfc;
  }
  for (u32 type = VIRTIO_CAP_COMMON; type < VIRTIO_CAPS; type++) {
    if (device->caps[type] == 0) return false;
  }
  return device->msix != 0;
}

u8 virtio_status(const struct virtio *device) { return virtio_read8(device, VIRTIO_STATUS); }

static void add_status(const struct virtio *device, u8 bits) {
  virtio_write8(device, VIRTIO_STATUS, virtio_status(device) | bits);
}

bool virtio_reset(const struct virtio *device) {
  virtio_write8(device, VIRTIO_STATUS, 0);
  return WAIT_FOR(virtio_status(device) == 0, PATIENCE);
}

u64 virtio_offered(const struct virtio *device) {
  virtio_write32(device, VIRTIO_DEVICE_FEATURE_SELECT, 0);
  u64 low = virtio_read32(device, VIRTIO_DEVICE_FEATURE);
  virtio_write32(device, VIRTIO_DEVICE_FEATURE_SELECT, 1);
  return low | (u64)virtio_read32(device, VIRTIO_DEVICE_FEATURE) << 32;
}

bool virtio_negotiate(const struct virtio *device, u64 features) {
  if (!virtio_reset(device)) return false;
  add_status(device, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
  for (u32 half = 0; half < 2; half++) {
    virtio_write32(device, VIRTIO_DRIVER_FEATURE_SELECT, half);
    virtio_write32(device, VIRTIO_DRIVER_FEATURE, (u32)(features >> 32 * half));
  }
  add_status(device, VIRTIO_FEATURES_OK);
  return (virtio_status(device) & VIRTIO_FEATURES_OK) != 0;
}

void virtio_driver_ok(const struct virtio *device) { add_status(device, VIRTIO_DRIVER_OK); }

u8 virtio_isr(const struct virtio *device) { return *(volatile u8 *)pointer_to(device->places[VIRTIO_CAP_ISR]); }

void virtio_msix_entry(const struct virtio *device, u32 entry, u32 target, u8 vector) {
  volatile u32 *words = pointer_to(device->msix_table + entry * 16);
  words[0] = APIC_WINDOW | target << 12;
  words[1] = 0;
  words[2] = vector;
  words[3] = 0;
}

void virtio_msix(const struct virtio *device, bool on) {
  u32 control = pci_read32(device->devfn, device->msix);
  pci_write32(device->devfn, device->msix, on ? control | MSIX_ENABLE : control & ~MSIX_ENABLE);
}

bool virtio_queue_start(const struct virtio *device, struct virtio_queue *queue, u16 number, u16 vector) {
  memset(queue, 0, sizeof *queue);
  queue->number = number;
  virtio_write16(device, VIRTIO_QUEUE_SELECT, number);
  if (virtio_read16(device, VIRTIO_QUEUE_SIZE) < VIRTIO_QUEUE_ENTRIES) return false;
  virtio_write16(device, VIRTIO_QUEUE_SIZE, VIRTIO_QUEUE_ENTRIES);
  virtio_write16(device, VIRTIO_QUEUE_VECTOR, vector);
  if (virtio_read16(device, VIRTIO_QUEUE_VECTOR) != vector) return false;
  write64(device, VIRTIO_QUEUE_DESC, address_of(queue->desc));
  write64(device, VIRTIO_QUEUE_DRIVER, address_of(&queue->avail));
  write64(device, VIRTIO_QUEUE_DEVICE, address_of(&queue->used));
  u16 offset = virtio_read16(device, VIRTIO_QUEUE_NOTIFY_OFFSET);
  queue->notify = device->places[VIRTIO_CAP_NOTIFY] + offset * device->notify_step;
  virtio_write16(device, VIRTIO_QUEUE_ENABLE, 1);
  return virtio_read16(device, VIRTIO_QUEUE_ENABLE) == 1;
}

void virtio_offer(struct virtio_queue *queue, u16 head) {
  u16 index = READ_ONCE(queue->avail.index);
  WRITE_ONCE(queue->avail.ring[index % VIRTIO_QUEUE_ENTRIES], head);
  full_barrier();
  WRITE_ONCE(queue->avail.index, (u16)(index + 1));
  full_barrier();
}

void virtio_notify(const struct virtio_queue *queue) { *(volatile u16 *)pointer_to(queue->notify) = queue->number; }

bool virtio_answered(const struct virtio_queue *queue) { return READ_ONCE(queue->used.index) != queue->seen; }
