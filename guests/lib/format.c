/* The formatter behind every line that a guest prints. */
#include "format.h"

struct output {
  char *buffer;
  size_t size;
  size_t length;
};

static void put(struct output *out, char c) {
  if (out->length + 1 < out->size) out->buffer[out->length++] = c;
}

struct field {
  unsigned width;
  char pad;
  bool negative;
};

static void put_number(struct output *out, unsigned long value, unsigned base, struct field field) {
  char digits[24];
  unsigned count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  unsigned used = count + (field.negative ? 1 : 0);
  if (field.negative && field.pad == '0') put(out, '-');
  for (unsigned i = used; i < field.width; i++) put(out, field.pad);
  if (field.negative && field.pad != '0') put(out, '-');
  while (count > 0) put(out, digits[--count]);
}

static void put_string(struct output *out, const char *text) {
  if (text == NULL) text = "(null)";
  while (*text != 0) put(out, *text++);
}

size_t format_va(char *buffer, size_t size, const char *pattern, va_list arguments) {
  struct output out = { buffer, size, 0 };
  for (; *pattern != 0; pattern++) {
    if (*pattern != '%') {
      put(&out, *pattern);
      continue;
    }
    struct field field = { 0, ' ', false };
    bool is_long = false;
    pattern++;
    if (*pattern == '0') field.pad = *pattern++;
    while (*pattern >= '0' && *pattern <= '9') field.width = field.width * 10 + (unsigned)(*pattern++ - '0');
    for (; *pattern == 'l' || *pattern == 'z'; pattern++) is_long = true;
    switch (*pattern) {
      case 'd': {
        long value = is_long ? va_arg(arguments, long) : va_arg(arguments, int);
        field.negative = value < 0;
        put_number(&out, value < 0 ? 0 - (unsigned long)value : (unsigned long)value, 10, field);
        break;
      }
      case 'u':
        put_number(&out, is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned), 10, field);
        break;
      case 'x':
        put_number(&out, is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned), 16, field);
        break;
      case 'p':
        put_string(&out, "0x");
        put_number(&out, (uintptr_t)va_arg(arguments, void *), 16, field);
        break;
      case 'c':
        put(&out, (char)va_arg(arguments, int));
        break;
      case 's':
        put_string(&out, va_arg(arguments, const char *));
        break;
      default:
        put(&out, *pattern);
        break;
    }
    if (*pattern == 0) break;
  }
  if (size > 0) buffer[out.length] = 0;
  return out.length;
}

size_t format(char *buffer, size_t size, const char *pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  size_t length = format_va(buffer, size, pattern, arguments);
  va_end(arguments);
  return length;
}
