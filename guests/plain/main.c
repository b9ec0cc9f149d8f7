/*
 * A test kernel as others write them: tells what its loader gave it, by any of the ways that Xen has for text, and ends by
 * SCHEDOP_shutdown.
 *
 * Command line: `say=<way>,<way>` of call (CONSOLEIO_write), ring (the PV console), port (Xen's debug port) and platform (the
 * platform device's log port), call when left out; `end=<number>` is the reason for the shutdown, 0 when left out.
 */
#include "../lib/console.h"
#include "../lib/format.h"
#include "../lib/hypercall.h"
#include "../lib/string.h"
#include "../lib/x86.h"

#define XEN_DEBUG_PORT 0xe9
#define PLATFORM_LOG_PORT 0x12
#define E820_RAM 1
/* [MB] 3.3: entries of the module list and of the memory map. */
struct multiboot_module {
  u32 start, end, cmdline, pad;
};
struct multiboot_memory {
  u32 size;
  u64 base, length;
  u32 type;
} __attribute__((packed));

static const struct boot_info *boot;

static void say_by_port(u16 port, const char *text) {
  for (; *text != 0; text++) outb(port, (u8)*text);
}

static void say(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *pattern, ...) {
  char text[320];
  va_list arguments;
  va_start(arguments, pattern);
  size_t length = format_va(text, sizeof text, pattern, arguments);
  va_end(arguments);
  bool any = false;
  if (boot_listed(boot, "say", "port")) any = true, say_by_port(XEN_DEBUG_PORT, text);
  if (boot_listed(boot, "say", "platform")) any = true, say_by_port(PLATFORM_LOG_PORT, text);
  if (boot_listed(boot, "say", "ring")) any = true, print("%s", text);
  if (!any || boot_listed(boot, "say", "call")) console_io(CONSOLEIO_write, (u32)length, text);
}

/* Number of bytes, in KiB: 64-bit division is the compiler's library's in 32-bit code. */
static u32 kib(u64 bytes) { return (u32)(bytes >> 10); }

static void tell_module(u32 index, const char *arguments, const char *text, u32 size) {
  say("module %u: %u bytes, arguments '%s', begins with '%c%c'\n", index, size, arguments, text[0], text[1]);
}

static void tell_pvh(const struct start_info *info) {
  const struct hvm_modlist_entry *modules = pointer_to(info->modlist_paddr);
  const struct hvm_memmap_entry *map = pointer_to(info->memmap_paddr);
  const char *rsdp = pointer_to(info->rsdp_paddr);
  u64 ram = 0;
  say("start info of version %u, flags %u\n", info->version, info->flags);
  for (u32 i = 0; i < info->memmap_entries; i++) ram += map[i].type == E820_RAM ? map[i].size : 0;
  say("memory map: %u KiB of RAM\n", kib(ram));
  say("ACPI: %s\n", info->rsdp_paddr != 0 && starts_with(rsdp, "RSD PTR ") ? "there" : "not there");
  for (u32 i = 0; i < info->nr_modules; i++) {
    const char *arguments = modules[i].cmdline_paddr == 0 ? "" : pointer_to(modules[i].cmdline_paddr);
    tell_module(i, arguments, pointer_to(modules[i].paddr), (u32)modules[i].size);
  }
}

static void tell_multiboot(const struct multiboot_info *info) {
  const struct multiboot_module *modules = pointer_to(info->mods_addr);
  u64 ram = 0;
  say("multiboot information with flags 0x%x\n", info->flags);
  for (u32 at = info->mmap_addr; at < info->mmap_addr + info->mmap_length;) {
    const struct multiboot_memory *entry = pointer_to(at);
    ram += entry->type == E820_RAM ? entry->length : 0;
    at += entry->size + sizeof entry->size;
  }
  say("memory map: %u KiB of RAM, upper memory: %u KiB\n", kib(ram), info->mem_upper);
  for (u32 i = 0; i < info->mods_count; i++) {
    tell_module(i, pointer_to(modules[i].cmdline), pointer_to(modules[i].start), modules[i].end - modules[i].start);
  }
}

void guest_main(const struct boot_info *info) {
  boot = info;
  console_init(boot);
  if (!xen_init()) halt_forever();
  if (boot_listed(boot, "say", "ring")) console_connect();
  say("%u bits, command line '%s'\n", 8 * (u32)sizeof(long), boot->command_line);
  if (boot->protocol == BOOT_PVH) tell_pvh(boot->from_loader);
  if (boot->protocol == BOOT_MULTIBOOT) tell_multiboot(boot->from_loader);
  console_flush();
  struct sched_shutdown end = { (u32)boot_number(boot, "end", SHUTDOWN_poweroff) };
  /* Only who suspends itself or wants a soft reset comes back. */
  long result = sched_op(SCHEDOP_shutdown, &end);
  if (end.reason != SHUTDOWN_suspend && end.reason != SHUTDOWN_soft_reset) halt_forever();
  say("goes on with %ld\n", result);
  shutdown(SHUTDOWN_poweroff);
}
