/* The PV console ring, CONSOLEIO_write and a polled 16550 (console.h). */
#include "console.h"

#include "format.h"
#include "hypercall.h"
#include "string.h"
#include "x86.h"

#define COM1 0x3f8
#define UART_LINE_STATUS 5
#define UART_TRANSMITTER_EMPTY 0x20
#define DEBUG_EXIT_PORT 0xf4

#define OUT_SIZE sizeof(((struct xencons_interface *)0)->out)
/* Yields to a reader that takes nothing before the console is given up. */
#define PATIENCE 20000

static bool to_serial, debug_exit;
static struct xencons_interface *ring;
static evtchn_port_t port;
/* One line at a time: APs print too. */
static u8 lock;

void console_init(const struct boot_info *boot) {
  to_serial = boot_flag(boot, "serial");
  debug_exit = boot_flag(boot, "debug-exit");
}

bool console_connect(void) {
  u64 frame, event_channel;
  if (hvm_get_param(HVM_PARAM_CONSOLE_PFN, &frame) != 0 || frame == 0) return false;
  if (hvm_get_param(HVM_PARAM_CONSOLE_EVTCHN, &event_channel) != 0 || event_channel == 0) return false;
  port = (evtchn_port_t)event_channel;
  ring = pointer_to(frame * PAGE_SIZE);
  return true;
}

struct xencons_interface *console_ring(void) { return ring; }
u32 console_port(void) { return port; }

static void relax(void) {
  if (xen_present()) sched_op(SCHEDOP_yield, NULL);
  pause();
}

static void write_serial(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    for (u32 tries = 0; tries < PATIENCE && !(inb(COM1 + UART_LINE_STATUS) & UART_TRANSMITTER_EMPTY); tries++) pause();
    outb(COM1, (u8)text[i]);
  }
}

/* False when the reader has gone: the rest of the text is lost and the ring is not used again. */
static bool write_ring(const char *text, size_t length) {
  while (length > 0) {
    u32 producer = ring->out_prod;
    u32 room = OUT_SIZE;
    for (u32 tries = 0;; tries++) {
      u32 used = producer - READ_ONCE(ring->out_cons);
      if (used > OUT_SIZE || tries == PATIENCE) return false;
      room = OUT_SIZE - used;
      if (room > 0) break;
      relax();
    }
    u32 chunk = length < room ? (u32)length : room;
    for (u32 i = 0; i < chunk; i++) ring->out[(producer + i) % OUT_SIZE] = text[i];
    __asm__ volatile("" : : : "memory"); /* data before index; x86 keeps the order of stores */
    WRITE_ONCE(ring->out_prod, producer + chunk);
    evtchn_send(port);
    text += chunk;
    length -= chunk;
  }
  return true;
}

static void write(const char *text, size_t length) {
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE) != 0) relax();
  if (to_serial) write_serial(text, length);
  if (ring != NULL && !write_ring(text, length)) ring = NULL;
  else if (ring == NULL && xen_present()) console_io(CONSOLEIO_write, (u32)length, text);
  __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

void print(const char *pattern, ...) {
  char line[320];
  va_list arguments;
  va_start(arguments, pattern);
  size_t length = format_va(line, sizeof line, pattern, arguments);
  va_end(arguments);
  write(line, length);
}

void console_flush(void) {
  if (ring == NULL) return;
  for (u32 tries = 0; tries < PATIENCE && READ_ONCE(ring->out_cons) != ring->out_prod; tries++) relax();
}

void finish(u8 code) {
  console_flush();
  if (debug_exit) outb(DEBUG_EXIT_PORT, code);
  shutdown(SHUTDOWN_poweroff);
}
