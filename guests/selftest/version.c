/* xen_version: public/version.h. Buffers come back padded with zeros, never with what lay there ([XSA-122]). */
#include "check.h"

#include "../lib/hypercall.h"
#include "../lib/string.h"

#define FILLER 0xaa

static char buffer[2048];

/* Fills the buffer, asks, and checks that `size` bytes were written: text, then zeros, and nothing after. */
static void expect_text(u32 command, const char *name, u32 size) {
  memset(buffer, FILLER, sizeof buffer);
  long result = xen_version(command, buffer);
  REQUIRE(result == 0, "%s gives %ld%s", name, result, error_name(result));
  u32 length = 0;
  while (length < size && buffer[length] != 0) length++;
  REQUIRE(length < size, "%s is not terminated", name);
  for (u32 i = length; i < size; i++) EXPECT(buffer[i] == 0, "%s is not padded with zeros at %u", name, i);
  EXPECT((u8)buffer[size] == FILLER, "%s writes past its %u bytes", name, size);
}

CHECK(number, "version", "version is 4.something") {
  long version = xen_version(XENVER_version, NULL);
  EXPECT(version >> 16 == 4, "it is 0x%lx", version);
}

CHECK(extraversion, "version", "extraversion is a padded text") { expect_text(XENVER_extraversion, "extraversion", 16); }
CHECK(changeset, "version", "changeset is a padded text") { expect_text(XENVER_changeset, "changeset", 64); }

CHECK(capabilities, "version", "capabilities name hvm-3.0-x86_64") {
  expect_text(XENVER_capabilities, "capabilities", 1024);
  for (const char *at = buffer; *at != 0; at++) {
    if (starts_with(at, "hvm-3.0-x86_64")) return;
  }
  fail("they are '%s'", buffer);
}

CHECK(compile_info, "version", "compile_info is four padded texts") {
  struct xen_compile_info info;
  memset(&info, FILLER, sizeof info);
  REQUIRE_EQ(xen_version(XENVER_compile_info, &info), 0);
  EXPECT(info.compiler[63] == 0 && info.compile_by[15] == 0 && info.compile_domain[31] == 0 && info.compile_date[31] == 0,
         "a text fills its field");
}

CHECK(platform_parameters, "version", "platform_parameters is answered") {
  u64 start = 0;
  EXPECT_EQ(xen_version(XENVER_platform_parameters, &start), 0);
}

CHECK(features, "version", "features are those of an HVM guest") {
  struct xen_feature_info info = { .submap_idx = 0, .submap = 0 };
  REQUIRE_EQ(xen_version(XENVER_get_features, &info), 0);
  EXPECT(info.submap & 1u << XENFEAT_auto_translated_physmap, "auto_translated_physmap is off (0x%x)", info.submap);
  EXPECT(info.submap & 1u << XENFEAT_hvm_callback_vector, "hvm_callback_vector is off (0x%x)", info.submap);
  EXPECT(info.submap & 1u << XENFEAT_hvm_safe_pvclock, "hvm_safe_pvclock is off (0x%x)", info.submap);
  EXPECT(info.submap & 1u << XENFEAT_hvm_pirqs, "hvm_pirqs is off (0x%x)", info.submap);
}

CHECK(page_size, "version", "pages have 4096 bytes") { EXPECT_EQ(xen_version(XENVER_pagesize, NULL), PAGE_SIZE); }

CHECK(guest_handle, "version", "the guest has a UUID") {
  memset(buffer, FILLER, 32);
  REQUIRE_EQ(xen_version(XENVER_guest_handle, buffer), 0);
  EXPECT((u8)buffer[16] == FILLER, "more than 16 bytes are written");
}

CHECK(command_line, "version", "Xen's command line is answered or withheld as a text") {
  memset(buffer, FILLER, sizeof buffer);
  long result = xen_version(XENVER_commandline, buffer);
  EXPECT(result == 0 || result == -EPERM, "it gives %ld%s", result, error_name(result));
}

CHECK(build_id, "version", "build_id is a number of bytes or ENODATA") {
  long result = xen_version(XENVER_build_id, NULL);
  EXPECT(result > 0 || result == -ENODATA || result == -EPERM, "it gives %ld%s", result, error_name(result));
}

CHECK(unknown_command, "version", "an unknown command gives ENOSYS") { EXPECT_EQ(xen_version(99, buffer), -ENOSYS); }

CHECK(bad_pointers, "version", "pointers to nowhere give EFAULT") {
  EXPECT_EQ(xen_version(XENVER_extraversion, NON_CANONICAL), -EFAULT);
  EXPECT_EQ(xen_version(XENVER_extraversion, probe(PROBE_HOLE, 0)), -EFAULT);
  EXPECT_EQ(xen_version(XENVER_extraversion, probe(PROBE_READ_ONLY, 0)), -EFAULT);
  EXPECT_EQ(xen_version(XENVER_capabilities, probe(PROBE_SECOND, PAGE_SIZE - 8)), -EFAULT);
}

CHECK(kernel_pointers, "version", "pointers above 4 GiB and across pages that lie apart work") {
  char *first = probe(PROBE_FIRST, PAGE_SIZE - 4);
  memset(first, FILLER, 24);
  REQUIRE_EQ(xen_version(XENVER_extraversion, first), 0);
  expect_text(XENVER_extraversion, "extraversion", 16);
  EXPECT(memcmp(first, buffer, 16) == 0, "the text differs from that at an ordinary place");
  EXPECT((u8)first[16] == FILLER, "it runs on");
}
