/* Every way in which an instruction, or the processor by itself, writes memory: each writes the
 * immediate of a MOV that has run just before, and must be seen by the next run. */
#include "contexts.h"
#include "stress.h"

/* MOVABS RAX, imm64; RET: the immediate at byte 2, aligned to 16, in the second of two pages (the
 * first is stack for handlers). */
enum { IMMEDIATE_AT = CODE_NEXT + 0xf00, ROUTINE = IMMEDIATE_AT - 2 };
static u8* const slot = (u8*)IMMEDIATE_AT;

static u64 run(void) { return ((u64(*)(void))(u64)ROUTINE)(); }

static void prepare(void) {
  EMIT((u8*)ROUTINE, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 0xc3);
  EMIT((u8*)ROUTINE + 11, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc);
}

/* Each writes `value` (or what it says itself) to the slot. */
static u64 value;
#define WRITER(name, ...)          \
  static u64 name(void) {          \
    __asm__ volatile(__VA_ARGS__); \
    return value;                  \
  }
#define ON_SLOT_STACK(...)                                                                       \
  "mov %%rsp, %%r8; mov %0, %%rsp\n\t" __VA_ARGS__ "\n\tmov %%r8, %%rsp" : : "r"((u64)slot + 8), \
                                                                             "r"(value)          \
      : "r8", "memory", "cc"

WRITER(store_8_bytes, "mov %1, (%0)" : : "r"(slot), "r"(value) : "memory")
WRITER(store_bytes,
       "mov %1, %%rax; mov %%al, (%0); mov %%ah, 1(%0); shr $16, %%rax; mov %%ax, 2(%0);"
       "shr $16, %%rax; mov %%eax, 4(%0)"
       :
       : "r"(slot), "r"(value)
       : "rax", "memory", "cc")
WRITER(exchange, "mov %1, %%rax; xchg %%rax, (%0)" : : "r"(slot), "r"(value) : "rax", "memory")
WRITER(exchange_add, "mov %1, %%rax; sub (%0), %%rax; lock xadd %%rax, (%0)"
       :
       : "r"(slot), "r"(value)
       : "rax", "memory", "cc")
WRITER(compare_exchange, "mov (%0), %%rax; lock cmpxchg %1, (%0)"
       :
       : "r"(slot), "r"(value)
       : "rax", "memory", "cc")
WRITER(add_and_not, "mov %1, %%rax; not %%rax; mov %%rax, (%0); notq (%0)"
       :
       : "r"(slot), "r"(value)
       : "rax", "memory")
WRITER(bit_set,
       "mov %1, %%rax; movq $0, (%0); 1: bsf %%rax, %%rcx; jz 2f; bts %%rcx, (%0);"
       "btr %%rcx, %%rax; jmp 1b; 2:"
       :
       : "r"(slot), "r"(value)
       : "rax", "rcx", "memory", "cc")
WRITER(shift_double,
       "mov %1, %%rax; movq $0, (%0); shld $32, %%rax, (%0); shl $32, %%rax; shld $32, %%rax, (%0)"
       :
       : "r"(slot), "r"(value)
       : "rax", "memory", "cc")
WRITER(store_string, "mov %0, %%rdi; mov %1, %%rax; stosq"
       :
       : "r"(slot), "r"(value)
       : "rdi", "rax", "memory")
WRITER(move_string, "mov %0, %%rdi; mov %1, %%rsi; mov $8, %%ecx; rep movsb"
       :
       : "r"(slot), "r"(&value)
       : "rdi", "rsi", "rcx", "memory")
WRITER(move_string_down, "lea 7(%0), %%rdi; lea 7(%1), %%rsi; mov $8, %%ecx; std; rep movsb; cld"
       :
       : "r"(slot), "r"(&value)
       : "rdi", "rsi", "rcx", "memory", "cc")
WRITER(move_non_temporal, "movnti %1, (%0)" : : "r"(slot), "r"(value) : "memory")
WRITER(push, ON_SLOT_STACK("push %1"))
WRITER(pop_memory, "push %1; popq (%0)" : : "r"(slot), "r"(value) : "memory")
WRITER(enter_frame,
       "mov %%rbp, %%r9; mov %1, %%rbp; mov %%rsp, %%r8; mov %0, %%rsp; enter $0, $0;"
       "mov %%r8, %%rsp; mov %%r9, %%rbp"
       :
       : "r"((u64)slot + 8), "r"(value)
       : "r8", "r9", "memory")
