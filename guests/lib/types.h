/* Integer types and the few compiler helpers that every file here uses. */
#ifndef GUEST_TYPES_H
#define GUEST_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define PAGE_SIZE 4096u
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE_ALIGNED __attribute__((aligned(4096)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

/* One load or store that the compiler neither repeats nor drops: for words that another CPU or the host writes. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

/* Every address a guest of ours uses is identity-mapped below 4 GiB. */
static inline u64 address_of(const volatile void *pointer) { return (u64)(uintptr_t)pointer; }
static inline void *pointer_to(u64 address) { return (void *)(uintptr_t)address; }
static inline u64 frame_of(const volatile void *pointer) { return address_of(pointer) / PAGE_SIZE; }

#endif
