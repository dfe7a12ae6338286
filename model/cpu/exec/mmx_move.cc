// SDM 1 "MMX Instructions > MMX Data Transfer Instructions", EMMS, and the moves between MMX and
// XMM registers.

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/masked_access.h"
#include "model/cpu/exec/mmx.h"
#include "model/cpu/exec/vector_move.h"

namespace vtsim::cpu {

namespace {

// ---- MOVD, MOVQ, MOVNTQ

template <class T>
Outcome mmx_from_gpr(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  enter_mmx(core);
  write_mmx(core, op.dst, get_gpr<T>(core, op.src));
  return Outcome::kNext;
}
template <class T>
Outcome gpr_from_mmx(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  enter_mmx(core);
  set_gpr<T>(core, op.dst, static_cast<T>(read_mmx(core, op.src)));
  return Outcome::kNext;
}
template <class T>
Outcome store_mmx(Core& core, const Op& op) {
  if (!x87_exception_absent(core) ||
      !store_operand(core, op, static_cast<T>(read_mmx(core, op.src))))
    return Outcome::kFault;
  enter_mmx(core);
  return Outcome::kNext;
}

u64 second(u64, u64 b) { return b; }

template <class T>
Handler bind_mmx_move(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  if (binding.in.is_memory(0)) return &run<store_mmx<T>>;
  if (binding.in.is_memory(1)) return &run<mmx_mem<second, T>>;
  if (!is_mmx(binding, 0)) return &run<gpr_from_mmx<T>>;
  if (!is_mmx(binding, 1)) return &run<mmx_from_gpr<T>>;
  return &run<mmx_reg<second>>;
}

// ---- MOVDQ2Q, MOVQ2DQ

Outcome movdq2q(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  enter_mmx(core);
  write_mmx(core, op.dst, read_xmm(core, op.src).get<u64>(0));
  return Outcome::kNext;
}
Outcome movq2dq(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  enter_mmx(core);
  write_vector<Encoding::kLegacy>(core, op.dst, widened(read_mmx(core, op.src)));
  return Outcome::kNext;
}

Outcome pmovmskb_mmx(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  const int mask = _mm_movemask_epi8(host(widened(read_mmx(core, op.src))));
  enter_mmx(core);
  set_gpr<u32>(core, op.dst, static_cast<u32>(mask));
  return Outcome::kNext;
}

Outcome maskmovq(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  Lanes<8> data, mask;
  data.set<u64>(0, read_mmx(core, op.dst));
  mask.set<u64>(0, read_mmx(core, op.src));
  if (!store_selected<u8>(core, op, mask, data)) return Outcome::kFault;
  enter_mmx(core);
  return Outcome::kNext;
}
Handler bind_maskmovq(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  bind_implicit_memory(binding, op);
  return &run<maskmovq>;
}

Outcome emms(Core& core, const Op&) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  enter_mmx(core);  // clears TOP
  core.state.x87.empty = 0xFF;
  return Outcome::kNext;
}

constexpr InstructionRow kRows[] = {
    mmx_row(ZYDIS_MNEMONIC_MOVNTQ, bind_mmx_move<u64>),
    sse_row(ZYDIS_MNEMONIC_MOVDQ2Q, plain<movdq2q>),
    sse_row(ZYDIS_MNEMONIC_MOVQ2DQ, plain<movq2dq>),
    mmx_row(ZYDIS_MNEMONIC_MASKMOVQ, bind_maskmovq),
    mmx_row(ZYDIS_MNEMONIC_EMMS, plain<emms>),
};

}  // namespace

Handler bind_mmx_movd(const Binding& binding, Op& op) { return bind_mmx_move<u32>(binding, op); }
Handler bind_mmx_movq(const Binding& binding, Op& op) { return bind_mmx_move<u64>(binding, op); }
Handler bind_mmx_pmovmskb(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return &run<pmovmskb_mmx>;
}

Rows mmx_move_rows() { return kRows; }

}  // namespace vtsim::cpu
