/* String and number basics. `rep` keeps the instruction count low on hosts that interpret ring 0. */
#include "string.h"

#ifdef __x86_64__
#define MOVE_WORDS "rep movsq"
#define STORE_WORDS "rep stosq"
#else
#define MOVE_WORDS "rep movsl"
#define STORE_WORDS "rep stosl"
#endif
#define WORD sizeof(unsigned long)

void *memcpy(void *to, const void *from, size_t length) {
  void *cursor = to;
  size_t words = length / WORD;
  size_t rest = length % WORD;
  __asm__ volatile(MOVE_WORDS : "+D"(cursor), "+S"(from), "+c"(words) : : "memory");
  __asm__ volatile("rep movsb" : "+D"(cursor), "+S"(from), "+c"(rest) : : "memory");
  return to;
}

void *memmove(void *to, const void *from, size_t length) {
  u8 *target = to;
  const u8 *source = from;
  if (target <= source || target >= source + length) return memcpy(to, from, length);
  while (length-- > 0) target[length] = source[length];
  return to;
}

void *memset(void *to, int byte, size_t length) {
  void *cursor = to;
  unsigned long pattern = ~0ul / 0xff * (u8)byte;
  size_t words = length / WORD;
  size_t rest = length % WORD;
  __asm__ volatile(STORE_WORDS : "+D"(cursor), "+c"(words) : "a"(pattern) : "memory");
  __asm__ volatile("rep stosb" : "+D"(cursor), "+c"(rest) : "a"(pattern) : "memory");
  return to;
}

int memcmp(const void *left, const void *right, size_t length) {
  const u8 *a = left;
  const u8 *b = right;
  for (size_t i = 0; i < length; i++) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

int strcmp(const char *left, const char *right) {
  while (*left != 0 && *left == *right) {
    left++;
    right++;
  }
  return (u8)*left - (u8)*right;
}

bool starts_with(const char *text, const char *prefix) {
  while (*prefix != 0) {
    if (*text++ != *prefix++) return false;
  }
  return true;
}

u64 parse_decimal(const char **text) {
  u64 value = 0;
  while (**text >= '0' && **text <= '9') value = value * 10 + (u64)(*(*text)++ - '0');
  return value;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

u64 parse_number(const char **text) {
  u64 value = 0;
  int digit;
  if (!starts_with(*text, "0x")) return parse_decimal(text);
  for (*text += 2; (digit = hex_digit(**text)) >= 0; (*text)++) value = value * 16 + (u64)digit;
  return value;
}
