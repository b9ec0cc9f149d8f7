/* What stands for data in the boot guest's lines. */
#ifndef IDE_BOOT_CHECKSUM_H
#define IDE_BOOT_CHECKSUM_H

#include "../lib/types.h"

/* FNV-1a, a word at a time. */
static inline u32 checksum(const void *data, size_t bytes) {
  const u32 *words = data;
  u32 hash = 2166136261u;
  for (size_t i = 0; i < bytes / 4; i++) hash = (hash ^ words[i]) * 16777619u;
  return hash;
}

#endif