WRITER(x87_integer, "fninit; fildll (%1); fistpll (%0)" : : "r"(slot), "r"(&value) : "memory")
WRITER(sse_quadword, "movq (%1), %%xmm0; movq %%xmm0, (%0)" : : "r"(slot), "r"(&value) : "memory")
WRITER(sse_unaligned,
       "movdqu -3(%0), %%xmm2; movq (%1), %%xmm1; movdqu %%xmm2, -3(%0); movlps %%xmm1, (%0)"
       :
       : "r"(slot), "r"(&value)
       : "memory")
WRITER(mask_move,
       "mov %0, %%rdi; movq (%1), %%xmm0; pcmpeqb %%xmm1, %%xmm1; movq %%xmm1, %%xmm1;"
       "maskmovdqu %%xmm1, %%xmm0"
       :
       : "r"(slot), "r"(&value)
       : "rdi", "memory")

/* 16 bytes: the second half is RET and padding, as it was. */
static u64 compare_exchange_16(void) {
  u64 low = ((volatile u64*)slot)[0], high = ((volatile u64*)slot)[1];
  __asm__ volatile("lock cmpxchg16b (%2)"
                   : "+a"(low), "+d"(high)
                   : "r"(slot), "b"(value), "c"(high)
                   : "memory", "cc");
  return value;
}
static u64 sse_aligned(void) {
  u64 both[2] __attribute__((aligned(16))) = {value, ((volatile u64*)slot)[1]};
  __asm__ volatile("movaps (%1), %%xmm0; movntdq %%xmm0, (%0)" : : "r"(slot), "r"(both) : "memory");
  return value;
}

/* CALL pushes the address behind it; PUSHF the flags. */
static u64 call_pushes(void) {
  u64 pushed;
  __asm__ volatile("mov %%rsp, %%r8; mov %1, %%rsp; call 1f; 1: mov %%r8, %%rsp; lea 1b(%%rip), %0"
                   : "=r"(pushed)
                   : "r"((u64)slot + 8)
                   : "r8", "memory");
  return pushed;
}
static u64 flags_pushed(void) {
  u64 flags;
  __asm__ volatile("mov %%rsp, %%r8; mov %1, %%rsp; pushfq; mov (%%rsp), %0; mov %%r8, %%rsp"
                   : "=&r"(flags)
                   : "r"((u64)slot + 8)
                   : "r8", "memory");
  return flags;
}

/* What the processor stores of its own state: 10 bytes, so the routine needs a new RET. */
static u64 table_register(void) {
  struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) pointer;
  __asm__ volatile("sgdt %0" : "=m"(pointer));
  *(volatile u64*)slot = 0;
  __asm__ volatile("sgdt (%0)" : : "r"(slot) : "memory");
  EMIT(slot + 8, 0xc3, 0xcc);
  return pointer.limit | pointer.base << 16;
}
static u64 segment_register(void) {
  *(volatile u64*)slot = 0;
  __asm__ volatile("mov %%cs, (%0)" : : "r"(slot) : "memory");
  return CODE64;
}

/* An event's frame: SS is its highest quadword. */
static void event_frame(void) {
  static const u8 breakpoint[] = {0xcc};
  struct context context = long_context(CODE_64, 0, breakpoint);
  context.rsp = (u64)slot + 16; /* frames end at multiples of 16 */
  run_long(&context);
}

/* The walker sets A and D in entries of a table that is code as well. */
enum { PROBE = WINDOW + 0x200000 };
static u64 accessed_bit(u64 expected_bits, u32 writes) {
  extern u64 page_directory_window[512];
  /* The slot's page is the page table of the probe; the slot is the entry of its 0xf00 / 8th page.
   */
  const u64 linear = PROBE + 0xf00 / 8 * PAGE_BYTES;
  const u64 entry = (u64)frames[2] | PAGE_PRESENT | PAGE_WRITABLE;
  page_directory_window[(PROBE - WINDOW) >> 21] = (u64)frames[1] | PAGE_PRESENT | PAGE_WRITABLE;
  *(volatile u64*)slot = entry;
  invalidate_page(linear);
  if (run() != entry) return ~0ul;
  if (writes) {
    *(volatile u8*)linear = 1;
  } else {
    (void)*(volatile u8*)linear;
  }
  return entry | expected_bits;
}
static u64 walker_sets_accessed(void) { return accessed_bit(0x20, 0); }
static u64 walker_sets_dirty(void) { return accessed_bit(0x60, 1); }

