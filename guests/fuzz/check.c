/* Whether a machine that was just reset works: each part does one thing right. */
#include "fuzz.h"

#include "../lib/ata.h"
#include "../lib/blkfront.h"
#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/grants.h"
#include "../lib/pci.h"
#include "../lib/string.h"
#include "../lib/xs.h"

#define PATIENCE (20 * SECOND)
#define PIIX3_IDE_ID 0x70108086u
#define BUS_MASTER_BAR 4
#define SECTOR 9

static u8 written[PAGE_SIZE] PAGE_ALIGNED, seen[PAGE_SIZE] PAGE_ALIGNED;
static volatile u32 ran_on;

static void note_cpu(void *argument UNUSED) { ran_on = this_cpu()->index; }

static const char *check_cpus(void) {
  if (cpu_count != 2) return "the second CPU is not up";
  cpu_run(&cpus[1], note_cpu, NULL);
  if (!cpu_wait(&cpus[1], PATIENCE) || ran_on != 1) return "the second CPU takes no work";
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  if (port == 0 || evtchn_send(port) != 0 || !event_pending(port)) return "no event comes";
  return NULL;
}

static const char *check_store(void) {
  char value[32];
  if (!xs_init()) return "there is no store";
  if (xs_write(0, "data/check", "whole") < 0) return "the store does not take a value";
  if (xs_read(0, "data/check", value, sizeof value) != 5 || strcmp(value, "whole") != 0) return "the store loses a value";
  return NULL;
}

static int transfer(struct blkfront *disk, u8 operation, const u8 *page) {
  union blkif_request *request = blkfront_prepare(disk, operation, 1);
  grant_ref_t ref = grant_page(disk->domid, page, operation == BLKIF_OP_WRITE);
  request->rw.nr_segments = 1;
  request->rw.sector_number = SECTOR;
  request->rw.segments[0] = (struct blkif_segment){ ref, 0, SECTORS_PER_PAGE - 1 };
  int result = blkfront_run(disk, 1);
  grant_end(ref);
  return result;
}

static const char *check_pv_disk(void) {
  static struct blkfront disk;
  if (grants_init() != 0) return "there is no grant table";
  if (!blkfront_find(&disk, 0)) return "there is no PV disk";
  const char *problem = blkfront_connect(&disk, (struct blkfront_options){ 0 });
  if (problem != NULL) return problem;
  if (transfer(&disk, BLKIF_OP_WRITE, written) != 0 || transfer(&disk, BLKIF_OP_READ, seen) != 0) return "the PV disk fails";
  return memcmp(written, seen, PAGE_SIZE) == 0 ? NULL : "the PV disk gives other bytes";
}

static const char *check_ide(void) {
  struct ata_device drive = { .command = 0x1f0, .control = 0x3f6 };
  int devfn = pci_find(PIIX3_IDE_ID);
  if (devfn < 0) return "there is no IDE function";
  drive.bus_master = (u16)pci_bar((u32)devfn, BUS_MASTER_BAR).base;
  pci_write32((u32)devfn, PCI_COMMAND, pci_read32((u32)devfn, PCI_COMMAND) | PCI_COMMAND_MASTER);
  ata_identify(&drive);
  if (drive.kind != ATA_DISK) return "there is no IDE disk";
  memset(seen, 0, sizeof seen);
  if (ata_pio(&drive, WRITE_SECTORS, SECTOR, 1, written) != 0 || ata_dma(&drive, READ_DMA, SECTOR, 1, seen) != 0) {
    return "the IDE disk fails";
  }
  return memcmp(written, seen, ATA_SECTOR) == 0 ? NULL : "the IDE disk gives other bytes";
}

const char *check_machine(void) {
  static const char *(*const checks[])(void) = { check_cpus, check_store, check_pv_disk, check_ide };
  for (u32 i = 0; i < sizeof written; i++) written[i] = (u8)(i * 7 + (i >> 8));
  for (u32 i = 0; i < ARRAY_SIZE(checks); i++) {
    const char *problem = checks[i]();
    if (problem != NULL) return problem;
  }
  return NULL;
}
