/*
 * PV disks: writes, reads, flushes and discards of mixed sizes on several disks at once, each page granted for one request
 * and taken back after it. Whatever was written comes back; every answer comes with its event.
 */
#include "area.h"
#include "port-state.h"

#include "../lib/blkfront.h"
#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/grants.h"

#define MAX_SECTORS (BLKIF_MAX_SEGMENTS * SECTORS_PER_PAGE)
/* Read at a time in the end. */
#define LAST_SECTORS 64
/* The only request under way on a disk. */
#define ID 1

static struct pv_disk {
  struct blkfront front;
  struct area area;
  try_lock busy;
  u8 pages[BLKIF_MAX_SEGMENTS][PAGE_SIZE] PAGE_ALIGNED;
} disks[BLKFRONT_DISKS];
static u32 disk_count;

/* xvda is 0, xvdb is 1: [VBD] xen.git docs/man/xen-vbd-interface.7.pandoc, 202 << 8 | disk << 4. */
static u32 place_of(const struct blkfront *front) { return front->handle >> 4 & 0xf; }

/* Connections last over the rounds, but for those that end with EVTCHNOP_reset. */
static bool prepare(void) {
  if (disk_count > 0) return true;
  while (disk_count < BLKFRONT_DISKS && blkfront_find(&disks[disk_count].front, disk_count)) {
    struct pv_disk *pv = &disks[disk_count];
    const char *problem = blkfront_connect(&pv->front, (struct blkfront_options){ .persistent = false });
    if (problem != NULL) {
      failure(&disk, "disk %u cannot be used: %s", disk_count, problem);
      return false;
    }
    if (pv->area.owner == NULL) pv->area = (struct area){ .owner = &disk, .disk = place_of(&pv->front) };
    disk_count++;
  }
  return disk_count > 0;
}

static void report_no_event(const struct pv_disk *pv) {
  const struct blkfront *front = &pv->front;
  bool answered = front->ring->rsp_prod != front->rsp_cons;
  failure(&disk, "%s disk %u: response %u, event wanted at %u; port %u: %s",
          answered ? "an answer came without an event from" : "neither answer nor event came from", pv->area.disk, front->ring->rsp_prod,
          front->ring->rsp_event, front->port, port_state(front->port).text);
}

/*
 * Pushes the request that was prepared, waits for its event, and only then looks at the ring. Who takes an answer before its
 * event, and asks for that of the next answer, may do so before the back end has looked whether this one's is wanted.
 */
static bool finish_request(struct pv_disk *pv) {
  u32 before = event_ports[pv->front.port].count;
  u64 sent_at = now_ns();
  if (planted(PLANT_LOST_EVENT)) pv->front.ring->rsp_event = pv->front.rsp_cons;
  blkfront_push(&pv->front);
  if (!WAIT_FOR(event_ports[pv->front.port].count != before, patience)) {
    report_no_event(pv);
    return false;
  }
  note_latency(&disk, sent_at);
  int result = blkfront_wait(&pv->front) ? pv->front.results[ID] : BLKFRONT_NO_ANSWER;
  if (result != BLKIF_RSP_OKAY) {
    failure(&disk, "a request on disk %u gives %d", pv->area.disk, result);
    return false;
  }
  count_event(&disk);
  return true;
}

static bool transfer(struct pv_disk *pv, u8 operation, u32 sector, u32 count) {
  union blkif_request *request = blkfront_prepare(&pv->front, operation, ID);
  u32 segments = (count + SECTORS_PER_PAGE - 1) / SECTORS_PER_PAGE;
  request->rw.sector_number = sector;
  request->rw.nr_segments = (u8)segments;
  for (u32 i = 0; i < segments; i++) {
    u32 left = count - i * SECTORS_PER_PAGE;
    grant_ref_t ref = grant_page(pv->front.domid, pv->pages[i], operation == BLKIF_OP_WRITE);
    if (ref == 0) failure(&disk, "there are no grants left");
    request->rw.segments[i] =
      (struct blkif_segment){ ref, 0, (u8)((left < SECTORS_PER_PAGE ? left : SECTORS_PER_PAGE) - 1) };
  }
  grant_ref_t refs[BLKIF_MAX_SEGMENTS]; /* the answer takes the request's place in the ring */
  for (u32 i = 0; i < segments; i++) refs[i] = request->rw.segments[i].gref;
  bool done = finish_request(pv);
  for (u32 i = 0; i < segments && done; i++) {
    if (!grant_end(refs[i])) failure(&disk, "disk %u still uses a page after its answer", pv->area.disk);
  }
  return done;
}

static bool flush(struct pv_disk *pv) {
  blkfront_prepare(&pv->front, BLKIF_OP_FLUSH_DISKCACHE, ID);
  return finish_request(pv);
}

static bool discard(struct pv_disk *pv, u32 sector, u32 count) {
  area_forget(&pv->area, sector, count);
  union blkif_request *request = blkfront_prepare(&pv->front, BLKIF_OP_DISCARD, ID);
  request->discard.sector_number = sector;
  request->discard.nr_sectors = count;
  return finish_request(pv);
}

static void work_on(struct pv_disk *pv) {
  u8 *data = pv->pages[0];
  u32 sector, count, choice = random_below(16);
  area_choose(MAX_SECTORS, &sector, &count);
  if (choice == 0 && pv->front.flush) flush(pv);
  else if (choice == 1 && pv->front.discard) discard(pv, sector, count);
  else if (choice < 9) {
    area_fill(&pv->area, data, sector, count);
    if (transfer(pv, BLKIF_OP_WRITE, sector, count)) area_wrote(&pv->area, sector, count);
  } else if (transfer(pv, BLKIF_OP_READ, sector, count)) area_check(&pv->area, data, sector, count);
  count_operation(&disk);
}

static bool step(u32 cpu UNUSED) {
  struct pv_disk *pv = &disks[random_below(disk_count)];
  if (!try_acquire(&pv->busy)) return false;
  work_on(pv);
  release(&pv->busy);
  return true;
}

/* A step leaves nothing behind. */
static bool quiet(void) { return true; }
static void settle(void) {
  while (ports_must_close && disk_count > 0) {
    const char *problem = blkfront_disconnect(&disks[--disk_count].front);
    if (problem != NULL) failure(&disk, "disk %u cannot be left: %s", disk_count, problem);
  }
}

/* Reads everything again, and tells the host what it will find in the image. */
static void finish(void) {
  for (u32 i = 0; i < disk_count; i++) {
    struct pv_disk *pv = &disks[i];
    u8 *data = pv->pages[0];
    u32 sum = 0;
    for (u32 sector = 0; sector < STAMP_AREA; sector += LAST_SECTORS) {
      if (!transfer(pv, BLKIF_OP_READ, sector, LAST_SECTORS)) return;
      area_check(&pv->area, data, sector, LAST_SECTORS);
      sum += area_sum(&pv->area, data, sector, LAST_SECTORS);
    }
    if (flush(pv)) area_tell(&pv->area, sum);
  }
}

struct workload disk = { "disk", prepare, step, quiet, settle, finish, 0, 0, 0 };
