/*
 * What lies in memory that back ends read: requests on a PV disk's ring, descriptors in a virtio disk's queue, messages to
 * the store, the console's page; with any bytes and indices.
 */
#include "fuzz.h"

#include "../lib/blkfront.h"
#include "../lib/console.h"
#include "../lib/format.h"
#include "../lib/grants.h"
#include "../lib/hypercall.h"
#include "../lib/string.h"
#include "../lib/virtio.h"
#include "../lib/xs.h"

#define DISKS 2
/* Grants of the arena's pages, every fourth read-only. */
#define REFS 24
/* Indices that lie end a ring's use, and are written once in so many. */
#define LIES_ONE_IN 400
#define MOST_PAYLOAD 200
#define REQUESTS 4

static const u8 operations[] = {
  BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER, BLKIF_OP_FLUSH_DISKCACHE, 4, BLKIF_OP_DISCARD, BLKIF_OP_INDIRECT,
  7, 255,
};
static const char *const paths[] = {
  "data", "data/fuzz", "device/vbd", "device/vbd/51712/state", "device/vbd/51712/ring-ref", "device/vbd/51728/state",
  "device/vbd/51728/event-channel", "control/shutdown", "memory/target", "/", "/local/domain/0/backend/vbd", "@releaseDomain",
  "/local/domain/1", "a//b", "device/vbd/51728", "",
};

static struct blkfront disks[DISKS];
static u32 disk_count;
static grant_ref_t refs[REFS];
static struct virtio virtio_disk;
static struct virtio_queue queue;
static bool have_virtio;

static bool open_queue(void) {
  if (!virtio_negotiate(&virtio_disk, VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC)) return false;
  if (!virtio_queue_start(&virtio_disk, &queue, 0, VIRTIO_NO_VECTOR)) return false;
  virtio_driver_ok(&virtio_disk);
  return true;
}

static grant_ref_t any_ref(struct draw *draw) {
  return draw_one_in(draw, 16) ? draw_word(draw) : refs[draw_below(draw, REFS)];
}

static void write_segments(struct draw *draw, struct blkif_segment *segments, u32 count) {
  for (u32 i = 0; i < count; i++) {
    u8 first = (u8)draw_below(draw, SECTORS_PER_PAGE), last = SECTORS_PER_PAGE - 1;
    if (draw_one_in(draw, 8)) last = (u8)draw_word(draw);
    segments[i] = (struct blkif_segment){ any_ref(draw), first, last };
  }
}

static void write_request(struct draw *draw, union blkif_request *request) {
  u8 operation = DRAW_OF(draw, operations);
  u64 sector = draw_one_in(draw, 4) ? draw_long(draw) : draw_below(draw, 1024);
  u64 id = draw_long(draw);
  memset(request, 0, sizeof *request);
  if (operation == BLKIF_OP_INDIRECT) {
    u8 *page = arena[draw_below(draw, 4)];
    write_segments(draw, (struct blkif_segment *)page, 40);
    request->indirect.indirect_op = draw_below(draw, 3);
    request->indirect.nr_segments = draw_one_in(draw, 8) ? (u16)draw_word(draw) : (u16)draw_below(draw, 33);
    request->indirect.id = id;
    request->indirect.sector_number = sector;
    for (u32 i = 0; i < BLKIF_MAX_INDIRECT_PAGES; i++) request->indirect.indirect_grefs[i] = any_ref(draw);
  } else if (operation == BLKIF_OP_DISCARD) {
    request->discard.flag = draw_below(draw, 3);
    request->discard.id = id;
    request->discard.sector_number = sector;
    request->discard.nr_sectors = draw_one_in(draw, 4) ? draw_long(draw) : draw_below(draw, 64);
  } else {
    request->rw.nr_segments = draw_one_in(draw, 16) ? (u8)draw_word(draw) : (u8)draw_below(draw, BLKIF_MAX_SEGMENTS + 1);
    request->rw.id = id;
    request->rw.sector_number = sector;
    write_segments(draw, request->rw.segments, BLKIF_MAX_SEGMENTS);
  }
  request->rw.operation = operation;
  if (draw_one_in(draw, 4)) ((u8 *)request)[draw_below(draw, sizeof *request)] = (u8)draw_word(draw);
}

/* Some requests, shown at once; answers are taken for granted. */
static void use_disk(struct draw *draw) {
  if (disk_count == 0) return;
  struct blkfront *disk = &disks[draw_below(draw, disk_count)];
  volatile struct blkif_ring *ring = disk->ring;
  u32 producer = ring->req_prod;
  for (u32 left = 1 + draw_below(draw, REQUESTS); left > 0; left--, producer++) {
    if (producer - READ_ONCE(ring->rsp_prod) >= disk->entries) break;
    write_request(draw, (union blkif_request *)&ring->entries[producer % disk->entries]);
  }
  if (draw_one_in(draw, LIES_ONE_IN)) producer = draw_word(draw);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  ring->req_prod = producer;
  ring->rsp_event = draw_one_in(draw, 8) ? draw_word(draw) : READ_ONCE(ring->rsp_prod) + 1;
  evtchn_send(disk->port);
}

