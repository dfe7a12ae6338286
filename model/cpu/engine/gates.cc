#include "model/cpu/engine/gates.h"

namespace vtsim::cpu {

namespace {

Outcome ud(Core& core, const Op&) { return core.raise(kUd); }
Outcome nm(Core& core, const Op&) { return core.raise(kNm); }
Outcome gp0(Core& core, const Op&) { return core.raise(kGp, 0); }

bool is_64bit(Mode mode) { return mode[ModeBits::CODE_SIZE] == static_cast<u64>(CodeSize::k64); }

bool names_xmm(const Decoded& in) {
  for (unsigned n = 0; n < in.visible(); ++n) {
    if (in.is_register(n) &&
        ZydisRegisterGetClass(in.operand[n].reg.value) == ZYDIS_REGCLASS_XMM)
      return true;
  }
  return false;
}

// SDM 2A "Exceptions" of the instruction groups; SDM 3A "Control Registers" for EM, MP, TS.
Handler by_gate(Gate gate, const Decoded& in, Mode mode) {
  const bool em = mode[ModeBits::EM], ts = mode[ModeBits::TS];
  switch (gate) {
    case Gate::kAlways:
      return nullptr;
    case Gate::kProtected:
      return mode[ModeBits::PROTECTED] ? nullptr : &run<ud>;
    case Gate::kNot64:
      return is_64bit(mode) ? &run<ud> : nullptr;
    case Gate::kOnly64:
      return is_64bit(mode) ? nullptr : &run<ud>;
    case Gate::kX87:
    case Gate::kFxsave:
      return em || ts ? &run<nm> : nullptr;
    case Gate::kX87Wait:
      return mode[ModeBits::MP] && ts ? &run<nm> : nullptr;
    case Gate::kMmx:
      return em ? &run<ud> : ts ? &run<nm> : nullptr;
    case Gate::kSse:
      return em || !mode[ModeBits::OSFXSR] ? &run<ud> : ts ? &run<nm> : nullptr;
    case Gate::kMmxOrSse:
      return by_gate(names_xmm(in) ? Gate::kSse : Gate::kMmx, in, mode);
    case Gate::kAvx:
      if (!mode[ModeBits::PROTECTED] || !mode[ModeBits::AVX]) return &run<ud>;
      return ts ? &run<nm> : nullptr;
    case Gate::kXsave:
      return !mode[ModeBits::OSXSAVE] ? &run<ud> : ts ? &run<nm> : nullptr;
  }
  return nullptr;
}

}  // namespace

Next raise_ud(Core* core, const Op* op) { return run<ud>(core, op); }
Next raise_gp0(Core* core, const Op* op) { return run<gp0>(core, op); }

Handler closed_gate(const InstructionRow& row, const Decoded& in, Mode mode) {
  if (const Handler handler = by_gate(row.gate, in, mode)) return handler;
  const bool cpl0 = mode[ModeBits::CPL] == 0 && !mode[ModeBits::V8086];
  return row.privilege == Privilege::kCpl0 && !cpl0 ? &run<gp0> : nullptr;
}

}  // namespace vtsim::cpu
