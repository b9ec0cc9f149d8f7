/* A PV disk front end: one ring, used by one CPU at a time, answers awaited by polling. */
#ifndef GUEST_BLKFRONT_H
#define GUEST_BLKFRONT_H

#include "blkif.h"

#define BLKFRONT_MAX_RING_ORDER 2
/* There are rings for so many. */
#define BLKFRONT_DISKS 4
/* Answers are kept by id, so ids are below this. */
#define BLKFRONT_IDS 128
/* Answers that did not come, and ids that came twice. */
#define BLKFRONT_NO_ANSWER (-100)
#define BLKFRONT_TWICE (-101)

struct blkfront_options {
  bool persistent;
  /* The ring has 2^order pages; the back end says how many it takes. */
  u32 ring_order;
};

struct blkfront {
  char path[80], backend[96];
  /* In units of 512 bytes. */
  u64 sectors;
  u32 sector_size, info;
  bool writable, flush, discard, persistent, multi_page;
  u32 max_indirect_segments, max_ring_order;

  bool connected;
  domid_t domid;
  u32 entries;
  u32 rsp_cons;
  u8 (*ring_pages)[PAGE_SIZE];
  volatile struct blkif_ring *ring;
  grant_ref_t ring_refs[1 << BLKFRONT_MAX_RING_ORDER];
  evtchn_port_t port;
  u16 handle;
  /* Results by id; BLKFRONT_NO_ANSWER while one is awaited. */
  int results[BLKFRONT_IDS];
  u32 outstanding;
};

/* Finds the `index`th `device/vbd`, from 0 on. False when there is none. */
bool blkfront_find(struct blkfront *disk, u32 index);
/* Negotiates with the back end; NULL, or why it failed. Reads what the back end offers. */
const char *blkfront_connect(struct blkfront *disk, struct blkfront_options options);
/* Closes the connection and makes the device ready for the next; NULL, or why it failed. */
const char *blkfront_disconnect(struct blkfront *disk);

/* The next free request in the ring, zeroed, its handle and id set where every kind has them. */
union blkif_request *blkfront_prepare(struct blkfront *disk, u8 operation, u64 id);
/* Shows the requests prepared so far to the back end. */
void blkfront_push(struct blkfront *disk);
/* Waits for all answers; false when some do not come in time. */
bool blkfront_wait(struct blkfront *disk);
/* Pushes one prepared request, waits, and gives its result. */
int blkfront_run(struct blkfront *disk, u64 id);

#endif
