/* [BLKIF] public/io/blkif.h: negotiation by xenstore nodes, then requests by the ring. */
#include "blkfront.h"

#include "clock.h"
#include "events.h"
#include "format.h"
#include "grants.h"
#include "string.h"
#include "x86.h"
#include "xs.h"

#define STATE_TIMEOUT (15 * SECOND)
#define ANSWER_TIMEOUT (30 * SECOND)
#define DEVICES "device/vbd"

static u8 ring_pages[BLKFRONT_DISKS][1 << BLKFRONT_MAX_RING_ORDER][PAGE_SIZE] PAGE_ALIGNED;

static s64 backend_number(const struct blkfront *disk, const char *name) {
  char path[128];
  format(path, sizeof path, "%s/%s", disk->backend, name);
  return xs_read_number(path);
}

/* 0 when the node is missing. */
static u64 offered(const struct blkfront *disk, const char *name) {
  s64 number = backend_number(disk, name);
  return number < 0 ? 0 : (u64)number;
}

static void write_number(const struct blkfront *disk, const char *name, u64 value) {
  char path[112];
  format(path, sizeof path, "%s/%s", disk->path, name);
  xs_write_number(0, path, value);
}

static void remove_node(const struct blkfront *disk, const char *name) {
  char path[112];
  format(path, sizeof path, "%s/%s", disk->path, name);
  xs_path(XS_RM, 0, path);
}

static bool backend_reaches(const struct blkfront *disk, enum xenbus_state state) {
  char path[112];
  format(path, sizeof path, "%s/state", disk->backend);
  return xs_wait_number(path, state, STATE_TIMEOUT);
}

bool blkfront_find(struct blkfront *disk, u32 index) {
  static char names[1024];
  char path[128];
  long length = xs_init() ? xs_directory(0, DEVICES, names, sizeof names) : -1;
  const char *name = names;
  for (u32 i = 0; i < index && name < names + length; i++) name += strlen(name) + 1;
  if (index >= BLKFRONT_DISKS || length <= 0 || name >= names + length) return false;
  *disk = (struct blkfront){ .ring_pages = ring_pages[index] };
  format(disk->path, sizeof disk->path, DEVICES "/%s", name);
  format(path, sizeof path, "%s/backend", disk->path);
  if (xs_read(0, path, disk->backend, sizeof disk->backend) <= 0) return false;
  format(path, sizeof path, "%s/backend-id", disk->path);
  disk->domid = (domid_t)xs_read_number(path);
  format(path, sizeof path, "%s/virtual-device", disk->path);
  disk->handle = (u16)xs_read_number(path);
  return true;
}

static void write_ring(const struct blkfront *disk, u32 pages) {
  char name[16];
  if (pages == 1) {
    write_number(disk, "ring-ref", disk->ring_refs[0]);
    return;
  }
  for (u32 i = 0; i < pages; i++) {
    format(name, sizeof name, "ring-ref%u", i);
    write_number(disk, name, disk->ring_refs[i]);
  }
}

/* Largest power of two of entries that fits, [ring.h] __RING_SIZE. */
static u32 ring_entries(u32 pages) {
  u32 room = (pages * PAGE_SIZE - (u32)offsetof(struct blkif_ring, entries)) / (u32)sizeof(union blkif_entry);
  u32 entries = 1;
  while (entries * 2 <= room) entries *= 2;
  return entries;
}

static bool make_ring(struct blkfront *disk, u32 pages) {
  memset(disk->ring_pages, 0, pages * PAGE_SIZE);
  disk->ring = (volatile struct blkif_ring *)disk->ring_pages;
  disk->ring->req_event = disk->ring->rsp_event = 1;
  disk->entries = ring_entries(pages);
  disk->rsp_cons = 0;
  disk->outstanding = 0;
  for (u32 i = 0; i < pages; i++) {
    disk->ring_refs[i] = grant_page(disk->domid, disk->ring_pages[i], false);
    if (disk->ring_refs[i] == 0) return false;
  }
  struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = disk->domid };
  if (evtchn_op(EVTCHNOP_alloc_unbound, &alloc) != 0) return false;
  disk->port = alloc.port;
  event_listen(disk->port, NULL, NULL);
  return true;
}

static void read_offers(struct blkfront *disk) {
  char path[128], mode[8] = "";
  format(path, sizeof path, "%s/mode", disk->backend);
  xs_read(0, path, mode, sizeof mode);
  disk->writable = mode[0] == 'w';
  disk->flush = offered(disk, "feature-flush-cache") != 0;
  disk->discard = offered(disk, "feature-discard") != 0;
  disk->persistent = offered(disk, "feature-persistent") != 0;
  disk->max_indirect_segments = (u32)offered(disk, "feature-max-indirect-segments");
  disk->max_ring_order = (u32)offered(disk, "max-ring-page-order");
}