/* One message: its header mostly says how long it is, and its path is mostly one that there is. */
static void use_store(struct draw *draw) {
  struct xs_ring *ring = xs_ring();
  u8 message[sizeof(struct xs_header) + MOST_PAYLOAD + 64];
  struct xs_header *header = (struct xs_header *)message;
  char *payload = (char *)(header + 1);
  const char *path = DRAW_OF(draw, paths);
  u32 length = (u32)strlen(path) + 1;
  memcpy(payload, path, length);
  if (!draw_one_in(draw, 3)) {
    u32 more = draw_below(draw, draw_one_in(draw, 4) ? MOST_PAYLOAD : 16);
    draw_fill(draw, payload + length, more);
    length += more;
  }
  *header = (struct xs_header){ draw_below(draw, 26), draw_word(draw), draw_one_in(draw, 2) ? 0 : draw_below(draw, 6), length };
  if (draw_one_in(draw, 16)) ((u32 *)header)[draw_below(draw, 4)] = draw_word(draw);
  if (draw_one_in(draw, 8)) payload[draw_below(draw, length)] = (char)draw_word(draw);
  u32 producer = READ_ONCE(ring->req_prod);
  if (XS_RING_SIZE - (producer - READ_ONCE(ring->req_cons)) >= sizeof *header + length) {
    for (u32 i = 0; i < sizeof *header + length; i++) ring->req[(producer + i) % XS_RING_SIZE] = (char)message[i];
    producer += sizeof *header + length;
  }
  if (draw_one_in(draw, LIES_ONE_IN)) producer = draw_word(draw);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  WRITE_ONCE(ring->req_prod, producer);
  if (!draw_one_in(draw, 4)) WRITE_ONCE(ring->rsp_cons, READ_ONCE(ring->rsp_prod));
  if (draw_one_in(draw, LIES_ONE_IN)) WRITE_ONCE(ring->rsp_cons, draw_word(draw));
  if (draw_one_in(draw, LIES_ONE_IN)) WRITE_ONCE(ring->connection, draw_below(draw, 3));
  evtchn_send(xs_port());
}

static void use_console(struct draw *draw) {
  struct xencons_interface *ring = console_ring();
  if (ring == NULL) return;
  u32 producer = READ_ONCE(ring->out_prod);
  for (u32 left = draw_below(draw, 64); left > 0; left--) ring->out[producer++ % sizeof ring->out] = (char)draw_word(draw);
  if (draw_one_in(draw, 20)) producer = draw_word(draw);
  WRITE_ONCE(ring->out_prod, producer);
  if (draw_one_in(draw, 20)) WRITE_ONCE(ring->in_cons, draw_word(draw));
  if (draw_one_in(draw, 20)) WRITE_ONCE(ring->in_prod, draw_word(draw));
  if (draw_one_in(draw, 20)) WRITE_ONCE(ring->out_cons, draw_word(draw));
  evtchn_send(console_port());
}

static void use_virtio(struct draw *draw) {
  if (!have_virtio) return;
  for (u32 left = draw_below(draw, 6); left > 0; left--) {
    u16 next = draw_one_in(draw, 16) ? (u16)draw_word(draw) : (u16)draw_below(draw, VIRTIO_QUEUE_ENTRIES);
    u32 length = draw_one_in(draw, 8) ? draw_word(draw) : 16 + 512 * draw_below(draw, 8);
    u16 flags = draw_one_in(draw, 16) ? (u16)draw_word(draw) : (u16)draw_below(draw, 8);
    queue.desc[draw_below(draw, VIRTIO_QUEUE_ENTRIES)] = (struct virtio_desc){ draw_address(draw), length, flags, next };
  }
  /* A header as [VIRTIO] 5.2.6 has it, and a chain that begins there. */
  u32 *header = (u32 *)arena[4];
  header[0] = draw_one_in(draw, 4) ? draw_word(draw) : draw_below(draw, 14);
  header[2] = draw_one_in(draw, 4) ? draw_word(draw) : draw_below(draw, 1024);
  header[3] = draw_one_in(draw, 40) ? draw_word(draw) : 0;
  u16 head = (u16)draw_below(draw, VIRTIO_QUEUE_ENTRIES);
  if (draw_one_in(draw, 2)) {
    u16 data = (u16)((head + 1) % VIRTIO_QUEUE_ENTRIES);
    queue.desc[head] = (struct virtio_desc){ address_of(header), 16, VIRTIO_NEXT, data };
  }
  virtio_offer(&queue, draw_one_in(draw, 40) ? (u16)draw_word(draw) : head);
  if (draw_one_in(draw, LIES_ONE_IN)) WRITE_ONCE(queue.avail.index, (u16)draw_word(draw));
  virtio_notify(&queue);
  /* A broken queue is the device's last, until it is set up anew. */
  if (draw_one_in(draw, 50) && virtio_status(&virtio_disk) & VIRTIO_NEEDS_RESET) have_virtio = open_queue();
}

static void step(struct draw *draw) {
  switch (draw_below(draw, 8)) {
    case 0:
    case 1: use_store(draw); break;
    case 2: use_console(draw); break;
    case 3:
    case 4: use_virtio(draw); break;
    case 5: draw_fill(draw, arena[draw_below(draw, 8)], 256); break;
    default: use_disk(draw);
  }
}

static const char *prepare(void) {
  if (!xs_init()) return "no store";
  if (grants_init() != 0) return "no grant table";
  for (u32 i = 0; i < DISKS; i++) {
    if (!blkfront_find(&disks[i], i)) return "no PV disk";
    const char *problem = blkfront_connect(&disks[i], (struct blkfront_options){ .persistent = i == 1, .ring_order = i });
    if (problem != NULL) return problem;
    disk_count++;
  }
  for (u32 i = 0; i < REFS; i++) refs[i] = grant_page(disks[0].domid, arena[i], i % 4 == 3);
  have_virtio = virtio_open(&virtio_disk, VIRTIO_BLOCK_ID) && open_queue();
  return have_virtio ? NULL : "no virtio disk";
}

const struct kind ring_kind = { "rings", prepare, step };
