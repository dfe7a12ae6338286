#include <stdarg.h>

#include "parts.h"

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, TRANSMITTER_EMPTY = 0x20 };

void console_init(void) {
  out8(COM1 + 1, 0);    /* no interrupts */
  out8(COM1 + 3, 0x80); /* divisor latch */
  out8(COM1 + 0, 1);    /* 115200 baud */
  out8(COM1 + 1, 0);
  out8(COM1 + 3, 3); /* 8 data bits, no parity, one stop bit */
  out8(COM1 + 2, 7); /* FIFOs on and empty */
}

static void put_char(char c) {
  if (c == '\n') put_char('\r');
  while (!(in8(LINE_STATUS) & TRANSMITTER_EMPTY)) pause();
  out8(COM1, (u8)c);
}

static void put_number(u64 value, u32 base) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  while (count > 0) put_char(digits[--count]);
}

void print(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_list(format, arguments);
  va_end(arguments);
}

void print_list(const char* format, va_list arguments) {
  for (; *format; ++format) {
    if (*format != '%') {
      put_char(*format);
      continue;
    }
    switch (*++format) {
      case 's':
        for (const char* text = va_arg(arguments, const char*); *text; ++text) put_char(*text);
        break;
      case 'u':
        put_number(va_arg(arguments, u64), 10);
        break;
      case 'x':
        put_number(va_arg(arguments, u64), 16);
        break;
      case 'c':
        put_char((char)va_arg(arguments, int));
        break;
      default:
        put_char(*format);
    }
  }
}
