/*
 * A xenstore client: one request at a time, by one CPU at a time; watch events are kept until asked for.
 *
 * [XS] xen.git docs/misc/xenstore.txt; public/io/xs_wire.h
 */
#ifndef GUEST_XS_H
#define GUEST_XS_H

#include "xen.h"

enum xs_type {
  XS_CONTROL, XS_DIRECTORY, XS_READ, XS_GET_PERMS, XS_WATCH, XS_UNWATCH, XS_TRANSACTION_START, XS_TRANSACTION_END,
  XS_INTRODUCE, XS_RELEASE, XS_GET_DOMAIN_PATH, XS_WRITE, XS_MKDIR, XS_RM, XS_SET_PERMS, XS_WATCH_EVENT, XS_ERROR,
  XS_IS_DOMAIN_INTRODUCED, XS_RESUME, XS_SET_TARGET, XS_RESTRICT, XS_RESET_WATCHES, XS_DIRECTORY_PART,
};
#define XS_PAYLOAD_MAX 4096
#define XS_RING_SIZE 1024
/* Requests that the store did not answer in time, or answered out of protocol. */
#define XS_NO_ANSWER (-1000L)
/* An error whose name this client does not know. */
#define XS_UNKNOWN_ERROR (-1001L)
#define E2BIG 7
#define EISCONN 106

struct xs_ring {
  char req[XS_RING_SIZE], rsp[XS_RING_SIZE];
  u32 req_cons, req_prod, rsp_cons, rsp_prod;
  u32 server_features, connection, error;
};
_Static_assert(offsetof(struct xs_ring, req_cons) == 2048, "xenstore_domain_interface");

struct xs_header {
  u32 type, req_id, tx_id, len;
};

/* Takes the ring from HVM_PARAM_STORE_*. Once is enough; false when the machine has no xenstore. */
bool xs_init(void);
struct xs_ring *xs_ring(void);
evtchn_port_t xs_port(void);

/* Sends one request; the answer's payload goes to `reply`, NUL-terminated. Its length, or a negative error. */
long xs_request(u32 type, u32 tx, const void *payload, u32 length, char *reply, u32 size);

long xs_read(u32 tx, const char *path, char *value, u32 size);
/* -1 when there is no such node or it is not a number. */
s64 xs_read_number(const char *path);
long xs_write(u32 tx, const char *path, const char *value);
long xs_write_number(u32 tx, const char *path, u64 value);
long xs_path(u32 type, u32 tx, const char *path);
/* Names one after another, each with its NUL. */
long xs_directory(u32 tx, const char *path, char *names, u32 size);
long xs_transaction_start(u32 *tx);
long xs_transaction_end(u32 tx, bool commit);
/* WATCH or UNWATCH. */
long xs_watch(u32 type, const char *path, const char *token);

struct xs_event {
  char path[160], token[40];
};
/* The oldest event not yet taken; false after the timeout. */
bool xs_next_event(struct xs_event *event, u64 timeout_ns);
/* Forgets events not yet taken. */
void xs_drop_events(void);

/* Waits for the node's value to be `value`, then true. */
bool xs_wait_number(const char *path, s64 value, u64 timeout_ns);

#endif
