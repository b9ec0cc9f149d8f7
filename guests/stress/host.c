/* The host's words (host.h). */
#include "host.h"

#include "stress.h"

#include "../lib/console.h"
#include "../lib/events.h"
#include "../lib/string.h"

#define MAX_WORD 32

/* For failures: what goes wrong here belongs to no workload. */
static struct workload host = { .name = "host" };
static volatile bool called;
static bool ends;
static char word[MAX_WORD];
static u32 length;
static u64 heard;

static void on_call(evtchn_port_t port UNUSED, void *argument UNUSED) { WRITE_ONCE(called, true); }

bool host_listen(void) {
  if (console_ring() == NULL) return false;
  event_listen(console_port(), on_call, NULL);
  called = true; /* what came before */
  return true;
}

static void obey(void) {
  if (strcmp(word, "end") == 0) {
    ends = true;
    return;
  }
  const char *at = word + 1;
  u64 number = word[0] == '#' ? parse_decimal(&at) : 0;
  if (number != heard + 1) failure(&host, "the host's word '%s' comes after number %lu", word, heard);
  heard = number;
  print("heard %lu\n", number);
}

static void take(char byte) {
  if (byte == '\n') {
    word[length] = 0;
    length = 0;
    obey();
  } else if (length < MAX_WORD - 1) word[length++] = byte;
}

void host_hear(void) {
  if (!READ_ONCE(called)) return;
  WRITE_ONCE(called, false); /* before the look: what comes later calls again */
  struct xencons_interface *ring = console_ring();
  while (ring->in_cons != READ_ONCE(ring->in_prod)) {
    __asm__ volatile("" : : : "memory"); /* index before data */
    char byte = ring->in[ring->in_cons % sizeof ring->in];
    __asm__ volatile("" : : : "memory");
    WRITE_ONCE(ring->in_cons, ring->in_cons + 1);
    take(byte);
  }
  evtchn_send(console_port());
}

bool host_ends(void) { return ends; }
