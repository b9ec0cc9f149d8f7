/* [ACPI] 6.5: RSDP 5.2.5.3, RSDT and XSDT 5.2.7 and 5.2.8, FADT 5.2.9, MADT 5.2.12. */
#include "acpi.h"

#include "string.h"

#define BIOS_AREA_START 0xe0000
#define BIOS_AREA_END 0x100000

struct rsdp {
  char signature[8];
  u8 checksum;
  char oem[6];
  u8 revision;
  u32 rsdt, length;
  u64 xsdt;
} __attribute__((packed));

struct table {
  char signature[4];
  u32 length;
  u8 revision, checksum;
  char oem[6], oem_table[8];
  u32 oem_revision, creator, creator_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct table) == 36, "table header");

struct madt_entry {
  u8 type, length;
  union {
    struct {
      u8 processor, apic_id;
      u32 flags;
    } __attribute__((packed)) local_apic;
    struct {
      u8 id, reserved;
      u32 address, first_gsi;
    } __attribute__((packed)) ioapic;
    struct {
      u16 reserved;
      u32 apic_id, flags, processor;
    } __attribute__((packed)) local_x2apic;
  };
} __attribute__((packed));
enum { MADT_LOCAL_APIC = 0, MADT_IOAPIC = 1, MADT_LOCAL_X2APIC = 9 };
#define MADT_FIRST_ENTRY 44
#define PROCESSOR_ENABLED 1

static const struct rsdp *find_rsdp(u64 hint) {
  if (hint != 0) return pointer_to(hint);
  for (u64 at = BIOS_AREA_START; at < BIOS_AREA_END; at += 16) {
    if (memcmp(pointer_to(at), "RSD PTR ", 8) == 0) return pointer_to(at);
  }
  return NULL;
}

static const struct table *find_table(const struct rsdp *rsdp, const char *signature) {
  bool wide = rsdp->revision >= 2 && rsdp->xsdt != 0;
  const struct table *root = pointer_to(wide ? rsdp->xsdt : rsdp->rsdt);
  u32 width = wide ? 8 : 4;
  for (u32 at = sizeof *root; at + width <= root->length; at += width) {
    u64 address = 0;
    memcpy(&address, (const u8 *)root + at, width);
    const struct table *table = pointer_to(address);
    if (memcmp(table->signature, signature, 4) == 0) return table;
  }
  return NULL;
}

static void add_cpu(struct acpi_machine *machine, u32 processor, u32 id, u32 flags) {
  if (!(flags & PROCESSOR_ENABLED) || machine->cpus == MAX_CPUS) return;
  machine->apic_ids[machine->cpus] = id;
  machine->processor_ids[machine->cpus++] = processor;
}

const void *acpi_table(const struct boot_info *boot, const char *signature) {
  const struct rsdp *rsdp = find_rsdp(boot->rsdp);
  return rsdp != NULL ? find_table(rsdp, signature) : NULL;
}

bool acpi_read(const struct boot_info *boot, struct acpi_machine *machine) {
  *machine = (struct acpi_machine){ .cpus = 1 };
  const struct table *madt = acpi_table(boot, "APIC");
  if (madt == NULL) return false;
  machine->cpus = 0;
  for (u32 at = MADT_FIRST_ENTRY; at + 2 <= madt->length;) {
    const struct madt_entry *entry = (const void *)((const u8 *)madt + at);
    if (entry->length < 2) break;
    if (entry->type == MADT_LOCAL_APIC) {
      add_cpu(machine, entry->local_apic.processor, entry->local_apic.apic_id, entry->local_apic.flags);
    } else if (entry->type == MADT_LOCAL_X2APIC) {
      add_cpu(machine, entry->local_x2apic.processor, entry->local_x2apic.apic_id, entry->local_x2apic.flags);
    } else if (entry->type == MADT_IOAPIC && machine->ioapic == 0) {
      machine->ioapic = entry->ioapic.address;
    }
    at += entry->length;
  }
  if (machine->cpus == 0) machine->cpus = 1;
  return true;
}

/* Offsets in the FADT. */
#define FADT_PM1A_CONTROL 64
#define FADT_FLAGS 112
#define FADT_RESET_ADDRESS 120 /* within the generic address at 116 */
#define FADT_RESET_VALUE 128
#define RESET_SUPPORTED (1u << 10)

bool acpi_find_fadt(const struct boot_info *boot, struct acpi_fadt *fadt) {
  *fadt = (struct acpi_fadt){ 0 };
  const struct rsdp *rsdp = find_rsdp(boot->rsdp);
  const struct table *table = rsdp != NULL ? find_table(rsdp, "FACP") : NULL;
  if (table == NULL || table->length <= FADT_RESET_VALUE) return false;
  const u8 *bytes = (const u8 *)table;
  u32 flags;
  memcpy(&fadt->pm1a_control, bytes + FADT_PM1A_CONTROL, sizeof fadt->pm1a_control);
  memcpy(&flags, bytes + FADT_FLAGS, sizeof flags);
  if (flags & RESET_SUPPORTED) memcpy(&fadt->reset_port, bytes + FADT_RESET_ADDRESS, sizeof fadt->reset_port);
  fadt->reset_value = bytes[FADT_RESET_VALUE];
  return true;
}
