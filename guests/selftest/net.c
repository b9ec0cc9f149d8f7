/*
 * The virtio network card, where there is one: [VIRTIO] Virtual I/O Device 1.2, 5.1. At the other end of its cable is
 * 10.0.2.2, which answers ARP; with `echo=PORT` it sends UDP datagrams to that port back. `big-frames` says that it takes
 * frames of 9000 bytes. `unplug-nics` lets the last check unplug the card.
 */
#include "check.h"

#include "../lib/apic.h"
#include "../lib/clock.h"
#include "../lib/idt.h"
#include "../lib/pci.h"
#include "../lib/string.h"
#include "../lib/virtio.h"
#include "../lib/x86.h"

#define PATIENCE (20 * SECOND)
#define A_WHILE (20 * MS)

/* Features and status, 5.1.3 and 5.1.4. */
#define NET_ID 0x10411af4u /* vendor 0x1af4, device 0x1040 + 1 */
#define NET_F_MAC (1ul << 5)
#define NET_F_MERGE (1ul << 15)
#define NET_F_STATUS (1ul << 16)
#define NET_F_CONTROL (1ul << 17)
#define NET_F_RECEIVE_MODES (1ul << 18)
#define LINK_UP 1

enum { RECEIVE, TRANSMIT, CONTROL, QUEUES };
#define HEADER_BYTES 12
#define BUFFER_BYTES 2048u
#define BUFFERS 32u
#define PLAIN_BYTES 1514
#define BIG_BYTES 9014

#define ETHERTYPE_IP 0x0800
#define ETHERTYPE_ARP 0x0806
#define OWN_ADDRESS 0x0a00020fu  /* 10.0.2.15 */
#define PEER_ADDRESS 0x0a000202u /* 10.0.2.2 */
#define OWN_PORT 40000
#define UDP_OFFSET 34
#define DATA_OFFSET 42

static struct virtio card;
static u64 features;
static struct virtio_queue queues[QUEUES];
/* Available index of each queue at the last notification. */
static u16 announced[QUEUES];
static u8 buffers[BUFFERS][BUFFER_BYTES] __attribute__((aligned(64)));
static u8 out[HEADER_BYTES + BIG_BYTES], in[BIG_BYTES + 1000];
static u8 mac[6], peer_mac[6];
static volatile u32 interrupts, interrupted_cpu;

static u32 big16(const u8 *at) { return (u32)at[0] << 8 | at[1]; }
static u32 big32(const u8 *at) { return big16(at) << 16 | big16(at + 2); }
static void put16(u8 *at, u32 value) {
  at[0] = (u8)(value >> 8);
  at[1] = (u8)value;
}
static void put32(u8 *at, u32 value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}

/* The sum of the Internet checksum, RFC 1071, over more bytes. */
static u32 sum(const u8 *at, u32 length, u32 start) {
  for (u32 i = 0; i + 1 < length; i += 2) start += big16(at + i);
  if (length & 1) start += (u32)at[length - 1] << 8;
  return start;
}
static u32 folded(u32 value) {
  while (value >> 16) value = (value & 0xffff) + (value >> 16);
  return value;
}
static u32 udp_sum(const u8 *frame, u32 length) {
  return folded(sum(frame + UDP_OFFSET, length, sum(frame + 26, 8, 17 + length)));
}

static bool have_card(void) {
  if (virtio_open(&card, NET_ID)) return true;
  skip("there is no virtio network card");
  return false;
}

/* Notifies the device of what was offered, unless it wants no notification. */
static void kick(struct virtio_queue *queue) {
  u16 index = queue->avail.index, before = announced[queue->number];
  announced[queue->number] = index;
  bool wanted = (READ_ONCE(queue->used.flags) & 1) == 0;
  /* Whether the index that the device waits for has been passed, 2.7.10. */
  if (features & VIRTIO_F_EVENT_IDX) wanted = (u16)(index - READ_ONCE(queue->used.avail_event) - 1) < (u16)(index - before);
  if (wanted) virtio_notify(queue);
}

