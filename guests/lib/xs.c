/* The xenstore ring and messages (xs.h). */
#include "xs.h"

#include "clock.h"
#include "format.h"
#include "hypercall.h"
#include "string.h"

#define ANSWER_TIMEOUT (10 * SECOND)
#define MAX_EVENTS 64

static struct xs_ring *ring;
static evtchn_port_t port;
static u32 next_id;
static char payload_buffer[XS_PAYLOAD_MAX + 1];
static struct xs_event events[MAX_EVENTS];
static u32 first_event, event_count;

static const struct {
  const char *name;
  int number;
} error_names[] = {
  { "EINVAL", EINVAL }, { "EACCES", EACCES }, { "EEXIST", EEXIST }, { "ENOENT", ENOENT }, { "ENOMEM", ENOMEM },
  { "ENOSPC", ENOSPC }, { "ENOSYS", ENOSYS }, { "EBUSY", EBUSY },   { "EAGAIN", EAGAIN }, { "E2BIG", E2BIG },
  { "EPERM", EPERM },   { "EISCONN", EISCONN },
};

bool xs_init(void) {
  u64 frame, event_channel;
  if (ring != NULL) return true;
  if (hvm_get_param(HVM_PARAM_STORE_PFN, &frame) != 0 || frame == 0) return false;
  if (hvm_get_param(HVM_PARAM_STORE_EVTCHN, &event_channel) != 0 || event_channel == 0) return false;
  port = (evtchn_port_t)event_channel;
  ring = pointer_to(frame * PAGE_SIZE);
  return true;
}

struct xs_ring *xs_ring(void) { return ring; }
evtchn_port_t xs_port(void) { return port; }

static bool send_bytes(const void *data, u32 length) {
  const char *from = data;
  while (length > 0) {
    if (!WAIT_FOR(ring->req_prod - READ_ONCE(ring->req_cons) < XS_RING_SIZE, ANSWER_TIMEOUT)) return false;
    u32 producer = ring->req_prod;
    u32 room = XS_RING_SIZE - (producer - READ_ONCE(ring->req_cons));
    u32 chunk = length < room ? length : room;
    for (u32 i = 0; i < chunk; i++) ring->req[(producer + i) % XS_RING_SIZE] = from[i];
    __asm__ volatile("" : : : "memory"); /* data before index */
    WRITE_ONCE(ring->req_prod, producer + chunk);
    evtchn_send(port);
    from += chunk;
    length -= chunk;
  }
  return true;
}

static bool receive_bytes(void *data, u32 length) {
  char *to = data;
  while (length > 0) {
    if (!WAIT_FOR(READ_ONCE(ring->rsp_prod) != ring->rsp_cons, ANSWER_TIMEOUT)) return false;
    u32 consumer = ring->rsp_cons;
    u32 there = READ_ONCE(ring->rsp_prod) - consumer;
    if (there > XS_RING_SIZE) return false;
    u32 chunk = length < there ? length : there;
    for (u32 i = 0; i < chunk; i++) to[i] = ring->rsp[(consumer + i) % XS_RING_SIZE];
    __asm__ volatile("" : : : "memory");
    WRITE_ONCE(ring->rsp_cons, consumer + chunk);
    evtchn_send(port);
    to += chunk;
    length -= chunk;
  }
  return true;
}

/* One whole message into payload_buffer. */
static bool receive(struct xs_header *header, u64 timeout_ns) {
  if (!WAIT_FOR(READ_ONCE(ring->rsp_prod) != ring->rsp_cons, timeout_ns)) return false;
  if (!receive_bytes(header, sizeof *header) || header->len > XS_PAYLOAD_MAX) return false;
  if (!receive_bytes(payload_buffer, header->len)) return false;
  payload_buffer[header->len] = 0;
  return true;
}

static void keep_event(void) {
  if (event_count == MAX_EVENTS) return;
  struct xs_event *event = &events[(first_event + event_count++) % MAX_EVENTS];
  format(event->path, sizeof event->path, "%s", payload_buffer);
  format(event->token, sizeof event->token, "%s", payload_buffer + strlen(payload_buffer) + 1);
}

