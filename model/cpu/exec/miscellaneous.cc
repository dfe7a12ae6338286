// SDM 1 "Miscellaneous Instructions", "Random Number Generator Instructions"; CRC32; markers.

#include "model/cpu/environment.h"
#include "model/cpu/exec/choose.h"
#include "model/cpu/exec/crc32.h"
#include "model/cpu/exec/displaced.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

// ---- NOP, and the NOP that talks to the simulator (docs: "Markers")

Outcome nop(Core&, const Op&) { return Outcome::kNext; }

struct Marker {
  static constexpr Field SIGNATURE{31, 16};
  static constexpr Field CODE{15, 0};
  static constexpr u64 kSignature = 0x5654;
};

Outcome marker(Core& core, const Op& op) {
  const auto& gpr = core.state.gpr;
  core.environment().observer.on_marker(core, static_cast<u32>(op.imm), gpr[kRax], gpr[kRdx]);
  return Outcome::kNext;
}

// NOPL disp32(%rax) with the signature in the displacement's upper half.
bool is_marker(const Decoded& in) {
  if (!in.is_memory(0)) return false;
  const ZydisDecodedOperandMem& mem = in.operand[0].mem;
  const bool plain_rax = (mem.base == ZYDIS_REGISTER_RAX || mem.base == ZYDIS_REGISTER_EAX) &&
                         mem.index == ZYDIS_REGISTER_NONE;
  return plain_rax && in.ins.raw.disp.size == 32 &&
         Marker::SIGNATURE.get(static_cast<u64>(mem.disp.value)) == Marker::kSignature;
}

// A memory operand is not accessed.
Handler bind_nop(const Binding& binding, Op& op) {
  if (!is_marker(binding.in)) return &run<nop>;
  op.imm = Marker::CODE.get(static_cast<u64>(binding.in.operand[0].mem.disp.value));
  return &run_and_synchronize<marker>;
}

// ---- UD0, UD1, UD2

Handler bind_undefined(const Binding&, Op&) { return nullptr; }

// ---- XLAT

Outcome xlat(Core& core, const Op& op) {
  u64 lin;
  u8 value;
  const u8 index = get_gpr<u8>(core, gpr_offset(kRax));
  if (!displaced_linear(core, op, index, sizeof value, Intent::kRead, lin) ||
      !load_linear(core, op, lin, value))
    return Outcome::kFault;
  set_gpr<u8>(core, gpr_offset(kRax), value);
  return Outcome::kNext;
}

Handler bind_xlat(const Binding& binding, Op& op) {
  for (unsigned n = 0; n < binding.in.ins.operand_count; ++n) {
    if (binding.in.is_memory(n)) bind_memory(binding, n, op);
  }
  op.index = gpr_offset(kZeroRegister);  // AL is added by the handler
  return &run<xlat>;
}

// ---- CRC32

template <class T>
Outcome crc32(Core& core, const Op& op) {
  T data;
  if (op.mem.present()) {
    if (!load_operand(core, op, data)) return Outcome::kFault;
  } else {
    data = get_gpr<T>(core, op.src);
  }
  const u32 crc = crc32c(get_gpr<u32>(core, op.dst), data);
  set_gpr<u32>(core, op.dst, crc);  // a 64-bit destination is cleared above the CRC, too
  return Outcome::kNext;
}

Handler bind_crc32(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding, 1),
                  [](auto t) -> Handler { return &run<crc32<decltype(t)>>; });
}

// ---- RDRAND, RDSEED: always succeed; the numbers follow from the core's seed

// The generator's state is a counter, so that it is saved with the core.
u64 next_random(Core& core) {
  constexpr u64 kStep = 0x9E3779B97F4A7C15;
  u64 z = core.environment().seed + ++core.state.random_draws * kStep;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return z ^ z >> 31;
}

template <class T>
Outcome random_number(Core& core, const Op& op) {
  set_gpr<T>(core, op.dst, static_cast<T>(next_random(core)));
  set_arithmetic_flags(core.state.lazy, Rflags::CF.mask());
  return Outcome::kNext;
}

constexpr Binder kBindRandom =
    by_operand_size<random_number<u16>, random_number<u32>, random_number<u64>>;

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_NOP, bind_nop),
    branch_row(ZYDIS_MNEMONIC_UD0, bind_undefined),
    branch_row(ZYDIS_MNEMONIC_UD1, bind_undefined),
    branch_row(ZYDIS_MNEMONIC_UD2, bind_undefined),
    row(ZYDIS_MNEMONIC_XLAT, bind_xlat, FlagUse::kNone, Timing::kLoadStore),
    row(ZYDIS_MNEMONIC_CRC32, bind_crc32),
    {.mnemonic = ZYDIS_MNEMONIC_RDRAND,
     .bind = kBindRandom,
     .intercept = Intercept::kRdrand,
     .when = When::kAfterPrivilege,
     .timing = Timing::kSystem,
     .flags = FlagUse::kWritesAll},
    {.mnemonic = ZYDIS_MNEMONIC_RDSEED,
     .bind = kBindRandom,
     .intercept = Intercept::kRdseed,
     .when = When::kAfterPrivilege,
     .timing = Timing::kSystem,
     .flags = FlagUse::kWritesAll},
};

}  // namespace

Rows miscellaneous_rows() { return kRows; }

}  // namespace vtsim::cpu
