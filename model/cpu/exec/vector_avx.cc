// What only VEX encodings have: broadcasts, permutes, 128-bit halves, masked moves, gathers,
// clearing. SDM 1 "Intel AVX Overview", "Intel AVX2 Overview"; SDM 2 "Instruction Set Reference,
// V".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/masked_access.h"

namespace vtsim::cpu {

namespace {

// ---- VZEROUPPER, VZEROALL

template <unsigned first>
Outcome clear_registers(Core& core, const Op&) {
  VectorState& vector = core.state.vector;
  const auto clear_eight = [&](unsigned base) {
#pragma GCC unroll 8
    for (unsigned n = base; n < base + 8; ++n) std::memset(vector.reg[n] + first, 0, 32 - first);
  };
  clear_eight(0);
  if (core.state.mode64()) clear_eight(8);
  return Outcome::kNext;
}

// ---- VBROADCASTx, VPBROADCASTx: one element everywhere

template <class M, Encoding encoding>
Outcome broadcast(Core& core, const Op& op, const M& value) {
  VectorOf<encoding> r;
  for (unsigned n = 0; n < sizeof r.bytes / sizeof value; ++n)
    std::memcpy(r.bytes + n * sizeof value, &value, sizeof value);
  write_vector<encoding>(core, op.dst, r);
  return Outcome::kNext;
}
template <class M, Encoding encoding>
Outcome broadcast_reg(Core& core, const Op& op) {
  M value;
  std::memcpy(&value, core.state.vector.reg[op.src], sizeof value);
  return broadcast<M, encoding>(core, op, value);
}
template <class M, Encoding encoding>
Outcome broadcast_mem(Core& core, const Op& op) {
  M value;
  if (!load_operand(core, op, value)) return Outcome::kFault;
  return broadcast<M, encoding>(core, op, value);
}
template <class M>
Handler bind_broadcast(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const bool memory = op.mem.present();
  if (encoding_of(binding) == Encoding::kVex256)
    return memory ? &run<broadcast_mem<M, Encoding::kVex256>>
                  : &run<broadcast_reg<M, Encoding::kVex256>>;
  return memory ? &run<broadcast_mem<M, Encoding::kVex128>>
                : &run<broadcast_reg<M, Encoding::kVex128>>;
}

// ---- VINSERTF128, VEXTRACTF128

template <bool memory>
Outcome insert_half(Core& core, const Op& op) {
  Xmm half;
  if constexpr (memory) {
    if (!load_operand(core, op, half)) return Outcome::kFault;
  } else {
    half = read_xmm(core, op.index);
  }
  Ymm r = read_vector<32>(core, op.src);
  std::memcpy(r.bytes + 16 * (op.imm & 1), half.bytes, 16);
  write_vector<Encoding::kVex256>(core, op.dst, r);
  return Outcome::kNext;
}
Handler bind_insert_half(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return op.mem.present() ? &run<insert_half<true>> : &run<insert_half<false>>;
}
template <bool memory>
Outcome extract_half(Core& core, const Op& op) {
  const Ymm a = read_vector<32>(core, op.src);
  const Xmm half = op.imm & 1 ? high_lanes(a) : low_lanes(a);
  if constexpr (memory) {
    if (!store_operand(core, op, half)) return Outcome::kFault;
  } else {
    write_vector<Encoding::kVex128>(core, op.dst, half);
  }
  return Outcome::kNext;
}
Handler bind_extract_half(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return op.mem.present() ? &run<extract_half<true>> : &run<extract_half<false>>;
}

// ---- permutes within 128-bit halves

Xmm permilps(const Xmm& a, const Xmm& control) {
  Xmm r;
  for (unsigned n = 0; n < 4; ++n) r.set<u32>(n, a.get<u32>(control.get<u32>(n) & 3));
  return r;
}
Xmm permilpd(const Xmm& a, const Xmm& control) {
  Xmm r;
  for (unsigned n = 0; n < 2; ++n) r.set<u64>(n, a.get<u64>(control.get<u64>(n) >> 1 & 1));
  return r;
}
Xmm permilps_immediate(const Xmm& a, u8 imm) {
  Xmm r;
  for (unsigned n = 0; n < 4; ++n) r.set<u32>(n, a.get<u32>(imm >> (2 * n) & 3));
  return r;
}
// One bit a lane; the upper half has bits 3:2.
struct PermilpdImmediate {
  template <unsigned size>
  static bool apply(Core&, const Op& op, const Lanes<size>& a, const Lanes<size>&,
                    Lanes<size>& out) {
    for (unsigned n = 0; n < size / 8; ++n)
      out.template set<u64>(n, a.template get<u64>((n & ~1u) | (bit(op.imm, n) ? 1 : 0)));
    return true;
  }
};
template <Binder by_register, Binder by_immediate>
Handler bind_permil(const Binding& binding, Op& op) {
  return binding.in.is_immediate(2) ? by_immediate(binding, op) : by_register(binding, op);
}

// ---- permutes across the whole register: only 256 bits wide

struct Perm2x128 {
  template <unsigned size>
  static bool apply(Core&, const Op& op, const Lanes<size>& a, const Lanes<size>& b,
                    Lanes<size>& out) {
    const auto half = [&](u64 control) {
      if (bit(control, 3)) return Xmm{};
      const Lanes<size>& from = bit(control, 1) ? b : a;
      return bit(control, 0) ? high_lanes(from) : low_lanes(from);
    };
    out = joined(half(op.imm), half(op.imm >> 4));
    return true;
  }
};
struct PermuteQuadwords {
  template <unsigned size>
  static bool apply(Core&, const Op& op, const Lanes<size>& a, const Lanes<size>&,
                    Lanes<size>& out) {
    for (unsigned n = 0; n < 4; ++n)
      out.template set<u64>(n, a.template get<u64>(op.imm >> (2 * n) & 3));
    return true;
  }
};
// The first source holds indices, the second the data.
struct PermuteDoublewords {
  template <unsigned size>
  static bool apply(Core&, const Op&, const Lanes<size>& indices, const Lanes<size>& data,
                    Lanes<size>& out) {
    for (unsigned n = 0; n < 8; ++n)
      out.template set<u32>(n, data.template get<u32>(indices.template get<u32>(n) & 7));
    return true;
  }
};
template <class Operation>
Handler bind_binary_256(const Binding& binding, Op& op) {
  constexpr Encoding kWide = Encoding::kVex256;
  bind_operands(binding, op);
  return op.mem.present() ? &run<binary_mem<Operation, kWide, Whole>>
                          : &run<binary_reg<Operation, kWide>>;
}
template <class Operation>
Handler bind_unary_256(const Binding& binding, Op& op) {
  constexpr Encoding kWide = Encoding::kVex256;
  bind_operands(binding, op);
  return op.mem.present() ? &run<unary_mem<Operation, kWide, Whole>>
                          : &run<unary_reg<Operation, kWide>>;
}

// ---- VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ

template <class T, Encoding encoding>
Outcome load_with_mask(Core& core, const Op& op) {
  const auto mask = read_vector<kVectorBytes<encoding>>(core, op.src);
  VectorOf<encoding> r;
  if (!load_selected<T>(core, op, mask, r)) return Outcome::kFault;
  write_vector<encoding>(core, op.dst, r);
  return Outcome::kNext;
}
// The mask is the first register source, the data the second one.
template <class T, Encoding encoding>
Outcome store_with_mask(Core& core, const Op& op) {
  const auto mask = read_vector<kVectorBytes<encoding>>(core, op.src);
  const auto data = read_vector<kVectorBytes<encoding>>(core, op.imm);
  return store_selected<T>(core, op, mask, data) ? Outcome::kNext : Outcome::kFault;
}
template <class T>
Handler bind_masked_move(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const bool store = binding.in.is_memory(0);
  if (encoding_of(binding) == Encoding::kVex256)
    return store ? &run<store_with_mask<T, Encoding::kVex256>>
                 : &run<load_with_mask<T, Encoding::kVex256>>;
  return store ? &run<store_with_mask<T, Encoding::kVex128>>
               : &run<load_with_mask<T, Encoding::kVex128>>;
}

// ---- gathers. Op: dst, src = mask, index = vector of indices, base, scale, disp.
// SDM 2 "VGATHERDPS": elements whose mask sign bit is set are loaded in order; each one done clears
// its mask, so that after a fault the instruction goes on where it stopped. At the end the mask is
// zero, and so are the bits of both registers above what the vector length and the narrower of the
// two use.

template <class Index>
bool gather_address(Core& core, const Op& op, Index index, unsigned size, u64& lin) {
  const u64 displacement = static_cast<u64>(static_cast<i64>(index)) << op.scale;
  const u64 offset =
      truncate(get_gpr<u64>(core, op.base) + static_cast<u64>(op.disp) + displacement,
               op.mem.address_size_log2());
  if (!op.mem.general()) {
    lin = offset;
    return true;
  }
  return segment_to_linear(core, op.mem.segment(), offset, size, Intent::kRead, lin);
}

template <class T, class Index, unsigned count>
Outcome gather(Core& core, const Op& op) {
  constexpr unsigned kUsed = count * sizeof(T);  // bytes of data
  u8* const data = core.state.vector.reg[op.dst];
  u8* const mask = core.state.vector.reg[op.src];
  const Ymm indices = read_vector<32>(core, op.index);
  const auto mask_at = [&](unsigned n) {
    T m;
    std::memcpy(&m, mask + n * sizeof(T), sizeof m);
    return m;
  };
  for (unsigned n = 0; n < count; ++n) {
    const T m = selected(mask_at(n)) ? static_cast<T>(~T{0}) : T{0};
    std::memcpy(mask + n * sizeof(T), &m, sizeof m);
  }
  for (unsigned n = 0; n < count; ++n) {
    if (!selected(mask_at(n))) continue;
    u64 lin;
    T value;
    if (!gather_address(core, op, indices.get<Index>(n), sizeof(T), lin) ||
        !load_linear(core, op, lin, value))
      return Outcome::kFault;
    std::memcpy(data + n * sizeof(T), &value, sizeof value);
    std::memset(mask + n * sizeof(T), 0, sizeof(T));
  }
  std::memset(data + kUsed, 0, 32 - kUsed);
  std::memset(mask, 0, 32);
  return Outcome::kNext;
}

// #UD where any two of destination, mask and index are the same register.
template <class T, class Index>
Handler bind_gather(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const auto& memory = binding.in.operand[1].mem;
  op.index = register_number(memory.index);
  if (op.dst == op.src || op.dst == op.index || op.src == op.index) return nullptr;
  constexpr unsigned kWidest = sizeof(T) > sizeof(Index) ? sizeof(T) : sizeof(Index);
  if (encoding_of(binding) == Encoding::kVex256) return &run<gather<T, Index, 32 / kWidest>>;
  return &run<gather<T, Index, 16 / kWidest>>;
}

constexpr InstructionRow kRows[] = {
    avx_row(ZYDIS_MNEMONIC_VZEROUPPER, plain<clear_registers<16>>),
    avx_row(ZYDIS_MNEMONIC_VZEROALL, plain<clear_registers<0>>),
    avx_row(ZYDIS_MNEMONIC_VBROADCASTSS, bind_broadcast<u32>),
    avx_row(ZYDIS_MNEMONIC_VBROADCASTSD, bind_broadcast<u64>),
    avx_row(ZYDIS_MNEMONIC_VBROADCASTF128, bind_broadcast<Xmm>),
    avx_row(ZYDIS_MNEMONIC_VBROADCASTI128, bind_broadcast<Xmm>),
    avx_row(ZYDIS_MNEMONIC_VPBROADCASTB, bind_broadcast<u8>),
    avx_row(ZYDIS_MNEMONIC_VPBROADCASTW, bind_broadcast<u16>),
    avx_row(ZYDIS_MNEMONIC_VPBROADCASTD, bind_broadcast<u32>),
    avx_row(ZYDIS_MNEMONIC_VPBROADCASTQ, bind_broadcast<u64>),
    avx_row(ZYDIS_MNEMONIC_VINSERTF128, bind_insert_half),
    avx_row(ZYDIS_MNEMONIC_VINSERTI128, bind_insert_half),
    avx_row(ZYDIS_MNEMONIC_VEXTRACTF128, bind_extract_half),
    avx_row(ZYDIS_MNEMONIC_VEXTRACTI128, bind_extract_half),
    avx_row(ZYDIS_MNEMONIC_VPERMILPS, bind_permil<binary<permilps>, unary<permilps_immediate>>),
    avx_row(ZYDIS_MNEMONIC_VPERMILPD, bind_permil<binary<permilpd>, bind_unary<PermilpdImmediate>>),
    avx_row(ZYDIS_MNEMONIC_VPERM2F128, bind_binary_256<Perm2x128>),
    avx_row(ZYDIS_MNEMONIC_VPERM2I128, bind_binary_256<Perm2x128>),
    avx_row(ZYDIS_MNEMONIC_VPERMQ, bind_unary_256<PermuteQuadwords>),
    avx_row(ZYDIS_MNEMONIC_VPERMPD, bind_unary_256<PermuteQuadwords>),
    avx_row(ZYDIS_MNEMONIC_VPERMD, bind_binary_256<PermuteDoublewords>),
    avx_row(ZYDIS_MNEMONIC_VPERMPS, bind_binary_256<PermuteDoublewords>),
    avx_row(ZYDIS_MNEMONIC_VMASKMOVPS, bind_masked_move<u32>),
    avx_row(ZYDIS_MNEMONIC_VMASKMOVPD, bind_masked_move<u64>),
    avx_row(ZYDIS_MNEMONIC_VPMASKMOVD, bind_masked_move<u32>),
    avx_row(ZYDIS_MNEMONIC_VPMASKMOVQ, bind_masked_move<u64>),
    avx_row(ZYDIS_MNEMONIC_VGATHERDPS, bind_gather<u32, i32>),
    avx_row(ZYDIS_MNEMONIC_VGATHERDPD, bind_gather<u64, i32>),
    avx_row(ZYDIS_MNEMONIC_VGATHERQPS, bind_gather<u32, i64>),
    avx_row(ZYDIS_MNEMONIC_VGATHERQPD, bind_gather<u64, i64>),
    avx_row(ZYDIS_MNEMONIC_VPGATHERDD, bind_gather<u32, i32>),
    avx_row(ZYDIS_MNEMONIC_VPGATHERDQ, bind_gather<u64, i32>),
    avx_row(ZYDIS_MNEMONIC_VPGATHERQD, bind_gather<u32, i64>),
    avx_row(ZYDIS_MNEMONIC_VPGATHERQQ, bind_gather<u64, i64>),
};

}  // namespace

Rows vector_avx_rows() { return kRows; }

}  // namespace vtsim::cpu
