/*
 * A virtio disk on PCI: transport, queue, requests. [VIRTIO] 1.2, 2.7, 4.1 and 5.2. It writes only to a disk whose serial
 * number says that it may; the last check takes the disk off the bus.
 */
#include "check.h"

#include "../lib/apic.h"
#include "../lib/clock.h"
#include "../lib/idt.h"
#include "../lib/string.h"
#include "../lib/virtio.h"
#include "../lib/x86.h"

#define PATIENCE (10 * SECOND)
/* Long enough for an interrupt that must not come. */
#define A_WHILE (20 * MS)
#define SERIAL "SELFTEST"
#define SECTOR 512u
#define BLOCK_FLUSH (1ul << 9)
#define BLOCK_DISCARD (1ul << 13)
#define BLOCK_ZEROES (1ul << 14)
#define ALL_FEATURES (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | BLOCK_FLUSH | BLOCK_DISCARD | BLOCK_ZEROES)
#define SIMPLE_FEATURES (VIRTIO_F_VERSION_1 | BLOCK_FLUSH)
#define PORT_UNPLUG 0x10

enum { READ_IN, WRITE_OUT, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };
enum { OKAY, IO_ERROR, UNSUPPORTED, UNANSWERED = 0xff };

/* One request's header and status, at the chain's number. */
static struct request {
  u32 type, reserved;
  u64 sector;
  u8 status;
} requests[VIRTIO_QUEUE_ENTRIES];

static struct virtio disk;
static struct virtio_queue queue;
static u8 data[8][PAGE_SIZE] PAGE_ALIGNED;
static struct virtio_desc table[4] __attribute__((aligned(16)));
static volatile u32 interrupts;

static void taken(void) {
  interrupts++;
  apic_eoi();
}

static void taken_by_line(void) {
  if ((virtio_isr(&disk) & 1) != 0) interrupts++;
  apic_eoi();
}

static bool have_disk(void) {
  if (virtio_open(&disk, VIRTIO_BLOCK_ID)) return true;
  skip("there is no virtio disk");
  return false;
}

/* Brings the device up with these features. */
static bool start(u64 features, u16 vector) {
  if (!have_disk()) return false;
  if (!virtio_negotiate(&disk, features)) {
    fail("features 0x%lx are refused: status 0x%x", features, virtio_status(&disk));
    return false;
  }
  if (!virtio_queue_start(&disk, &queue, 0, vector)) {
    fail("the queue cannot be started");
    return false;
  }
  virtio_driver_ok(&disk);
  return true;
}

/* Lays out a request of three descriptors from `head` on: header, data, status. */
static void prepare(u16 head, u32 type, u64 sector, void *at, u32 length) {
  struct request *request = &requests[head];
  bool from_device = type == READ_IN || type == GET_ID;
  *request = (struct request){ .type = type, .sector = sector, .status = UNANSWERED };
  u16 next = head;
  queue.desc[next] = (struct virtio_desc){ address_of(request), 16, VIRTIO_NEXT, next + 1 };
  next++;
  if (length > 0) {
    queue.desc[next] = (struct virtio_desc){ address_of(at), length, VIRTIO_NEXT | (from_device ? VIRTIO_WRITE : 0), next + 1 };
    next++;
  }
  queue.desc[next] = (struct virtio_desc){ address_of(&request->status), 1, VIRTIO_WRITE, 0 };
}

static u8 await(u16 head) {
  WAIT_FOR(READ_ONCE(requests[head].status) != UNANSWERED && virtio_answered(&queue), PATIENCE);
  queue.seen = READ_ONCE(queue.used.index);
  return READ_ONCE(requests[head].status);
}

static u8 request(u32 type, u64 sector, void *at, u32 length) {
  prepare(0, type, sector, at, length);
  virtio_offer(&queue, 0);
  virtio_notify(&queue);
  return await(0);
}

