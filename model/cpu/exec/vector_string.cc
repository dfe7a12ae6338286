// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. SDM 1 "String and Text Processing Instructions", SDM
// 2 "Imm8 Control Byte Operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM".
//
//   imm: 6 output | 5:4 polarity | 3:2 aggregation | 1 signed | 0 words

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/vector.h"

namespace vtsim::cpu {

namespace {

struct Control {
  static constexpr Flag WORDS{0}, SIGNED{1}, OUTPUT{6};
  static constexpr Field AGGREGATION{3, 2}, POLARITY{5, 4};
};
enum class Aggregation : u8 { kEqualAny, kRanges, kEqualEach, kEqualOrdered };

// The two strings: `a` is the set, range or needle, `b` what is searched.
struct Strings {
  Xmm a, b;
  unsigned a_length, b_length;  // valid elements
};

unsigned element_count(u64 imm) { return Control::WORDS.mask() & imm ? 8 : 16; }

int element(const Xmm& x, unsigned n, u64 imm) {
  const bool is_signed = imm & Control::SIGNED.mask();
  if (imm & Control::WORDS.mask()) return is_signed ? x.get<i16>(n) : x.get<u16>(n);
  return is_signed ? x.get<i8>(n) : x.get<u8>(n);
}

// ---- IntRes1, one bit an element of `b`

u32 equal_any(const Strings& s, u64 imm) {
  u32 result = 0;
  for (unsigned j = 0; j < s.b_length; ++j)
    for (unsigned i = 0; i < s.a_length; ++i)
      if (element(s.a, i, imm) == element(s.b, j, imm)) result |= u32{1} << j;
  return result;
}
u32 ranges(const Strings& s, u64 imm) {
  u32 result = 0;
  for (unsigned j = 0; j < s.b_length; ++j) {
    for (unsigned i = 0; i + 1 < s.a_length; i += 2) {
      const int x = element(s.b, j, imm);
      if (element(s.a, i, imm) <= x && x <= element(s.a, i + 1, imm)) result |= u32{1} << j;
    }
  }
  return result;
}
// Beyond both ends elements are equal, beyond one they differ.
u32 equal_each(const Strings& s, u64 imm) {
  u32 result = 0;
  for (unsigned n = 0; n < element_count(imm); ++n) {
    const bool in_a = n < s.a_length, in_b = n < s.b_length;
    if (in_a && in_b ? element(s.a, n, imm) == element(s.b, n, imm) : !in_a && !in_b)
      result |= u32{1} << n;
  }
  return result;
}
// Where `a` occurs in `b`, or may go on behind its end when `b` fills the register.
u32 equal_ordered(const Strings& s, u64 imm) {
  u32 result = 0;
  const unsigned count = element_count(imm);
  for (unsigned j = 0; j < count; ++j) {
    bool found = true;
    for (unsigned i = 0; i < s.a_length && j + i < count && found; ++i)
      found = j + i < s.b_length && element(s.a, i, imm) == element(s.b, j + i, imm);
    if (found) result |= u32{1} << j;
  }
  return result;
}

u32 aggregated(const Strings& s, u64 imm) {
  switch (static_cast<Aggregation>(Control::AGGREGATION.get(imm))) {
    case Aggregation::kEqualAny:
      return equal_any(s, imm);
    case Aggregation::kRanges:
      return ranges(s, imm);
    case Aggregation::kEqualEach:
      return equal_each(s, imm);
    default:
      return equal_ordered(s, imm);
  }
}

// IntRes2
u32 with_polarity(u32 result, const Strings& s, u64 imm) {
  const u32 all = static_cast<u32>(low_mask(element_count(imm)));
  switch (Control::POLARITY.get(imm)) {
    case 1:
      return result ^ all;
    case 3:
      return result ^ static_cast<u32>(low_mask(s.b_length));
    default:
      return result;
  }
}

// ---- lengths

unsigned implicit_length(const Xmm& x, u64 imm) {
  unsigned n = 0;
  while (n < element_count(imm) && element(x, n, imm) != 0) ++n;
  return n;
}
// |EAX| or, with REX.W, |RAX|, saturated.
unsigned explicit_length(u64 value, bool wide, u64 imm) {
  const i64 length = wide ? static_cast<i64>(value) : static_cast<i32>(value);
  const u64 magnitude = length < 0 ? u64{0} - static_cast<u64>(length) : static_cast<u64>(length);
  const u64 count = element_count(imm);
  return static_cast<unsigned>(magnitude < count ? magnitude : count);
}

// ---- results

u64 result_flags(u32 result, const Strings& s, u64 imm) {
  const unsigned count = element_count(imm);
  return (result != 0 ? Rflags::CF.mask() : 0) | (s.b_length < count ? Rflags::ZF.mask() : 0) |
         (s.a_length < count ? Rflags::SF.mask() : 0) | (result & 1 ? Rflags::OF.mask() : 0);
}
u64 found_index(u32 result, u64 imm) {
  if (result == 0) return element_count(imm);
  return static_cast<u64>(imm & Control::OUTPUT.mask() ? 31 - __builtin_clz(result)
                                                       : __builtin_ctz(result));
}
Xmm result_mask(u32 result, u64 imm) {
  Xmm r{};
  if (!(imm & Control::OUTPUT.mask())) {
    r.set<u32>(0, result);
    return r;
  }
  for (unsigned n = 0; n < element_count(imm); ++n) {
    if (!(result >> n & 1)) continue;
    if (imm & Control::WORDS.mask())
      r.set<u16>(n, 0xFFFF);
    else
      r.set<u8>(n, 0xFF);
  }
  return r;
}

enum class Lengths : u8 { kImplicit, kExplicit };
enum class Result : u8 { kIndex, kMask };

// op.imm: 7:0 the immediate | 8 lengths of 64 bits
constexpr Flag kWideLengths{8};

template <Lengths lengths, Result kind, Encoding encoding>
Outcome compare_strings(Core& core, const Op& op, const Xmm& b) {
  const u64 imm = op.imm;
  const bool wide = imm & kWideLengths.mask();
  Strings s{.a = read_xmm(core, op.dst), .b = b, .a_length = 0, .b_length = 0};
  if constexpr (lengths == Lengths::kImplicit) {
    s.a_length = implicit_length(s.a, imm);
    s.b_length = implicit_length(s.b, imm);
  } else {
    s.a_length = explicit_length(core.state.gpr[kRax], wide, imm);
    s.b_length = explicit_length(core.state.gpr[kRdx], wide, imm);
  }
  const u32 result = with_polarity(aggregated(s, imm), s, imm);
  if constexpr (kind == Result::kIndex) {
    set_gpr<u32>(core, gpr_offset(kRcx), static_cast<u32>(found_index(result, imm)));
  } else {
    write_vector<encoding>(core, 0, result_mask(result, imm));
  }
  set_arithmetic_flags(core.state.lazy, result_flags(result, s, imm));
  return Outcome::kNext;
}
template <Lengths lengths, Result kind, Encoding encoding>
Outcome compare_strings_reg(Core& core, const Op& op) {
  return compare_strings<lengths, kind, encoding>(core, op, read_xmm(core, op.src));
}
// The memory operand need not be aligned. SDM 2 "Exceptions Type 4", note on PCMPxSTRx.
template <Lengths lengths, Result kind, Encoding encoding>
Outcome compare_strings_mem(Core& core, const Op& op) {
  Xmm b;
  if (!load_operand(core, op, b)) return Outcome::kFault;
  return compare_strings<lengths, kind, encoding>(core, op, b);
}

template <Lengths lengths, Result kind>
Handler bind_strings(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  op.imm &= 0xFF;
  if (binding.code_size == CodeSize::k64 &&
      binding.in.has(ZYDIS_ATTRIB_HAS_REX | ZYDIS_ATTRIB_HAS_VEX) &&
      (binding.in.ins.raw.rex.W || binding.in.ins.raw.vex.W))
    op.imm |= kWideLengths.mask();
  return by_scalar_encoding(encoding_of(binding), [&](auto e) -> Handler {
    return op.mem.present() ? &run<compare_strings_mem<lengths, kind, e()>>
                            : &run<compare_strings_reg<lengths, kind, e()>>;
  });
}

constexpr FlagUse kSetsFlags = FlagUse::kWritesAll;
constexpr Binder kEstri = bind_strings<Lengths::kExplicit, Result::kIndex>;
constexpr Binder kEstrm = bind_strings<Lengths::kExplicit, Result::kMask>;
constexpr Binder kIstri = bind_strings<Lengths::kImplicit, Result::kIndex>;
constexpr Binder kIstrm = bind_strings<Lengths::kImplicit, Result::kMask>;

constexpr InstructionRow kRows[] = {
    sse_row(ZYDIS_MNEMONIC_PCMPESTRI, kEstri, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VPCMPESTRI, kEstri, kSetsFlags),
    sse_row(ZYDIS_MNEMONIC_PCMPESTRM, kEstrm, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VPCMPESTRM, kEstrm, kSetsFlags),
    sse_row(ZYDIS_MNEMONIC_PCMPISTRI, kIstri, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VPCMPISTRI, kIstri, kSetsFlags),
    sse_row(ZYDIS_MNEMONIC_PCMPISTRM, kIstrm, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VPCMPISTRM, kIstrm, kSetsFlags),
};

}  // namespace

Rows vector_string_rows() { return kRows; }

}  // namespace vtsim::cpu