static long error_number(const char *name) {
  for (size_t i = 0; i < ARRAY_SIZE(error_names); i++) {
    if (strcmp(name, error_names[i].name) == 0) return -error_names[i].number;
  }
  return XS_UNKNOWN_ERROR;
}

long xs_request(u32 type, u32 tx, const void *payload, u32 length, char *reply, u32 size) {
  struct xs_header header = { .type = type, .req_id = ++next_id, .tx_id = tx, .len = length };
  u32 id = next_id;
  if (!send_bytes(&header, sizeof header) || !send_bytes(payload, length)) return XS_NO_ANSWER;
  for (;;) {
    if (!receive(&header, ANSWER_TIMEOUT)) return XS_NO_ANSWER;
    if (header.type == XS_WATCH_EVENT) {
      keep_event();
      continue;
    }
    if (header.req_id != id || (header.type != type && header.type != XS_ERROR)) return XS_NO_ANSWER;
    if (header.type == XS_ERROR) return error_number(payload_buffer);
    u32 kept = header.len < size ? header.len : size == 0 ? 0 : size - 1;
    if (size > 0) {
      memcpy(reply, payload_buffer, kept);
      reply[kept] = 0;
    }
    return header.len;
  }
}

long xs_path(u32 type, u32 tx, const char *path) {
  return xs_request(type, tx, path, (u32)strlen(path) + 1, NULL, 0);
}

long xs_read(u32 tx, const char *path, char *value, u32 size) {
  return xs_request(XS_READ, tx, path, (u32)strlen(path) + 1, value, size);
}

s64 xs_read_number(const char *path) {
  char text[24];
  const char *at = text;
  if (xs_read(0, path, text, sizeof text) <= 0) return -1;
  if (*at < '0' || *at > '9') return -1;
  return (s64)parse_decimal(&at);
}

/* `first`, a NUL, then `second` with or without its own. */
static long xs_pair(u32 type, u32 tx, const char *first, const char *second, bool terminated) {
  char payload[512];
  u32 length = (u32)strlen(first) + 1;
  u32 rest = (u32)strlen(second) + (terminated ? 1 : 0);
  if (length + rest > sizeof payload) return XS_NO_ANSWER;
  memcpy(payload, first, length);
  memcpy(payload + length, second, rest);
  return xs_request(type, tx, payload, length + rest, NULL, 0);
}

long xs_write(u32 tx, const char *path, const char *value) { return xs_pair(XS_WRITE, tx, path, value, false); }

long xs_write_number(u32 tx, const char *path, u64 value) {
  char text[24];
  format(text, sizeof text, "%lu", value);
  return xs_write(tx, path, text);
}

long xs_directory(u32 tx, const char *path, char *names, u32 size) {
  return xs_request(XS_DIRECTORY, tx, path, (u32)strlen(path) + 1, names, size);
}

long xs_transaction_start(u32 *tx) {
  char text[16];
  const char *at = text;
  long length = xs_request(XS_TRANSACTION_START, 0, "", 1, text, sizeof text);
  *tx = length > 0 ? (u32)parse_decimal(&at) : 0;
  return length < 0 ? length : 0;
}

long xs_transaction_end(u32 tx, bool commit) {
  long length = xs_request(XS_TRANSACTION_END, tx, commit ? "T" : "F", 2, NULL, 0);
  return length < 0 ? length : 0;
}

long xs_watch(u32 type, const char *path, const char *token) { return xs_pair(type, 0, path, token, true); }

bool xs_next_event(struct xs_event *event, u64 timeout_ns) {
  struct xs_header header;
  u64 end = now_ns() + timeout_ns;
  while (event_count == 0) {
    u64 now = now_ns();
    if (!receive(&header, now < end ? end - now : 0)) return false;
    if (header.type == XS_WATCH_EVENT) keep_event();
  }
  *event = events[first_event];
  first_event = (first_event + 1) % MAX_EVENTS;
  event_count--;
  return true;
}

void xs_drop_events(void) {
  struct xs_event event;
  while (xs_next_event(&event, 0)) {
  }
  event_count = 0;
}

bool xs_wait_number(const char *path, s64 value, u64 timeout_ns) {
  return WAIT_FOR(xs_read_number(path) == value, timeout_ns);
}