/* Whether the disk is there to be written on. */
static bool is_ours(void) {
  static char serial[21];
  memset(serial, 0, sizeof serial);
  if (request(GET_ID, 0, serial, 20) == OKAY && strcmp(serial, SERIAL) == 0) return true;
  skip("the virtio disk's serial number is '%s'", serial);
  return false;
}

static u64 capacity(void) { return *(volatile u64 *)pointer_to(disk.places[VIRTIO_CAP_DEVICE]); }

static void fill(void *at, u32 bytes, u32 seed) {
  u32 *words = at;
  for (u32 i = 0; i < bytes / 4; i++) words[i] = seed = seed * 1664525 + 1013904223;
}

/* How many words are not what fill() put there. */
static u32 wrong(const void *at, u32 bytes, u32 seed) {
  const u32 *words = at;
  u32 count = 0;
  for (u32 i = 0; i < bytes / 4; i++) count += words[i] != (seed = seed * 1664525 + 1013904223);
  return count;
}

CHECK(negotiation, "virtio", "a disk takes features that it offered, and only with VERSION_1") {
  if (!have_disk()) return;
  REQUIRE(virtio_reset(&disk), "it does not end its reset");
  u64 offered = virtio_offered(&disk);
  EXPECT((offered & ALL_FEATURES) == ALL_FEATURES, "it offers 0x%lx", offered);
  EXPECT(!virtio_negotiate(&disk, BLOCK_FLUSH), "it takes a driver without VERSION_1");
  EXPECT(!virtio_negotiate(&disk, VIRTIO_F_VERSION_1 | 1ul << 60), "it takes what it did not offer");
  EXPECT(virtio_negotiate(&disk, ALL_FEATURES), "it does not take what it offered");
  EXPECT_EQ(virtio_read16(&disk, VIRTIO_QUEUE_COUNT), 1);
  EXPECT(capacity() > 0, "it is empty");
}

CHECK(identify, "virtio", "it answers by polling, and says its serial number") {
  if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR)) return;
  memset(data[0], 0xee, 32);
  EXPECT_EQ(request(GET_ID, 0, data[0], 20), OKAY);
  EXPECT_EQ(data[0][20], 0xee);
  EXPECT_EQ(queue.used.ring[0].length, 21);
  EXPECT_EQ(request(FLUSH, 0, NULL, 0), OKAY);
}

CHECK(pages, "virtio", "what is written is read back, in one piece and in several") {
  if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR) || !is_ours()) return;
  for (u32 i = 0; i < 8 && !failed(); i++) {
    fill(data[0], sizeof data, i);
    EXPECT_EQ(request(WRITE_OUT, i * 64, data[0], sizeof data), OKAY);
  }
  for (u32 i = 0; i < 8 && !failed(); i++) {
    memset(data[0], 0, sizeof data);
    EXPECT_EQ(request(READ_IN, i * 64, data[0], sizeof data), OKAY);
    EXPECT_EQ(wrong(data[0], sizeof data, i), 0);
  }
  /* Two pieces, neither a whole sector, in falling order of addresses. */
  prepare(0, READ_IN, 64, data[4], 300);
  queue.desc[1].next = 5;
  queue.desc[5] = (struct virtio_desc){ address_of(data[0]), 212, VIRTIO_NEXT | VIRTIO_WRITE, 2 };
  virtio_offer(&queue, 0);
  virtio_notify(&queue);
  EXPECT_EQ(await(0), OKAY);
  memcpy(data[4] + 300, data[0], 212);
  EXPECT_EQ(wrong(data[4], SECTOR, 1), 0);
}

CHECK(depth, "virtio", "many requests at once are all answered") {
  if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR) || !is_ours()) return;
  u16 base = READ_ONCE(queue.used.index);
  for (u16 head = 0; head < 60; head += 3) {
    prepare(head, READ_IN, head, data[head % 8], SECTOR);
    virtio_offer(&queue, head);
  }
  virtio_notify(&queue);
  EXPECT(WAIT_FOR((u16)(READ_ONCE(queue.used.index) - base) == 20, PATIENCE), "%u of 20 are answered",
         (u16)(queue.used.index - base));
  for (u16 head = 0; head < 60; head += 3) EXPECT_EQ(requests[head].status, OKAY);
}

