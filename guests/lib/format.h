/* A small snprintf: %s %c %d %u %x %lu %ld %lx %p %%, with zero or space padding and a width. */
#ifndef GUEST_FORMAT_H
#define GUEST_FORMAT_H

#include "types.h"

/* Writes at most size - 1 characters and a NUL; returns the length written. */
size_t format_va(char *buffer, size_t size, const char *pattern, va_list arguments);
size_t format(char *buffer, size_t size, const char *pattern, ...) __attribute__((format(printf, 3, 4)));

#endif