/* The head of a chain that has come back and the bytes written to it, or -1. */
static int take(struct virtio_queue *queue, u32 *length) {
  if (!virtio_answered(queue)) return -1;
  full_barrier();
  u32 at = queue->seen % VIRTIO_QUEUE_ENTRIES;
  *length = queue->used.ring[at].length;
  queue->seen++;
  /* The next interrupt when one more has come back. */
  WRITE_ONCE(queue->avail.used_event, queue->seen);
  full_barrier();
  return (int)queue->used.ring[at].head;
}

static void give_buffer(u16 index) {
  queues[RECEIVE].desc[index] =
      (struct virtio_desc){ address_of(buffers[index]), BUFFER_BYTES, VIRTIO_WRITE, 0 };
  virtio_offer(&queues[RECEIVE], index);
}

static const volatile u8 *config(void) { return pointer_to(card.places[VIRTIO_CAP_DEVICE]); }

/* Brings the card up with what of `wanted` there is. */
static bool start(u64 wanted) {
  features = virtio_offered(&card) & (wanted | NET_F_MAC | NET_F_STATUS | VIRTIO_F_VERSION_1);
  if (!virtio_negotiate(&card, features)) return false;
  for (u16 i = 0; i < ((features & NET_F_CONTROL) ? QUEUES : CONTROL); i++) {
    if (!virtio_queue_start(&card, &queues[i], i, i + 1)) return false;
    announced[i] = 0;
  }
  for (u32 i = 0; i < sizeof mac; i++) mac[i] = config()[i];
  virtio_driver_ok(&card);
  for (u16 i = 0; i < BUFFERS; i++) give_buffer(i);
  kick(&queues[RECEIVE]);
  return true;
}

/* Sends `length` bytes that follow the header in `out`; false when they do not come back. */
static bool send(u32 length) {
  struct virtio_queue *queue = &queues[TRANSMIT];
  u32 written;
  memset(out, 0, HEADER_BYTES);
  queue->desc[0] = (struct virtio_desc){ address_of(out), HEADER_BYTES, VIRTIO_NEXT, 1 };
  queue->desc[1] = (struct virtio_desc){ address_of(out + HEADER_BYTES), length, 0, 0 };
  virtio_offer(queue, 0);
  kick(queue);
  return WAIT_FOR(take(queue, &written) >= 0, PATIENCE);
}

/* Takes the next frame into `in`, from one buffer or more; its length, or 0 when none comes. */
static u32 receive(u64 patience) {
  u32 length = 0, written = 0, left = 1;
  for (bool first = true; left > 0; first = false, left--) {
    int index;
    if (!WAIT_FOR((index = take(&queues[RECEIVE], &written)) >= 0, patience)) return 0;
    u32 skipped = first ? HEADER_BYTES : 0;
    if (written < skipped || written > BUFFER_BYTES || length + written - skipped > sizeof in) return 0;
    memcpy(in + length, buffers[index] + skipped, written - skipped);
    length += written - skipped;
    if (first && (features & NET_F_MERGE)) left = buffers[index][10] | (u32)buffers[index][11] << 8;
    give_buffer((u16)index);
  }
  kick(&queues[RECEIVE]);
  return length;
}

static void write_ethernet(const u8 *to, u32 type) {
  u8 *frame = out + HEADER_BYTES;
  memcpy(frame, to, 6);
  memcpy(frame + 6, mac, 6);
  put16(frame + 12, type);
}

/* Finds out the peer's hardware address. */
static bool resolve_peer(void) {
  static const u8 everybody[6] = { 255, 255, 255, 255, 255, 255 };
  u8 *arp = out + HEADER_BYTES + 14;
  write_ethernet(everybody, ETHERTYPE_ARP);
  put16(arp, 1);
  put16(arp + 2, ETHERTYPE_IP);
  put16(arp + 4, 6 << 8 | 4);
  put16(arp + 6, 1);
  memcpy(arp + 8, mac, 6);
  put32(arp + 14, OWN_ADDRESS);
  memset(arp + 18, 0, 6);
  put32(arp + 24, PEER_ADDRESS);
  if (!send(14 + 28)) return false;
  for (u32 length = receive(PATIENCE); length > 0; length = receive(PATIENCE)) {
    if (length < 42 || big16(in + 12) != ETHERTYPE_ARP || big16(in + 20) != 2 || big32(in + 28) != PEER_ADDRESS) continue;
    memcpy(peer_mac, in + 22, 6);
    return true;
  }
  return false;
}

