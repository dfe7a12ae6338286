/* Instructions that C has no words for, and the types used throughout. */
#ifndef MACHINE_H
#define MACHINE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

static inline void out8(u16 port, u8 value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline void out16(u16 port, u16 value) {
  __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
static inline void out32(u16 port, u32 value) {
  __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
static inline u8 in8(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline u16 in16(u16 port) {
  u16 value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline u32 in32(u16 port) {
  u32 value;
  __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

#define CONTROL_REGISTER(name)                                      \
  static inline u64 read_##name(void) {                             \
    u64 value;                                                      \
    __asm__ volatile("mov %%" #name ", %0" : "=r"(value));          \
    return value;                                                   \
  }                                                                 \
  static inline void write_##name(u64 value) {                      \
    __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
  }
CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)
CONTROL_REGISTER(cr8)
#undef CONTROL_REGISTER

enum {
  CR0_MP = 1 << 1,
  CR0_EM = 1 << 2,
  CR0_TS = 1 << 3,
  CR4_VME = 1 << 0,
  CR4_PVI = 1 << 1,
  CR4_TSD = 1 << 2,
  CR4_PCE = 1 << 8,
  CR4_OSFXSR = 1 << 9,
  CR4_OSXMMEXCPT = 1 << 10,
  CR4_UMIP = 1 << 11,
  CR4_FSGSBASE = 1 << 16,
  CR4_OSXSAVE = 1 << 18,
  CR4_SMEP = 1 << 20,
  CR4_SMAP = 1 << 21,
  CR4_PKE = 1 << 22,
};
enum {
  RFLAGS_TF = 1 << 8,
  RFLAGS_IF = 1 << 9,
  RFLAGS_DF = 1 << 10,
  RFLAGS_NT = 1 << 14,
  RFLAGS_VM = 1 << 17,
  RFLAGS_AC = 1 << 18,
  RFLAGS_VIF = 1 << 19,
  RFLAGS_VIP = 1 << 20
};
#define RFLAGS_IOPL(level) ((u64)(level) << 12)

enum { IA32_TSC_DEADLINE = 0x6e0, IA32_APIC_BASE = 0x1b, IA32_EFER = 0xc0000080, EFER_SCE = 1 };

static inline u64 read_msr(u32 index) {
  u32 low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
  return (u64)high << 32 | low;
}
static inline void write_msr(u32 index, u64 value) {
  __asm__ volatile("wrmsr" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}
static inline u64 read_tsc(void) {
  u32 low, high;
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (u64)high << 32 | low;
}

struct cpuid {
  u32 eax, ebx, ecx, edx;
};
static inline struct cpuid read_cpuid(u32 leaf, u32 subleaf) {
  struct cpuid id;
  __asm__ volatile("cpuid"
                   : "=a"(id.eax), "=b"(id.ebx), "=c"(id.ecx), "=d"(id.edx)
                   : "a"(leaf), "c"(subleaf)
                   : "memory");
  return id;
}

static inline u64 read_flags(void) {
  u64 flags;
  __asm__ volatile("pushfq; pop %0" : "=r"(flags));
  return flags;
}
static inline void enable_interrupts(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void disable_interrupts(void) { __asm__ volatile("cli" : : : "memory"); }
/* STI's shadow lets nothing in between: the interrupt that is waited for cannot be missed. */
static inline void wait_for_interrupt(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }
static inline void pause(void) { __asm__ volatile("pause"); }
static inline void invalidate_page(u64 linear) {
  __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory");
}

static inline volatile u32* mmio32(u64 address) { return (volatile u32*)address; }
static inline volatile u64* mmio64(u64 address) { return (volatile u64*)address; }

#endif