CHECK(indirect, "virtio", "chains in indirect tables, notified by event index") {
  if (!start(ALL_FEATURES, VIRTIO_NO_VECTOR) || !is_ours()) return;
  for (u32 i = 0; i < 100 && !failed(); i++) {
    requests[0] = (struct request){ .type = i % 2 == 0 ? WRITE_OUT : READ_IN, .sector = 600 + i / 2, .status = UNANSWERED };
    if (i % 2 == 0) fill(data[0], SECTOR, i / 2);
    else memset(data[0], 0, SECTOR);
    table[0] = (struct virtio_desc){ address_of(&requests[0]), 16, VIRTIO_NEXT, 2 };
    table[2] = (struct virtio_desc){ address_of(data[0]), SECTOR, VIRTIO_NEXT | (i % 2 == 0 ? 0 : VIRTIO_WRITE), 1 };
    table[1] = (struct virtio_desc){ address_of(&requests[0].status), 1, VIRTIO_WRITE, 0 };
    queue.desc[9] = (struct virtio_desc){ address_of(table), sizeof table, VIRTIO_INDIRECT, 0 };
    u16 before = READ_ONCE(queue.avail.index);
    virtio_offer(&queue, 9);
    if (READ_ONCE(queue.used.avail_event) == before) virtio_notify(&queue);
    EXPECT_EQ(await(0), OKAY);
    if (i % 2 != 0) EXPECT_EQ(wrong(data[0], SECTOR, i / 2), 0);
  }
}

CHECK(zeroes, "virtio", "discarded and zeroed ranges read as zeros") {
  if (!start(ALL_FEATURES, VIRTIO_NO_VECTOR) || !is_ours()) return;
  struct {
    u64 sector;
    u32 sectors, flags;
  } range = { 1024, 8, 0 };
  for (u32 type = DISCARD; type <= WRITE_ZEROES && !failed(); type += 2) {
    memset(data[0], 0xaa, 2 * PAGE_SIZE);
    EXPECT_EQ(request(WRITE_OUT, 1024, data[0], 2 * PAGE_SIZE), OKAY);
    EXPECT_EQ(request(type, 0, &range, sizeof range), OKAY);
    EXPECT_EQ(request(READ_IN, 1024, data[0], 2 * PAGE_SIZE), OKAY);
    u32 left = 0;
    for (u32 i = 0; i < PAGE_SIZE; i++) left += data[0][i] != 0;
    EXPECT(left == 0, "%u bytes are left by operation %u", left, type);
    EXPECT_EQ(data[1][0], 0xaa);
  }
}

CHECK(errors, "virtio", "requests that cannot be are refused, and the next one works") {
  if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR)) return;
  EXPECT_EQ(request(READ_IN, capacity(), data[0], SECTOR), IO_ERROR);
  EXPECT_EQ(request(READ_IN, capacity() - 1, data[0], 2 * SECTOR), IO_ERROR);
  EXPECT_EQ(request(READ_IN, ~0ul, data[0], SECTOR), IO_ERROR);
  EXPECT_EQ(request(WRITE_OUT, capacity(), data[0], SECTOR), IO_ERROR);
  EXPECT_EQ(request(READ_IN, 0, data[0], SECTOR - 1), IO_ERROR);
  EXPECT_EQ(request(77, 0, data[0], SECTOR), UNSUPPORTED);
  EXPECT_EQ(request(READ_IN, 0, data[0], SECTOR), OKAY);
}