static void read_geometry(struct blkfront *disk) {
  disk->sectors = offered(disk, "sectors");
  disk->sector_size = (u32)offered(disk, "sector-size");
  disk->info = (u32)offered(disk, "info");
}

const char *blkfront_connect(struct blkfront *disk, struct blkfront_options options) {
  char path[112];
  u32 pages = 1u << options.ring_order;
  if (grants_init() != 0) return "there is no grant table";
  if (!backend_reaches(disk, XENBUS_INIT_WAIT)) return "the back end does not wait to be initialised";
  read_offers(disk);
  if (!make_ring(disk, pages)) return "no grant or port for the ring";
  write_ring(disk, pages);
  if (options.ring_order > 0) write_number(disk, "ring-page-order", options.ring_order);
  else remove_node(disk, "ring-page-order");
  write_number(disk, "event-channel", disk->port);
  format(path, sizeof path, "%s/protocol", disk->path);
  xs_write(0, path, "x86_64-abi");
  write_number(disk, "feature-persistent", options.persistent);
  write_number(disk, "state", XENBUS_INITIALISED);
  if (!backend_reaches(disk, XENBUS_CONNECTED)) return "the back end does not connect";
  read_geometry(disk);
  write_number(disk, "state", XENBUS_CONNECTED);
  disk->connected = true;
  return NULL;
}

static const char *release_ring(struct blkfront *disk) {
  const char *problem = NULL;
  for (u32 i = 0; i < ARRAY_SIZE(disk->ring_refs); i++) {
    if (disk->ring_refs[i] != 0 && !grant_end(disk->ring_refs[i])) problem = "the back end still uses the ring";
    disk->ring_refs[i] = 0;
  }
  event_close(disk->port);
  disk->port = 0;
  return problem;
}

const char *blkfront_disconnect(struct blkfront *disk) {
  disk->connected = false;
  write_number(disk, "state", XENBUS_CLOSING);
  if (!WAIT_FOR(offered(disk, "state") >= XENBUS_CLOSING, STATE_TIMEOUT)) return "the back end does not close";
  write_number(disk, "state", XENBUS_CLOSED);
  if (!backend_reaches(disk, XENBUS_CLOSED)) return "the back end does not get closed";
  const char *problem = release_ring(disk);
  write_number(disk, "state", XENBUS_INITIALISING);
  return problem;
}

union blkif_request *blkfront_prepare(struct blkfront *disk, u8 operation, u64 id) {
  volatile union blkif_entry *entry = &disk->ring->entries[(disk->ring->req_prod + disk->outstanding) % disk->entries];
  union blkif_request *request = (union blkif_request *)&entry->request;
  memset(request, 0, sizeof *request);
  request->rw.operation = operation;
  request->rw.handle = disk->handle;
  request->rw.id = id;
  disk->results[id] = BLKFRONT_NO_ANSWER;
  disk->outstanding++;
  return request;
}

static void collect(struct blkfront *disk) {
  while (disk->rsp_cons != READ_ONCE(disk->ring->rsp_prod)) {
    __asm__ volatile("" : : : "memory"); /* index before answers */
    volatile struct blkif_response *response = &disk->ring->entries[disk->rsp_cons % disk->entries].response;
    u64 id = response->id;
    if (id < BLKFRONT_IDS) disk->results[id] = disk->results[id] == BLKFRONT_NO_ANSWER ? response->status : BLKFRONT_TWICE;
    disk->rsp_cons++;
  }
  disk->ring->rsp_event = disk->rsp_cons + 1;
}

void blkfront_push(struct blkfront *disk) {
  u32 old = disk->ring->req_prod;
  u32 new = old + disk->outstanding;
  __asm__ volatile("" : : : "memory"); /* requests before index */
  WRITE_ONCE(disk->ring->req_prod, new);
  full_barrier(); /* index before the look at req_event */
  if (new - READ_ONCE(disk->ring->req_event) < new - old) evtchn_send(disk->port);
}

bool blkfront_wait(struct blkfront *disk) {
  u32 end = disk->ring->req_prod;
  bool all = WAIT_FOR((collect(disk), disk->rsp_cons == end), ANSWER_TIMEOUT);
  disk->outstanding = 0;
  return all;
}

int blkfront_run(struct blkfront *disk, u64 id) {
  blkfront_push(disk);
  blkfront_wait(disk);
  return disk->results[id];
}
