/* Who may touch which page. SDM 3A "Access Rights", "Protection Keys", "Page-Fault Exceptions". */
#include "privilege.h"

enum { P = 1, W = 2, U = 4, I = 16, PK = 32 }; /* of a page fault's error code */
enum { PAGE = WINDOW, TABLE = WINDOW + 0x10000, KEY = 5 };
enum { ACCESS_DISABLE = 1, WRITE_DISABLE = 2 };
#define FAULT(error) (PF | (u32)(error) << 8)

static u8 frame[4096] __attribute__((aligned(4096)));

static u32 access(u32 cpl, const u8* code, u64 flags) {
  struct context context = long_context(CODE_64, cpl, code);
  context.rbx = PAGE;
  context.rflags |= flags;
  return outcome_long(context);
}
static u32 fetch(u32 cpl) {
  struct context context = long_context(CODE_64, cpl, (const void*)0);
  context.rip = PAGE;
  return outcome_long(context);
}
static void map(u64 flags) { map_page(PAGE, (u64)frame, PAGE_PRESENT | flags); }

static void check_plain(void) {
  map(PAGE_USER | PAGE_WRITABLE);
  check_equal(access(3, code_load, 0), DONE, "a user page: the user reads");
  check_equal(access(3, code_store, 0), DONE, "a user page: the user writes");
  check_equal(access(0, code_store, 0), DONE, "a user page: the supervisor writes, SMAP off");
  frame[0] = 0xcc; /* INT3 */
  check_equal(fetch(3), DONE, "a user page: the user runs it");
  check_equal(fetch(0), DONE, "a user page: the supervisor runs it, SMEP off");
  map(PAGE_WRITABLE);
  check_equal(access(3, code_load, 0), FAULT(P | U), "a supervisor page: the user does not read");
  check_equal(access(3, code_store, 0), FAULT(P | W | U), "a supervisor page: nor write");
  check_equal(fetch(3), FAULT(P | U | I), "a supervisor page: nor run it");
  for (u32 cpl = 0; cpl < 3; ++cpl) {
    check_equal(access(cpl, code_store, 0), DONE, "a supervisor page: CPL %u writes", (u64)cpl);
  }
  map(PAGE_USER);
  check_equal(access(3, code_store, 0), FAULT(P | W | U),
              "a read-only page: the user does not write");
  check_equal(access(0, code_store, 0), FAULT(P | W),
              "a read-only page: CR0.WP holds the supervisor");
  write_cr0(read_cr0() & ~(1ul << 16));
  check_equal(access(0, code_store, 0), DONE,
              "a read-only page: CR0.WP = 0, the supervisor writes");
  check_equal(access(3, code_store, 0), FAULT(P | W | U),
              "a read-only page: CR0.WP = 0, the user not");
  write_cr0(read_cr0() | 1ul << 16);
  frame[0] = 0xcc;
  map(PAGE_USER | PAGE_NO_EXECUTE);
  check_equal(fetch(3), FAULT(P | U | I), "an execute-disable page: the user does not run it");
  check_equal(fetch(0), FAULT(P | I), "an execute-disable page: nor the supervisor");
  check_equal(access(3, code_load, 0), DONE, "an execute-disable page: the user reads");
  map_page(PAGE, (u64)frame, 0);
  check_equal(access(3, code_load, 0), FAULT(U), "an absent page: read");
  check_equal(access(0, code_store, 0), FAULT(W), "an absent page: written by the supervisor");
  check_equal(fetch(0), FAULT(I), "an absent page: run by the supervisor");
}

static void check_smep(void) {
  if (!has_feature(7, EBX, 7)) {
    skip("SMEP: not offered");
    return;
  }
  write_cr4(read_cr4() | CR4_SMEP);
  frame[0] = 0xcc;
  map(PAGE_USER);
  for (u32 cpl = 0; cpl < 3; ++cpl) {
    check_equal(fetch(cpl), FAULT(P | I), "SMEP: CPL %u does not run a user page", (u64)cpl);
  }
  check_equal(fetch(3), DONE, "SMEP: the user runs a user page");
  check_equal(access(0, code_load, 0), DONE, "SMEP: the supervisor reads a user page");
  map(0);
  check_equal(fetch(0), DONE, "SMEP: the supervisor runs a supervisor page");
  write_cr4(read_cr4() & ~(u64)CR4_SMEP);
}

/* A local descriptor table in a user page: reading it is an implicit supervisor access. */
static u32 load_segment_of_user_table(u32 cpl, u64 flags) {
  ((u64*)frame)[1] = get_descriptor(DATA_OF(3));
  map_page(TABLE, (u64)frame, PAGE_PRESENT | PAGE_USER | PAGE_WRITABLE);
  const u64 low = descriptor(TABLE, 15, TYPE_LDT | DESCRIPTOR_PRESENT);
  set_descriptor(FREE_SELECTOR, low);
  set_descriptor(FREE_SELECTOR + 8, 0);
  __asm__ volatile("lldt %w0" : : "r"(FREE_SELECTOR));
  struct context context = long_context(CODE_64, cpl, code_load_fs);
  context.rax = 8 | 4 | 3; /* index 1, LDT, RPL 3 */
  context.rflags |= flags;
  const u32 result = outcome_long(context);
  __asm__ volatile("lldt %w0" : : "r"(0));
  return result;
}

