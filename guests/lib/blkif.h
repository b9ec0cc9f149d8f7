/* The PV disk's ring: public/io/blkif.h and ring.h, x86-64 layout. */
#ifndef GUEST_BLKIF_H
#define GUEST_BLKIF_H

#include "xen.h"

enum {
  BLKIF_OP_READ = 0, BLKIF_OP_WRITE = 1, BLKIF_OP_WRITE_BARRIER = 2, BLKIF_OP_FLUSH_DISKCACHE = 3, BLKIF_OP_DISCARD = 5,
  BLKIF_OP_INDIRECT = 6,
};
enum { BLKIF_RSP_OKAY = 0, BLKIF_RSP_ERROR = -1, BLKIF_RSP_EOPNOTSUPP = -2 };
#define BLKIF_MAX_SEGMENTS 11
#define BLKIF_MAX_INDIRECT_PAGES 8
#define SECTOR_SIZE 512
#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR_SIZE)

struct blkif_segment {
  grant_ref_t gref;
  u8 first_sect, last_sect;
};
_Static_assert(sizeof(struct blkif_segment) == 8, "blkif_request_segment");
#define SEGMENTS_PER_PAGE (PAGE_SIZE / sizeof(struct blkif_segment))

union blkif_request {
  struct {
    u8 operation, nr_segments;
    u16 handle;
    u64 id, sector_number;
    struct blkif_segment segments[BLKIF_MAX_SEGMENTS];
  } rw;
  struct {
    u8 operation, flag;
    u16 handle;
    u64 id, sector_number, nr_sectors;
  } discard;
  struct {
    u8 operation, indirect_op;
    u16 nr_segments;
    u64 id, sector_number;
    u16 handle;
    grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES];
  } indirect;
};
struct blkif_response {
  u64 id;
  u8 operation;
  s16 status;
};
_Static_assert(sizeof(struct blkif_response) == 16, "blkif_response");
_Static_assert(sizeof(union blkif_request) == 112, "blkif_request");
_Static_assert(offsetof(union blkif_request, indirect.indirect_grefs) == 28, "blkif_request_indirect");

union blkif_entry {
  union blkif_request request;
  struct blkif_response response;
};
struct blkif_ring {
  u32 req_prod, req_event, rsp_prod, rsp_event;
  u8 reserved[48];
  union blkif_entry entries[];
};
_Static_assert(offsetof(struct blkif_ring, entries) == 64, "blkif_sring");

/* enum xenbus_state, public/io/xenbus.h. */
enum xenbus_state {
  XENBUS_UNKNOWN, XENBUS_INITIALISING, XENBUS_INIT_WAIT, XENBUS_INITIALISED, XENBUS_CONNECTED, XENBUS_CLOSING, XENBUS_CLOSED,
};

#endif
