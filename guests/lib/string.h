/* The part of <string.h> that the compiler emits calls to, and that parsing needs. */
#ifndef GUEST_STRING_H
#define GUEST_STRING_H

#include "types.h"

void *memcpy(void *to, const void *from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *left, const void *right, size_t length);
size_t strlen(const char *text);
int strcmp(const char *left, const char *right);
bool starts_with(const char *text, const char *prefix);

/* Reads decimal digits at *text, moving it past them. */
u64 parse_decimal(const char **text);
/* As parse_decimal, and 0x… as hexadecimal. */
u64 parse_number(const char **text);

#endif