static u8 datum(u32 round, u32 i) { return (u8)(round * 31 + i * 7); }

/* A datagram of `length` bytes of frame, its checksums right. */
static void write_datagram(u32 round, u32 length, u32 port) {
  u8 *frame = out + HEADER_BYTES, *ip = frame + 14, *udp = frame + UDP_OFFSET;
  write_ethernet(peer_mac, ETHERTYPE_IP);
  memset(ip, 0, 28);
  ip[0] = 0x45;
  put16(ip + 2, length - 14);
  put16(ip + 4, round);
  ip[8] = 64;
  ip[9] = 17;
  put32(ip + 12, OWN_ADDRESS);
  put32(ip + 16, PEER_ADDRESS);
  put16(ip + 10, ~folded(sum(ip, 20, 0)));
  put16(udp, OWN_PORT);
  put16(udp + 2, port);
  put16(udp + 4, length - UDP_OFFSET);
  for (u32 i = DATA_OFFSET; i < length; i++) frame[i] = datum(round, i);
  u32 checksum = ~udp_sum(frame, length - UDP_OFFSET) & 0xffff;
  put16(udp + 6, checksum == 0 ? 0xffff : checksum);
}

/* Whether `in` is that datagram on its way back, unharmed. */
static bool is_answer(u32 round, u32 length, u32 got, u32 port) {
  if (got < length || big16(in + 12) != ETHERTYPE_IP || in[23] != 17 || big16(in + UDP_OFFSET) != port) return false;
  if (folded(sum(in + 14, 20, 0)) != 0xffff || big16(in + UDP_OFFSET + 4) != length - UDP_OFFSET) return false;
  if (big16(in + UDP_OFFSET + 6) != 0 && udp_sum(in, length - UDP_OFFSET) != 0xffff) return false;
  for (u32 i = DATA_OFFSET; i < length; i++) {
    if (in[i] != datum(round, i)) return false;
  }
  return true;
}

/* Sends a datagram and waits for it to come back; other frames may come between. */
static bool echo(u32 round, u32 length, u32 port) {
  write_datagram(round, length, port);
  if (!send(length)) return false;
  for (u32 got = receive(PATIENCE); got > 0; got = receive(PATIENCE)) {
    if (is_answer(round, length, got, port)) return true;
  }
  return false;
}

static u32 echo_port(void) { return (u32)boot_number(boot_parameters, "echo", 0); }

static bool have_peer(void) {
  if (!have_card()) return false;
  if (echo_port() != 0) return true;
  skip("nobody sends datagrams back");
  return false;
}

