/* Instructions that a bit of CR0, CR4 or XCR0 enables, or takes away from the user. */
#include "privilege.h"

enum { EM = CR0_EM, TS = CR0_TS, MP = CR0_MP };

struct feature {
  u32 leaf, reg, bit;
};
#define ALWAYS \
  { 0, 0, 0 }
#define FEATURE_XSAVE \
  { 1, ECX, 26 }
#define FEATURE_AVX \
  { 1, ECX, 28 }
#define FEATURE_UMIP \
  { 7, ECX, 2 }
#define FEATURE_PKU \
  { 7, ECX, 3 }
#define FEATURE_FSGSBASE \
  { 7, EBX, 0 }
#define FEATURE_RDTSCP \
  { 0x80000001, EDX, 27 }

/* Every row starts from CR0.EM = TS = MP = 0 and CR4 with PAE only, and sets these bits. SDM 3A
 * "Control Registers"; SDM 2A "Exception Conditions of SIMD instructions". */
static const struct row {
  const char* name;
  const u8* code;
  struct feature feature;
  u32 cr0, cr4, xcr0, ecx;
  u8 at_cpl0, at_cpl3, in_protected_mode; /* the last at CPL 3 */
} rows[] = {
    {"SGDT, CR4.UMIP = 0", code_sgdt, ALWAYS, 0, 0, 0, 0, DONE, DONE, DONE},
    {"SGDT, CR4.UMIP = 1", code_sgdt, FEATURE_UMIP, 0, CR4_UMIP, 0, 0, DONE, GP, GP},
    {"SIDT, CR4.UMIP = 0", code_sidt, ALWAYS, 0, 0, 0, 0, DONE, DONE, DONE},
    {"SIDT, CR4.UMIP = 1", code_sidt, FEATURE_UMIP, 0, CR4_UMIP, 0, 0, DONE, GP, GP},
    {"SLDT, CR4.UMIP = 0", code_sldt, ALWAYS, 0, 0, 0, 0, DONE, DONE, DONE},
    {"SLDT, CR4.UMIP = 1", code_sldt, FEATURE_UMIP, 0, CR4_UMIP, 0, 0, DONE, GP, GP},
    {"STR, CR4.UMIP = 0", code_str, ALWAYS, 0, 0, 0, 0, DONE, DONE, DONE},
    {"STR, CR4.UMIP = 1", code_str, FEATURE_UMIP, 0, CR4_UMIP, 0, 0, DONE, GP, GP},
    {"SMSW, CR4.UMIP = 0", code_smsw, ALWAYS, 0, 0, 0, 0, DONE, DONE, DONE},
    {"SMSW, CR4.UMIP = 1", code_smsw, FEATURE_UMIP, 0, CR4_UMIP, 0, 0, DONE, GP, GP},
    {"RDTSC, CR4.TSD = 0", code_rdtsc, ALWAYS, 0, 0, 0, 0, DONE, DONE, DONE},
    {"RDTSC, CR4.TSD = 1", code_rdtsc, ALWAYS, 0, CR4_TSD, 0, 0, DONE, GP, GP},
    {"RDTSCP, CR4.TSD = 0", code_rdtscp, FEATURE_RDTSCP, 0, 0, 0, 0, DONE, DONE, DONE},
    {"RDTSCP, CR4.TSD = 1", code_rdtscp, FEATURE_RDTSCP, 0, CR4_TSD, 0, 0, DONE, GP, GP},
    {"RDPMC, CR4.PCE = 0", code_rdpmc, ALWAYS, 0, 0, 0, 0, DONE, GP, GP},
    {"RDPMC, CR4.PCE = 1", code_rdpmc, ALWAYS, 0, CR4_PCE, 0, 0, DONE, DONE, DONE},
    {"MOVAPS, CR4.OSFXSR = 0", code_movaps, ALWAYS, 0, 0, 0, 0, UD, UD, UD},
    {"MOVAPS, CR4.OSFXSR = 1", code_movaps, ALWAYS, 0, CR4_OSFXSR, 0, 0, DONE, DONE, DONE},
    {"MOVAPS, CR0.EM = 1", code_movaps, ALWAYS, EM, CR4_OSFXSR, 0, 0, UD, UD, UD},
    {"MOVAPS, CR0.TS = 1", code_movaps, ALWAYS, TS, CR4_OSFXSR, 0, 0, NM, NM, NM},
    {"MOVAPS, CR0.EM = TS = 1", code_movaps, ALWAYS, EM | TS, CR4_OSFXSR, 0, 0, UD, UD, UD},
    {"PADDB of MMX, CR0.EM = TS = 0", code_paddb_mmx, ALWAYS, 0, 0, 0, 0, DONE, DONE, DONE},
    {"PADDB of MMX, CR0.EM = 1", code_paddb_mmx, ALWAYS, EM, 0, 0, 0, UD, UD, UD},
    {"PADDB of MMX, CR0.TS = 1", code_paddb_mmx, ALWAYS, TS, 0, 0, 0, NM, NM, NM},
    {"FNOP, CR0.EM = 1", code_fnop, ALWAYS, EM, 0, 0, 0, NM, NM, NM},
    {"FNOP, CR0.TS = 1", code_fnop, ALWAYS, TS, 0, 0, 0, NM, NM, NM},
    {"FWAIT, CR0.TS = 1, MP = 0", code_fwait, ALWAYS, TS, 0, 0, 0, DONE, DONE, DONE},
    {"FWAIT, CR0.TS = MP = 1", code_fwait, ALWAYS, TS | MP, 0, 0, 0, NM, NM, NM},
    {"FWAIT, CR0.EM = 1, TS = 0", code_fwait, ALWAYS, EM | MP, 0, 0, 0, DONE, DONE, DONE},
    {"FXSAVE, CR4.OSFXSR = 0", code_fxsave, ALWAYS, 0, 0, 0, 0, DONE, DONE, DONE},
    {"FXSAVE, CR0.EM = 1", code_fxsave, ALWAYS, EM, CR4_OSFXSR, 0, 0, NM, NM, NM},
    {"FXSAVE, CR0.TS = 1", code_fxsave, ALWAYS, TS, CR4_OSFXSR, 0, 0, NM, NM, NM},
    {"XGETBV, CR4.OSXSAVE = 0", code_xgetbv, FEATURE_XSAVE, 0, 0, 0, 0, UD, UD, UD},
    {"XGETBV, CR4.OSXSAVE = 1", code_xgetbv, FEATURE_XSAVE, 0, CR4_OSXSAVE, 1, 0, DONE, DONE, DONE},
    {"XGETBV of XCR9", code_xgetbv, FEATURE_XSAVE, 0, CR4_OSXSAVE, 1, 9, GP, GP, GP},
    {"XSETBV, CR4.OSXSAVE = 0", code_xsetbv, FEATURE_XSAVE, 0, 0, 0, 0, UD, UD, UD},
    {"XSETBV, CR4.OSXSAVE = 1", code_xsetbv, FEATURE_XSAVE, 0, CR4_OSXSAVE, 1, 0, DONE, GP, GP},
    {"XSAVE, CR4.OSXSAVE = 0", code_xsave, FEATURE_XSAVE, 0, 0, 0, 0, UD, UD, UD},
    {"XSAVE, CR4.OSXSAVE = 1", code_xsave, FEATURE_XSAVE, 0, CR4_OSXSAVE, 1, 0, DONE, DONE, DONE},
    {"XSAVE, CR0.TS = 1", code_xsave, FEATURE_XSAVE, TS, CR4_OSXSAVE, 1, 0, NM, NM, NM},
    {"VANDPS, CR4.OSXSAVE = 0", code_vandps, FEATURE_AVX, 0, CR4_OSFXSR, 0, 0, UD, UD, UD},
    {"VANDPS, XCR0 = 1", code_vandps, FEATURE_AVX, 0, CR4_OSXSAVE, 1, 0, UD, UD, UD},
    {"VANDPS, XCR0 = 3", code_vandps, FEATURE_AVX, 0, CR4_OSXSAVE, 3, 0, UD, UD, UD},
    {"VANDPS, XCR0 = 7", code_vandps, FEATURE_AVX, 0, CR4_OSXSAVE, 7, 0, DONE, DONE, DONE},
    {"VANDPS, XCR0 = 7, CR0.TS = 1", code_vandps, FEATURE_AVX, TS, CR4_OSXSAVE, 7, 0, NM, NM, NM},
    {"VANDPS, XCR0 = 7, CR0.EM = 1", code_vandps, FEATURE_AVX, EM, CR4_OSXSAVE, 7, 0, DONE, DONE,
     DONE},
    {"RDFSBASE, CR4.FSGSBASE = 0", code_rdfsbase, FEATURE_FSGSBASE, 0, 0, 0, 0, UD, UD, UD},
    {"RDFSBASE, CR4.FSGSBASE = 1", code_rdfsbase, FEATURE_FSGSBASE, 0, CR4_FSGSBASE, 0, 0, DONE,
     DONE, UD},
    {"WRGSBASE, CR4.FSGSBASE = 0", code_wrgsbase, FEATURE_FSGSBASE, 0, 0, 0, 0, UD, UD, UD},
    {"WRGSBASE, CR4.FSGSBASE = 1", code_wrgsbase, FEATURE_FSGSBASE, 0, CR4_FSGSBASE, 0, 0, DONE,
     DONE, UD},
    {"RDPKRU, CR4.PKE = 0", code_rdpkru, FEATURE_PKU, 0, 0, 0, 0, UD, UD, UD},
    {"RDPKRU, CR4.PKE = 1", code_rdpkru, FEATURE_PKU, 0, CR4_PKE, 0, 0, DONE, DONE, DONE},
    {"RDPKRU, ECX = 1", code_rdpkru, FEATURE_PKU, 0, CR4_PKE, 0, 1, GP, GP, GP},
    {"SYSRET, IA32_EFER.SCE = 0", code_sysret, {0x80000001, EDX, 11}, 0, 0, 0, 0, UD, UD, UD},
    {"CPUID, CR4.TSD = 1", code_cpuid, ALWAYS, 0, CR4_TSD, 0, 0, DONE, DONE, DONE},
};

