/* The boot guest's interactive part (service.h). */
#include "service.h"

#include "../lib/console.h"
#include "../lib/string.h"
#include "../lib/x86.h"
#include "checksum.h"
#include "layout.h"

#define COM1 0x3f8
#define UART_LINE_STATUS 5
#define UART_DATA_READY 0x01

/* [MMC] operation codes */
enum { START_STOP_UNIT = 0x1b, PREVENT_ALLOW = 0x1e };
enum { START = 0x01, LOAD_EJECT = 0x02, PREVENT = 0x01 };

static u8 data[DATA_SECTORS * ATA_SECTOR] PAGE_ALIGNED;

static u8 next_byte(void) {
  while (!(inb(COM1 + UART_LINE_STATUS) & UART_DATA_READY)) pause();
  return inb(COM1);
}

/* As ata_pio and ata_dma tell it. */
static void tell(const char *what, int result, size_t bytes) {
  if (result == 0 && bytes > 0) print("ide-boot: %s: %08x\n", what, checksum(data, bytes));
  else if (result == 0) print("ide-boot: %s: done\n", what);
  else if (result > 0) print("ide-boot: %s: error 0x%x\n", what, result & 0xff);
  else print("ide-boot: %s: FAILED: %d\n", what, result);
}

/* As ata_packet tells it. */
static void tell_packet(const char *what, int result) {
  if (result > 0) print("ide-boot: %s: %08x\n", what, checksum(data, (size_t)result));
  else if (result == 0) print("ide-boot: %s: done\n", what);
  else if (result <= -2) print("ide-boot: %s: sense %d\n", what, -2 - result);
  else print("ide-boot: %s: FAILED: %d\n", what, result);
}

static void read_disk(const struct ata_device *disk) {
  memset(data, 0, sizeof data);
  tell("pio", ata_pio(disk, READ_SECTORS, DATA_SECTOR, DATA_SECTORS, data), sizeof data);
  memset(data, 0, sizeof data);
  tell("dma", ata_dma(disk, READ_DMA, DATA_SECTOR, DATA_SECTORS, data), sizeof data);
}

static void write_disk(const struct ata_device *disk) {
  int result = ata_pio(disk, WRITE_SECTORS, DATA_SECTOR, DATA_SECTORS, data);
  tell("write", result, 0);
  tell("flush", ata_flush(disk), 0);
}

static void command_cd(const struct ata_device *cd, const char *what, u8 code, u8 argument) {
  const u8 packet[12] = { code, 0, 0, 0, argument };
  tell_packet(what, cd_packet(cd, packet, NULL, 0));
}

void serve(const struct ata_device *disk, const struct ata_device *cd) {
  print("ide-boot: serves\n");
  for (;;) {
    u8 byte = next_byte();
    if (byte == 'q') return;
    if (byte == 'r' && disk != NULL) read_disk(disk);
    else if (byte == 'w' && disk != NULL) write_disk(disk);
    else if (byte == 'c' && cd != NULL) tell_packet("cd", cd_read(cd, 0, CD_BLOCKS_READ, data));
    else if (byte == 'e' && cd != NULL) command_cd(cd, "eject", START_STOP_UNIT, LOAD_EJECT);
    else if (byte == 'i' && cd != NULL) command_cd(cd, "load", START_STOP_UNIT, LOAD_EJECT | START);
    else if (byte == 'l' && cd != NULL) command_cd(cd, "lock", PREVENT_ALLOW, PREVENT);
    else if (byte == 'u' && cd != NULL) command_cd(cd, "unlock", PREVENT_ALLOW, 0);
    else print("ide-boot: cannot do %c\n", byte);
  }
}