static void check_smap(void) {
  if (!has_feature(7, EBX, 20)) {
    skip("SMAP: not offered");
    return;
  }
  check_equal(load_segment_of_user_table(3, 0), DONE, "SMAP off: a descriptor in a user page");
  write_cr4(read_cr4() | CR4_SMAP);
  map(PAGE_USER | PAGE_WRITABLE);
  for (u32 cpl = 0; cpl < 3; ++cpl) {
    check_equal(access(cpl, code_load, 0), FAULT(P), "SMAP: CPL %u does not read a user page",
                (u64)cpl);
    check_equal(access(cpl, code_store, 0), FAULT(P | W), "SMAP: CPL %u does not write a user page",
                (u64)cpl);
    check_equal(access(cpl, code_store, RFLAGS_AC), DONE, "SMAP: CPL %u does with EFLAGS.AC set",
                (u64)cpl);
  }
  check_equal(access(3, code_store, 0), DONE, "SMAP: the user writes a user page");
  check_equal(load_segment_of_user_table(3, 0), FAULT(P),
              "SMAP: the processor does not read a descriptor in a user page for the user");
  check_equal(load_segment_of_user_table(3, RFLAGS_AC), FAULT(P),
              "SMAP: nor with the user's AC set");
  check_equal(load_segment_of_user_table(0, RFLAGS_AC), FAULT(P),
              "SMAP: nor with the supervisor's AC set: the access is implicit");
  frame[0] = 0xcc;
  map(PAGE_USER);
  check_equal(fetch(0), DONE, "SMAP: the supervisor still runs a user page");
  write_cr4(read_cr4() & ~(u64)CR4_SMAP);
}

static void write_pkru(u32 value) {
  __asm__ volatile(".byte 0x0f, 0x01, 0xef" : : "a"(value), "c"(0), "d"(0) : "memory");
}

/* SDM 3A "Protection Keys": two bits of PKRU a key, for data in user pages. */
static void check_protection_keys(void) {
  if (!has_feature(7, ECX, 3)) {
    skip("protection keys: not offered");
    return;
  }
  const u32 no_access = ACCESS_DISABLE << 2 * KEY, no_write = WRITE_DISABLE << 2 * KEY;
  map(PAGE_USER | PAGE_WRITABLE | PAGE_KEY(KEY));
  check_equal(access(3, code_store, 0), DONE, "keys: without CR4.PKE a key means nothing");
  write_cr4(read_cr4() | CR4_PKE);
  write_pkru(0);
  check_equal(access(3, code_store, 0), DONE, "keys: PKRU = 0 allows all");
  write_pkru(no_access);
  check_equal(access(3, code_load, 0), FAULT(P | U | PK), "keys: AD, the user does not read");
  check_equal(access(3, code_store, 0), FAULT(P | W | U | PK), "keys: AD, nor write");
  check_equal(access(0, code_load, 0), FAULT(P | PK), "keys: AD, nor the supervisor read");
  frame[0] = 0xcc;
  check_equal(fetch(3), DONE, "keys: AD, the user runs the page");
  write_pkru(no_write);
  check_equal(access(3, code_load, 0), DONE, "keys: WD, the user reads");
  check_equal(access(3, code_store, 0), FAULT(P | W | U | PK), "keys: WD, the user does not write");
  check_equal(access(0, code_store, 0), FAULT(P | W | PK),
              "keys: WD with CR0.WP, nor the supervisor");
  write_cr0(read_cr0() & ~(1ul << 16));
  check_equal(access(0, code_store, 0), DONE, "keys: WD without CR0.WP, the supervisor writes");
  check_equal(access(3, code_store, 0), FAULT(P | W | U | PK),
              "keys: WD without CR0.WP, the user not");
  write_cr0(read_cr0() | 1ul << 16);
  write_pkru(~(3u << 2 * KEY | 3u)); /* key 0 is the code's */
  check_equal(access(3, code_store, 0), DONE, "keys: the other keys' bits do not matter");
  write_pkru(no_access);
  map(PAGE_WRITABLE | PAGE_KEY(KEY));
  check_equal(access(0, code_store, 0), DONE, "keys: a supervisor page has no key");
  map(PAGE_USER | PAGE_KEY(KEY));
  check_equal(access(3, code_store, 0), FAULT(P | W | U | PK),
              "keys: a violation of key and rights shows both");
  write_pkru(0);
  write_cr4(read_cr4() & ~(u64)CR4_PKE);
}

void check_page_rights(void) {
  check_plain();
  check_smep();
  check_smap();
  check_protection_keys();
}