CHECK(broken, "virtio", "a queue that is broken needs a reset, and works after it") {
  if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR)) return;
  static const struct virtio_desc bad[] = {
    { 0xfff0000000, 512, 0, 0 },                  /* no memory there */
    { 0xffffffffffffff00, 512, VIRTIO_WRITE, 0 }, /* wraps */
    { 0, 16, VIRTIO_NEXT, 0 },                    /* a loop */
    { 0, 16, VIRTIO_NEXT, 999 },                  /* leads out of the table */
    { 0, 16, VIRTIO_INDIRECT, 0 },                /* was not agreed on */
    { 0, 16, 0, 0 },                              /* no room for a status */
  };
  for (u32 i = 0; i < ARRAY_SIZE(bad) && !failed(); i++) {
    queue.desc[0] = bad[i];
    virtio_offer(&queue, 0);
    virtio_notify(&queue);
    EXPECT(WAIT_FOR((virtio_status(&disk) & VIRTIO_NEEDS_RESET) != 0, PATIENCE), "chain %u is not noticed", i);
    if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR)) return;
    EXPECT_EQ(request(READ_IN, 0, data[0], SECTOR), OKAY);
  }
  WRITE_ONCE(queue.avail.index, (u16)(queue.avail.index + VIRTIO_QUEUE_ENTRIES + 1));
  virtio_notify(&queue);
  EXPECT(WAIT_FOR((virtio_status(&disk) & VIRTIO_NEEDS_RESET) != 0, PATIENCE), "a jump of the index is not noticed");
  if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR)) return;
  EXPECT_EQ(request(READ_IN, 0, data[0], SECTOR), OKAY);
}

CHECK(reset_under_way, "virtio", "a reset ends what is under way, and nothing moves after it") {
  for (u32 round = 0; round < 10 && !failed(); round++) {
    if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR)) return;
    for (u16 head = 0; head < 60; head += 3) {
      prepare(head, READ_IN, 0, data[0], sizeof data);
      virtio_offer(&queue, head);
    }
    virtio_notify(&queue);
    REQUIRE(virtio_reset(&disk), "the reset does not end");
    u16 index = READ_ONCE(queue.used.index);
    memset(data[0], 0x77, 64);
    EXPECT(!WAIT_FOR(READ_ONCE(queue.used.index) != index, MS), "the used ring moves after the reset");
    EXPECT_EQ(data[0][0], 0x77);
  }
}

CHECK(virtio_msix_check, "virtio", "answers interrupt by MSI-X, on each CPU, unless the driver wants none") {
  if (!have_disk()) return;
  set_handler(VECTOR_DEVICE, taken);
  for (u32 cpu = 0; cpu < cpu_count && !failed(); cpu++) {
    virtio_msix_entry(&disk, 1, cpus[cpu].apic_id, VECTOR_DEVICE);
    virtio_msix(&disk, true);
    if (!start(SIMPLE_FEATURES, 1)) break;
    interrupts = 0;
    for (u32 i = 1; i <= 5 && !failed(); i++) {
      EXPECT_EQ(request(READ_IN, 0, data[0], SECTOR), OKAY);
      EXPECT(WAIT_FOR(interrupts >= i, PATIENCE), "interrupt %u does not come to CPU %u", i, cpu);
    }
    EXPECT_EQ(virtio_isr(&disk), 0);
    WRITE_ONCE(queue.avail.flags, VIRTIO_NO_INTERRUPT);
    EXPECT_EQ(request(READ_IN, 0, data[0], SECTOR), OKAY);
    EXPECT(!WAIT_FOR(interrupts > 5, A_WHILE), "it interrupts though the driver wants none");
  }
  virtio_msix(&disk, false);
}