/* A descriptor's accessed bit, in an LDT that is code. */
static u64 descriptor_accessed(void) {
  const u64 data = descriptor(0, 0xfffff, 0xc092);
  *(volatile u64*)slot = data;
  set_descriptor(FREE_SELECTOR, descriptor((u32)CODE_NEXT, 0xfff, 0x82));
  set_descriptor(FREE_SELECTOR + 8, 0);
  __asm__ volatile("lldt %w0" : : "r"(FREE_SELECTOR));
  if (run() != data) return ~0ul;
  __asm__ volatile("mov %0, %%fs; mov %1, %%fs; lldt %w1" : : "r"(0xf00 | 4), "r"(0));
  return data | 1ul << 40;
}

/* A port's byte. */
static u64 port_input(void) {
  out8(0x70, 0x60); /* a byte of CMOS memory */
  const u8 old = in8(0x71);
  out8(0x71, (u8)value);
  *(volatile u64*)slot = 0;
  out8(0x70, 0x60);
  __asm__ volatile("mov %0, %%rdi; insb" : : "r"(slot), "d"(0x71) : "rdi", "memory");
  out8(0x70, 0x60);
  out8(0x71, old);
  return (u8)value;
}

static const struct writer {
  const char* name;
  u64 (*write)(void);
} writers[] = {
    {"MOV of 8 bytes", store_8_bytes},
    {"MOV of 1, 2 and 4 bytes", store_bytes},
    {"XCHG", exchange},
    {"LOCK XADD", exchange_add},
    {"LOCK CMPXCHG", compare_exchange},
    {"LOCK CMPXCHG16B", compare_exchange_16},
    {"NOT", add_and_not},
    {"BTS", bit_set},
    {"SHLD", shift_double},
    {"STOSQ", store_string},
    {"REP MOVSB", move_string},
    {"REP MOVSB downwards", move_string_down},
    {"MOVNTI", move_non_temporal},
    {"PUSH", push},
    {"POP", pop_memory},
    {"ENTER", enter_frame},
    {"CALL", call_pushes},
    {"PUSHF", flags_pushed},
    {"FISTP", x87_integer},
    {"MOVQ of XMM", sse_quadword},
    {"MOVDQU and MOVLPS", sse_unaligned},
    {"MOVNTDQ", sse_aligned},
    {"MASKMOVDQU", mask_move},
    {"SGDT", table_register},
    {"MOV of a segment register", segment_register},
    {"INSB", port_input},
    {"the walker's A bit", walker_sets_accessed},
    {"the walker's D bit", walker_sets_dirty},
    {"a descriptor's accessed bit", descriptor_accessed},
};

/* The frame's SS lands 8 bytes below a multiple of 16: a routine of its own. */
static u32 frame_wrong(void) {
  u32 wrong = 0;
  u8* routine = (u8*)IMMEDIATE_AT + 8 - 2; /* the immediate at ...8 */
  for (u32 i = 0; i < 50; ++i) {
    EMIT(routine, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, (u8)i, 0xc3);
    wrong += ((u64(*)(void))(u64)routine)() != (0x0007060504030201ul | (u64)i << 56);
    event_frame();
    wrong += ((u64(*)(void))(u64)routine)() != DATA64;
  }
  return wrong;
}

void stress_writers(void) {
  enum { TIMES = 50 };
  write_cr4(read_cr4() | CR4_OSFXSR);
  write_cr0((read_cr0() & ~(u64)(CR0_EM | CR0_TS)) | CR0_MP);
  for (u32 i = 0; i < sizeof writers / sizeof *writers; ++i) {
    u32 wrong = 0;
    for (u32 n = 0; n < TIMES; ++n) {
      prepare();
      wrong += run() != 0x0807060504030201;
      value = (u64)random_number() << 32 | random_number();
      const u64 want = writers[i].write();
      wrong += run() != want;
    }
    check_equal(wrong, 0, "code written by %s", writers[i].name);
  }
  check_equal(frame_wrong(), 0, "code written by the frame of an event");
}
