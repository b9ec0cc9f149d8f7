/*
 * kdump crash CPU KERNEL INITRD COMMAND-LINE MARKER: loads a crash kernel, fills a page with MARKER, and lets this kernel crash
 * on that CPU. The crash kernel's command line gets "marked=" and the page's physical address. Prints what fails.
 *
 * kdump read ADDRESS: in the crash kernel, copies that page of the other's memory to its standard output.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, MAX_HEADERS = 64, COMMAND_LINE = 2048 };

/* Documentation/admin-guide/mm/pagemap.rst: bits 0 to 54 of a page's entry. */
static const uint64_t PFN_MASK = (1ULL << 55) - 1;

static int failed(const char *what)
{
  perror(what);
  return 1;
}

static uint64_t physical_address(const void *at)
{
  uint64_t entry = 0;
  int pagemap = open("/proc/self/pagemap", O_RDONLY);

  if (pagemap < 0 || pread(pagemap, &entry, sizeof entry, (uintptr_t)at / PAGE * sizeof entry) != sizeof entry)
    return 0;
  return (entry & PFN_MASK) * PAGE;
}

static int crash(char **arguments)
{
  int kernel = open(arguments[1], O_RDONLY);
  int initrd = open(arguments[2], O_RDONLY);
  const char *marker = arguments[4];
  size_t length = strlen(marker);
  char line[COMMAND_LINE];
  char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
  cpu_set_t cpus;
  int trigger;

  if (kernel < 0 || initrd < 0 || page == MAP_FAILED)
    return failed("kdump");
  for (size_t at = 0; at < PAGE; at++)
    page[at] = marker[at % length];
  snprintf(line, sizeof line, "%s marked=%llx", arguments[3], (unsigned long long)physical_address(page));
  if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(line) + 1, line, (unsigned long)KEXEC_FILE_ON_CRASH) != 0)
    return failed("kexec_file_load");
  CPU_ZERO(&cpus);
  CPU_SET(atoi(arguments[0]), &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) != 0)
    return failed("sched_setaffinity");
  trigger = open("/proc/sysrq-trigger", O_WRONLY);
  if (trigger < 0 || write(trigger, "c", 1) != 1)
    return failed("sysrq-trigger");
  return 1;
}

static int copy(uint64_t address)
{
  int vmcore = open("/proc/vmcore", O_RDONLY);
  Elf64_Ehdr header;
  Elf64_Phdr segments[MAX_HEADERS];
  char page[PAGE];

  if (vmcore < 0 || pread(vmcore, &header, sizeof header, 0) != sizeof header || header.e_phnum > MAX_HEADERS ||
      pread(vmcore, segments, header.e_phnum * sizeof *segments, header.e_phoff) < 0)
    return failed("vmcore");
  for (int i = 0; i < header.e_phnum; i++) {
    const Elf64_Phdr *segment = &segments[i];
    if (segment->p_type != PT_LOAD || address < segment->p_paddr || address - segment->p_paddr >= segment->p_memsz)
      continue;
    if (pread(vmcore, page, PAGE, segment->p_offset + (address - segment->p_paddr)) != PAGE)
      return failed("vmcore's page");
    return write(1, page, PAGE) == PAGE ? 0 : failed("output");
  }
  fprintf(stderr, "vmcore has no page at %llx\n", (unsigned long long)address);
  return 1;
}

int main(int argc, char **argv)
{
  if (argc == 7 && strcmp(argv[1], "crash") == 0)
    return crash(argv + 2);
  if (argc == 3 && strcmp(argv[1], "read") == 0)
    return copy(strtoull(argv[2], NULL, 16));
  fputs("usage: kdump crash CPU KERNEL INITRD COMMAND-LINE MARKER | kdump read ADDRESS\n", stderr);
  return 2;
}
