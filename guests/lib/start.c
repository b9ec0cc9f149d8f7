/* First C code on the boot CPU: turns what either loader left into one boot_info and calls the guest. */
#include "boot.h"
#include "string.h"
#include "x86.h"

/* The loader's own copy may lie where application processors are to start. */
static char command_line[2048];

static void copy_command_line(u64 address) {
  const char *from = pointer_to(address);
  for (size_t i = 0; i < sizeof command_line - 1 && from[i] != 0; i++) command_line[i] = from[i];
}

void start(u32 magic, u32 info);

void start(u32 magic, u32 info) {
  struct boot_info boot = {
    .protocol = BOOT_UNKNOWN, .command_line = command_line, .from_loader = pointer_to(info),
  };
  const struct start_info *pvh = pointer_to(info);
  const struct multiboot_info *multiboot = pointer_to(info);
  if (magic == MULTIBOOT_BOOT_MAGIC) {
    boot.protocol = BOOT_MULTIBOOT;
    if (multiboot->flags & MULTIBOOT_INFO_CMDLINE) copy_command_line(multiboot->cmdline);
    boot.modules = multiboot->mods_count;
  } else if (info != 0 && pvh->magic == PVH_START_MAGIC) {
    boot.protocol = BOOT_PVH;
    if (pvh->cmdline_paddr != 0) copy_command_line(pvh->cmdline_paddr);
    boot.rsdp = pvh->rsdp_paddr;
    boot.modules = pvh->nr_modules;
  }
  guest_main(&boot);
  halt_forever();
}

/* Where `word` begins on the command line, followed by `end` (or the line's end), else NULL. */
static const char *find_word(const struct boot_info *boot, const char *word, char end) {
  size_t length = strlen(word);
  for (const char *at = boot->command_line; *at != 0;) {
    while (*at == ' ') at++;
    if (starts_with(at, word) && (at[length] == end || (end == ' ' && at[length] == 0))) return at;
    while (*at != 0 && *at != ' ') at++;
  }
  return NULL;
}

bool boot_flag(const struct boot_info *boot, const char *word) { return find_word(boot, word, ' ') != NULL; }

u64 boot_number(const struct boot_info *boot, const char *name, u64 otherwise) {
  const char *at = find_word(boot, name, '=');
  if (at == NULL) return otherwise;
  at += strlen(name) + 1;
  return parse_number(&at);
}

bool boot_listed(const struct boot_info *boot, const char *name, const char *item) {
  const char *at = find_word(boot, name, '=');
  if (at == NULL) return false;
  at += strlen(name) + 1;
  size_t length = strlen(item);
  for (;;) {
    if (starts_with(at, item) && (at[length] == ',' || at[length] == ' ' || at[length] == 0)) return true;
    while (*at != 0 && *at != ' ' && *at != ',') at++;
    if (*at != ',') return false;
    at++;
  }
}