static void write_xcr0(u32 value) {
  __asm__ volatile(".byte 0x0f, 0x01, 0xd1" : : "a"(value), "d"(0), "c"(0));
}

static struct context prepared(struct context context, const struct row* row, u64 memory) {
  context.rbx = memory;
  context.rax = row->xcr0; /* what XSETBV sets anew */
  context.rcx = row->ecx;
  return context;
}

static void check_row(const struct row* row) {
  const u64 old_cr0 = read_cr0(), old_cr4 = read_cr4();
  const u64 operand_address = (u64)operand;
  u64 cr4 =
      old_cr4 & ~(u64)(CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_TSD | CR4_PCE | CR4_OSXSAVE);
  cr4 |= row->cr4;
  write_cr4(cr4);
  if (row->xcr0) write_xcr0(row->xcr0);
  write_cr0((old_cr0 & ~(u64)(EM | TS | MP)) | row->cr0);
  check_equal(outcome_long(prepared(long_context(CODE_64, 0, row->code), row, operand_address)),
              row->at_cpl0, "64-bit: %s, CPL 0", row->name);
  check_equal(
      outcome_long(prepared(long_context(CODE_64, 3, row->code), row, operand_address + USER_BASE)),
      row->at_cpl3, "64-bit: %s, CPL 3", row->name);
  check_equal(outcome_legacy(prepared(legacy_context(3, row->code), row, operand_address)),
              row->in_protected_mode, "protected: %s, CPL 3", row->name);
  write_cr4(old_cr4);
  write_cr0(old_cr0);
}

void check_control_bits(void) {
  for (u32 i = 0; i < sizeof rows / sizeof *rows; ++i) {
    const struct row* row = &rows[i];
    const struct feature* feature = &row->feature;
    const int offered =
        feature->leaf == 0 || has_feature(feature->leaf, feature->reg, feature->bit);
    if (offered) {
      check_row(row);
    } else {
      skip("%s: not offered", row->name);
    }
  }
}