CHECK(net_card, "net", "the virtio network card has an address and its link is up") {
  if (!have_card()) return;
  REQUIRE(start(0), "it refuses every feature");
  u32 any = 0;
  for (u32 i = 0; i < sizeof mac; i++) any |= mac[i];
  EXPECT(any != 0 && (mac[0] & 1) == 0, "its address is %x:%x:...", mac[0], mac[1]);
  EXPECT(WAIT_FOR((config()[6] & LINK_UP) != 0, PATIENCE), "its link is down");
  EXPECT_EQ(virtio_status(&card), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

CHECK(net_arp, "net", "a question by ARP is answered") {
  if (!have_peer()) return;
  REQUIRE(start(0), "it refuses every feature");
  EXPECT(resolve_peer(), "there is no answer");
}

static void expect_echoes(u64 wanted, u32 rounds) {
  REQUIRE(start(wanted), "it refuses features 0x%lx", wanted);
  EXPECT_EQ(features & wanted, wanted);
  REQUIRE(resolve_peer(), "there is no answer to ARP");
  for (u32 i = 0; i < rounds && !failed(); i++) {
    u32 length = i == 0 ? DATA_OFFSET + 1 : i % 20 == 1 ? PLAIN_BYTES : DATA_OFFSET + (i * 53) % 400;
    EXPECT(echo(i, length, echo_port()), "datagram %u, of %u bytes, does not come back as it was", i, length);
  }
}

CHECK(net_echo, "net", "datagrams come back as they were, with right checksums") {
  if (!have_peer()) return;
  expect_echoes(0, 10);
}

CHECK(net_echo_features, "net", "and with merged buffers, event indices and a control queue") {
  if (!have_peer()) return;
  expect_echoes(NET_F_MERGE | VIRTIO_F_EVENT_IDX | NET_F_CONTROL, 80);
}

CHECK(net_merge, "net", "a frame of 9000 bytes comes back over several buffers") {
  if (!have_peer()) return;
  if (!boot_flag(boot_parameters, "big-frames")) return skip("the other end takes none");
  REQUIRE(start(NET_F_MERGE), "it does not merge buffers");
  REQUIRE(resolve_peer(), "there is no answer to ARP");
  for (u32 i = 0; i < 4 && !failed(); i++) EXPECT(echo(i, BIG_BYTES - i, echo_port()), "frame %u does not", i);
}

CHECK(net_indirect, "net", "a frame in an indirect table goes out") {
  static struct virtio_desc table[2] __attribute__((aligned(16)));
  if (!have_peer()) return;
  REQUIRE(start(VIRTIO_F_INDIRECT_DESC), "it refuses indirect tables");
  REQUIRE(resolve_peer(), "there is no answer to ARP");
  write_datagram(7, 500, echo_port());
  memset(out, 0, HEADER_BYTES);
  table[0] = (struct virtio_desc){ address_of(out), 100, VIRTIO_NEXT, 1 };
  table[1] = (struct virtio_desc){ address_of(out) + 100, HEADER_BYTES + 500 - 100, 0, 0 };
  queues[TRANSMIT].desc[0] = (struct virtio_desc){ address_of(table), sizeof table, VIRTIO_INDIRECT, 0 };
  virtio_offer(&queues[TRANSMIT], 0);
  kick(&queues[TRANSMIT]);
  u32 got = receive(PATIENCE);
  while (got > 0 && !is_answer(7, 500, got, echo_port())) got = receive(PATIENCE);
  EXPECT(got > 0, "it does not come back");
}

static void frame_arrived(void) {
  interrupts++;
  interrupted_cpu = this_cpu()->index;
  apic_eoi();
}

CHECK(net_interrupt, "net", "frames that come in interrupt each CPU by MSI-X") {
  if (!have_peer()) return;
  REQUIRE(start(NET_F_MERGE), "it refuses to start");
  REQUIRE(resolve_peer(), "there is no answer to ARP");
  set_handler(VECTOR_DEVICE, frame_arrived);
  for (u32 cpu = 0; cpu < cpu_count && !failed(); cpu++) {
    virtio_msix_entry(&card, RECEIVE + 1, cpus[cpu].apic_id, VECTOR_DEVICE);
    virtio_msix(&card, true);
    for (u32 i = 0; i < 5 && !failed(); i++) {
      interrupts = 0;
      EXPECT(echo(i, 300, echo_port()), "datagram %u does not come back", i);
      EXPECT(WAIT_FOR(interrupts > 0, PATIENCE), "no interrupt comes to CPU %u", cpu);
      EXPECT(interrupted_cpu == cpu, "CPU %u is interrupted, not %u", interrupted_cpu, cpu);
    }
  }
  virtio_msix(&card, false);
  virtio_reset(&card);
}

static bool control(u8 class, u8 command, const u8 *data, u32 length) {
  static u8 bytes[64], answer;
  u32 written;
  bytes[0] = class;
  bytes[1] = command;
  memcpy(bytes + 2, data, length);
  answer = 0xff;
  struct virtio_queue *queue = &queues[CONTROL];
  queue->desc[0] = (struct virtio_desc){ address_of(bytes), 2 + length, VIRTIO_NEXT, 1 };
  queue->desc[1] = (struct virtio_desc){ address_of(&answer), 1, VIRTIO_WRITE, 0 };
  virtio_offer(queue, 0);
  kick(queue);
  return WAIT_FOR(take(queue, &written) >= 0, PATIENCE) && READ_ONCE(answer) == 0;
}

CHECK(net_filter, "net", "the receiver takes what the control queue says") {
  if (!have_peer()) return;
  REQUIRE(start(NET_F_CONTROL | NET_F_RECEIVE_MODES), "it has no control queue");
  REQUIRE(resolve_peer(), "there is no answer to ARP");
  static const u8 off = 0, on = 1, other[6] = { 2, 0, 0, 0, 0, 1 };
  EXPECT(control(0, 0, &off, 1), "it refuses to be less than promiscuous");
  EXPECT(echo(1, 300, echo_port()), "it takes nothing for its own address");
  EXPECT(control(1, 1, other, 6), "it refuses another address");
  write_datagram(2, 300, echo_port());
  EXPECT(send(300), "the datagram does not go out");
  EXPECT(receive(A_WHILE * 5) == 0 || !is_answer(2, 300, 300, echo_port()), "it takes what is for its old address");
  EXPECT(control(0, 0, &on, 1), "it refuses to be promiscuous");
  EXPECT(echo(3, 300, echo_port()), "promiscuous, it takes nothing for its old address");
  EXPECT(!control(77, 0, &on, 1), "it takes a command that there is not");
}

CHECK(net_reset, "net", "a reset in the middle of traffic ends it, and the card starts again") {
  if (!have_peer()) return;
  REQUIRE(start(NET_F_MERGE), "it refuses to start");
  REQUIRE(resolve_peer(), "there is no answer to ARP");
  for (u32 i = 0; i < 10 && !failed(); i++) {
    write_datagram(i, PLAIN_BYTES, echo_port());
    EXPECT(send(PLAIN_BYTES), "the datagram does not go out");
    EXPECT(virtio_reset(&card), "the reset does not end");
    memset(buffers, 0xee, sizeof buffers);
    bool touched = false;
    u64 end = now_ns() + MS;
    while (now_ns() < end) touched |= READ_ONCE(buffers[0][HEADER_BYTES]) != 0xee;
    EXPECT(!touched, "it writes to memory after its reset");
    REQUIRE(start(NET_F_MERGE), "it does not start again");
    EXPECT(echo(100 + i, 500, echo_port()), "nothing comes back after reset %u", i);
  }
}

CHECK(net_lies, "net", "a queue that makes no sense wants a reset, and nothing else suffers") {
  if (!have_card()) return;
  REQUIRE(start(0), "it refuses every feature");
  queues[TRANSMIT].desc[0] = (struct virtio_desc){ 0xfffffffffffff000ull, 0xffffffff, VIRTIO_NEXT, 0 };
  virtio_offer(&queues[TRANSMIT], 0);
  virtio_notify(&queues[TRANSMIT]);
  EXPECT(WAIT_FOR((virtio_status(&card) & VIRTIO_NEEDS_RESET) != 0, PATIENCE), "the card goes on");
  EXPECT(start(0), "it does not start again");
  if (echo_port() != 0) EXPECT(resolve_peer(), "nothing goes through it afterwards");
}

CHECK(net_unplug, "net", "unplugged with the emulated network cards, it leaves the bus") {
  if (!boot_flag(boot_parameters, "unplug-nics")) return skip("it shall stay");
  if (!have_card()) return;
  REQUIRE(start(NET_F_MERGE), "it refuses to start");
  outw(0x10, 2);
  EXPECT_EQ(pci_read32(card.devfn, 0), 0xffffffff);
  EXPECT(!virtio_open(&card, NET_ID), "it is on the bus");
}
