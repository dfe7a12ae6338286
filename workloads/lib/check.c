#include <stdarg.h>

#include "parts.h"

enum { DEBUG_EXIT = 0xf4, BOCHS_SHUTDOWN = 0x8900 };

static u64 passed, failed, required; /* lines; and what is silent */

u64 checks_passed(void) { return passed + required; }

/* Exit status (value << 1) | 1. */
static void __attribute__((noreturn)) leave(u32 value) {
  out32(DEBUG_EXIT, value);
  for (const char* c = "Shutdown"; *c; ++c) out8(BOCHS_SHUTDOWN, (u8)*c);
  for (;;) __asm__ volatile("cli; hlt");
}

static void print_result(int holds, const char* format, va_list arguments) {
  print(holds ? "ok   " : "FAIL ");
  print_list(format, arguments);
  if (holds) {
    ++passed;
  } else {
    ++failed;
  }
}

int check(int holds, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_result(holds, format, arguments);
  va_end(arguments);
  print("\n");
  return holds;
}

int check_equal(u64 got, u64 want, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_result(got == want, format, arguments);
  va_end(arguments);
  if (got != want) print(" -- %x, not %x", got, want);
  print("\n");
  return got == want;
}

void skip(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print("skip ");
  print_list(format, arguments);
  va_end(arguments);
  print("\n");
}

void require(int holds, const char* what) {
  if (holds) {
    ++required;
    return;
  }
  print("%s: FAILED: %s\n", guest_name, what);
  leave((u32)checks_passed() + 1);
}

void finish(void) {
  if (failed == 0) {
    print("%s: all %u checks passed\n", guest_name, passed);
  } else {
    print("%s: %u of %u checks failed\n", guest_name, failed, passed + failed);
  }
  leave(failed != 0);
}
