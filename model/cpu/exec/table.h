#pragma once
// The instruction table: one row a mnemonic, in exec/<group>.cc, concatenated by exec/table.cc.
// The row says everything that is known before operands are looked at; the block builder turns gates
// that the mode decides into ops that raise, so that handlers never ask.

#include <span>

#include "model/cpu/decode.h"
#include "model/cpu/exec/exec.h"
#include "model/vmx/intercepts.h"

namespace vtsim::cpu {

// When the encoding exists: #UD or #NM otherwise. (Whether the processor has the instruction at all
// follows from Zydis' ISA set and the preset's CPUID bits: exec/isa.cc.)
enum class Gate : u8 {
  kAlways,
  kProtected,    // #UD in real and virtual-8086 mode (LAR, LSL, VERR, SLDT, LLDT, ARPL...)
  kNot64,        // #UD in 64-bit mode (Zydis rejects most by itself)
  kOnly64,
  kX87,          // CR0.EM or CR0.TS: #NM
  kX87Wait,      // FWAIT: CR0.MP and CR0.TS: #NM
  kMmx,          // CR0.EM: #UD; CR0.TS: #NM
  kSse,          // CR0.EM or !CR4.OSFXSR: #UD; CR0.TS: #NM
  kMmxOrSse,     // kMmx for forms on MMX registers alone, else kSse
  kAvx,          // !CR4.OSXSAVE or XCR0 without SSE and AVX, or not protected mode: #UD; TS: #NM
  kXsave,        // !CR4.OSXSAVE: #UD; CR0.TS: #NM (XGETBV, XSETBV: the handlers' business)
  kFxsave,       // CR0.EM or CR0.TS: #NM
};

enum class Privilege : u8 {
  kAny,
  kCpl0,       // #GP(0) above CPL 0; also in virtual-8086 mode
  kInHandler,  // depends on more (IOPL, CR4 bits): the handler decides
};

using vmx::Intercept;
using vmx::When;

// Classes of the core cost model; functional mode does not look at them.
enum class Timing : u8 { kSimple, kMul, kDiv, kBranch, kLoadStore, kString, kX87, kSimd, kSerializing, kSystem };

enum class Flow : u8 {
  kSequential,
  kBranch,       // ends its block; the handler is given whole (raw) by its binder or jumps itself
  kSynchronize,  // ends its block, and run() looks at everything again
};

// What the arithmetic flags mean to an instruction: lets the builder skip work that nobody sees.
enum class FlagUse : u8 {
  kNone,        // neither reads nor writes
  kReads,
  kWritesAll,   // overwrites all six without reading
  kReadsAndWrites,  // also: writes only some, or only for some operands
};

struct Binding;

// Fills `op` and returns what it calls. nullptr: this operand form is #UD.
using Binder = Handler (*)(const Binding& binding, Op& op);

struct InstructionRow {
  Mnemonic mnemonic;
  Binder bind;
  Gate gate = Gate::kAlways;
  Privilege privilege = Privilege::kAny;
  Intercept intercept = Intercept::kNone;
  When when = When::kNever;
  Timing timing = Timing::kSimple;
  Flow flow = Flow::kSequential;
  FlagUse flags = FlagUse::kNone;
};

// What a binder may look at.
struct Binding {
  const Decoded& in;
  CodeSize code_size;
  bool flat;            // 64-bit code: ES, CS, SS and DS have base 0 and no limit
  bool protected_mode;  // not real, not virtual-8086
  u8 cpl;
  bool flags_live;      // somebody may read the arithmetic flags that this instruction sets
  // The lazy record as the preceding instructions of the block leave it, where that is known.
  bool flags_known;
  FlagKind flags_kind;
  unsigned flags_size_log2;
};

// ---- tools of binders

// Byte offset of a general register (AH..BH are byte 1 of their register).
u8 gpr_operand(ZydisRegister reg);
// Number of a segment, vector, MMX, x87, control or debug register.
u8 register_number(ZydisRegister reg);

// Fills base, index, scale, disp and mem from memory operand `n`.
void bind_memory(const Binding& binding, unsigned n, Op& op);
// Operand 0 and 1 and the immediate into dst, src (registers by class: general ones as byte offsets,
// others as numbers), mem, imm. A second register source goes to `index` where there is no memory
// operand, else to `imm`; a third one to `imm`.
void bind_operands(const Binding& binding, Op& op);

inline unsigned operand_size_log2(const Binding& binding, unsigned n = 0) {
  switch (binding.in.operand[n].size) {
    case 8: return 0;
    case 16: return 1;
    case 32: return 2;
    default: return 3;
  }
}

// The usual binders.
template <Outcome (*handler)(Core&, const Op&)>
Handler plain(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return &run<handler>;
}
template <Outcome (*handler)(Core&, const Op&)>
Handler synchronizing(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return &run_and_synchronize<handler>;
}
// By the effective operand size (prefixes and mode): 16, 32 or 64 bits.
template <Outcome (*h16)(Core&, const Op&), Outcome (*h32)(Core&, const Op&),
          Outcome (*h64)(Core&, const Op&)>
Handler by_operand_size(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const unsigned bits = binding.in.operand_bits();
  return bits == 16 ? &run<h16> : bits == 32 ? &run<h32> : &run<h64>;
}

// The row of a mnemonic, or nullptr: not modelled (reported by name once, then #UD).
const InstructionRow* find_row(Mnemonic mnemonic);
std::span<const InstructionRow> all_rows();

}  // namespace vtsim::cpu