CHECK(config_interrupt, "virtio", "it interrupts by the configuration's vector when it needs a reset") {
  if (!have_disk()) return;
  set_handler(VECTOR_DEVICE, taken);
  virtio_msix_entry(&disk, 0, cpus[0].apic_id, VECTOR_DEVICE);
  virtio_msix(&disk, true);
  if (start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR)) {
    virtio_write16(&disk, VIRTIO_CONFIG_VECTOR, 0);
    interrupts = 0;
    queue.desc[0] = (struct virtio_desc){ 0, 1, 0, 0 };
    virtio_offer(&queue, 0);
    virtio_notify(&queue);
    EXPECT(WAIT_FOR(interrupts > 0, PATIENCE), "it does not");
  }
  virtio_msix(&disk, false);
}

CHECK(virtio_line, "virtio", "answers interrupt by its line, until the ISR status is read") {
  if (!have_disk()) return;
  if (machine.machine.ioapic == 0) return skip("there is no IOAPIC");
  u32 line = pci_read8(disk.devfn, PCI_INTERRUPT_LINE);
  REQUIRE(pci_read8(disk.devfn, PCI_INTERRUPT_PIN) == 1 && line > 0 && line < 16, "its line is %u", line);
  set_handler(VECTOR_DEVICE, taken_by_line);
  if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR)) return;
  interrupts = 0;
  ioapic_route(machine.machine.ioapic, line, VECTOR_DEVICE, cpus[0].apic_id, true);
  for (u32 i = 1; i <= 5 && !failed(); i++) {
    EXPECT_EQ(request(READ_IN, 0, data[0], SECTOR), OKAY);
    EXPECT(WAIT_FOR(interrupts >= i, PATIENCE), "interrupt %u does not come", i);
  }
  EXPECT_EQ(interrupts, 5);
  ioapic_mask(machine.machine.ioapic, line);
}

CHECK(access_window, "virtio", "its registers can be reached by configuration accesses alone") {
  if (!have_disk()) return;
  u32 window = disk.caps[VIRTIO_CAP_PCI];
  REQUIRE(virtio_reset(&disk), "it does not end its reset");
  pci_write32(disk.devfn, window + 4, pci_read8(disk.devfn, disk.caps[VIRTIO_CAP_COMMON] + 4));
  pci_write32(disk.devfn, window + 8, VIRTIO_STATUS);
  pci_write32(disk.devfn, window + 12, 1);
  pci_write32(disk.devfn, window + 16, VIRTIO_ACKNOWLEDGE);
  EXPECT_EQ(virtio_status(&disk), VIRTIO_ACKNOWLEDGE);
  EXPECT_EQ(pci_read32(disk.devfn, window + 16) & 0xff, VIRTIO_ACKNOWLEDGE);
}

CHECK(virtio_moved, "virtio", "it is notified where its BAR has moved to") {
  if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR)) return;
  u32 bar = pci_read8(disk.devfn, disk.caps[VIRTIO_CAP_NOTIFY] + 4);
  struct pci_bar before = pci_bar(disk.devfn, bar);
  for (u32 round = 1; round <= 3 && !failed(); round++) {
    u64 moved = before.base + round * 0x100000;
    pci_write32(disk.devfn, 0x10 + 4 * bar, (u32)moved);
    queue.notify += 0x100000;
    EXPECT_EQ(request(READ_IN, 0, data[0], SECTOR), OKAY);
  }
  pci_write32(disk.devfn, 0x10 + 4 * bar, (u32)before.base);
}

CHECK(virtio_unplug, "virtio", "it leaves the bus when emulated disks are unplugged") {
  if (!start(SIMPLE_FEATURES, VIRTIO_NO_VECTOR)) return;
  outw(PORT_UNPLUG, 4);
  EXPECT(pci_read32(disk.devfn, 0) == VIRTIO_BLOCK_ID, "it goes with the secondary disks");
  outw(PORT_UNPLUG, 1);
  EXPECT_EQ(pci_read32(disk.devfn, 0), 0xffffffff);
  EXPECT_EQ(virtio_status(&disk), 0xff);
  pci_write32(disk.devfn, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
  EXPECT_EQ(virtio_status(&disk), 0xff);
}
