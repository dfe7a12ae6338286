// FXSAVE, FXRSTOR and the XSAVE family: x87, vector and protection-key state in memory.
// SDM 1 "Managing State Using the XSAVE Feature Set"; SDM 2 "FXSAVE".
//
//   byte   0  FCW  2 FSW  4 abridged FTW  6 FOP  8 FIP  16 FDP  24 MXCSR  28 MXCSR_MASK
//         32  ST0..ST7, 16 bytes each            160  XMM0..XMM15
//        512  XSTATE_BV  520 XCOMP_BV  528..575 reserved
//        576  extended components

#include "model/cpu/environment.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/vector.h"

namespace vtsim::cpu {

namespace {

constexpr u64 kX87 = Xcr0::X87.mask(), kSse = Xcr0::SSE.mask(), kAvx = Xcr0::AVX.mask(),
              kPkru = Xcr0::PKRU.mask();
constexpr u32 kMxcsrMask = 0xFFFF;
constexpr u32 kInitialMxcsr = 0x1F80;
constexpr u64 kMxcsrAt = 24, kXmmAt = 160, kHeaderAt = 512, kExtendedAt = 576;
constexpr u64 kCompacted = u64{1} << 63;

// Extended components, in order of their number. Standard offsets as CPUID leaf 0DH tells.
struct Component {
  u64 bit;
  u64 standard_at;
  u64 bytes;
  bool aligned;  // to 64 bytes in the compacted format
};
constexpr Component kExtended[] = {
    {kAvx, 576, 256, false},
    {kPkru, 2688, 8, false},
};

enum class PointerFormat : u8 { k32, k64 };

// ---- pieces of the area. `at`: linear address of the area.

bool store_x87(Core& core, const Op& op, u64 at, PointerFormat format) {
  const X87State& x87 = core.state.x87;
  Xmm head{};
  head.set<u16>(0, x87.control);
  head.set<u16>(1, x87.status);
  head.set<u8>(4, static_cast<u8>(~x87.empty));
  head.set<u16>(3, x87.opcode);
  u64 dp = x87.dp;
  if (format == PointerFormat::k64) {
    head.set<u64>(1, x87.ip);
  } else {
    const bool zero = core.environment().shared.offered[Feature::kZeroFcsFds];
    head.set<u32>(2, static_cast<u32>(x87.ip));
    head.set<u16>(6, zero ? u16{0} : x87.cs);
    dp = static_cast<u32>(x87.dp) | (zero ? 0 : static_cast<u64>(x87.ds) << 32);
  }
  if (!store_linear(core, op, at, head) || !store_linear(core, op, at + 16, dp)) return false;
  const unsigned top = static_cast<unsigned>(bits(x87.status, 13, 11));
  for (unsigned n = 0; n < 8; ++n) {
    Xmm reg{};
    std::memcpy(reg.bytes, x87.reg[(top + n) & 7], 10);
    if (!store_linear(core, op, at + 32 + 16 * n, reg)) return false;
  }
  return true;
}

bool store_mxcsr(Core& core, const Op& op, u64 at) {
  return store_linear(core, op, at + kMxcsrAt,
                      core.state.vector.mxcsr | static_cast<u64>(kMxcsrMask) << 32);
}

unsigned vector_registers(const Core& core) { return core.state.mode64() ? 16 : 8; }

bool store_xmm(Core& core, const Op& op, u64 at) {
  for (unsigned n = 0; n < vector_registers(core); ++n)
    if (!store_linear(core, op, at + kXmmAt + 16 * n, read_xmm(core, n))) return false;
  return true;
}

// What a restore has read, before any register changes.
struct Image {
  X87State x87;
  VectorState vector;
  u32 pkru = 0;
};

bool load_x87(Core& core, const Op& op, u64 at, PointerFormat format, Image& image) {
  Xmm head, reg;
  u64 dp;
  if (!load_linear(core, op, at, head) || !load_linear(core, op, at + 16, dp)) return false;
  X87State& x87 = image.x87;
  x87.control = static_cast<u16>((head.get<u16>(0) & 0x1F3F) | 0x40);
  x87.status = head.get<u16>(1);
  x87.empty = static_cast<u8>(~head.get<u8>(4));
  x87.opcode = static_cast<u16>(head.get<u16>(3) & 0x7FF);
  if (format == PointerFormat::k64) {
    x87.ip = head.get<u64>(1);
    x87.dp = dp;
  } else {
    x87.ip = head.get<u32>(2);
    x87.cs = head.get<u16>(6);
    x87.dp = static_cast<u32>(dp);
    x87.ds = static_cast<u16>(dp >> 32);
  }
  const unsigned top = static_cast<unsigned>(bits(x87.status, 13, 11));
  for (unsigned n = 0; n < 8; ++n) {
    if (!load_linear(core, op, at + 32 + 16 * n, reg)) return false;
    std::memcpy(x87.reg[(top + n) & 7], reg.bytes, 10);
  }
  return true;
}

bool load_mxcsr(Core& core, const Op& op, u64 at, Image& image) {
  u32 mxcsr;
  if (!load_linear(core, op, at + kMxcsrAt, mxcsr)) return false;
  if (mxcsr & ~kMxcsrMask) {
    core.raise(kGp, 0);
    return false;
  }
  image.vector.mxcsr = mxcsr;
  return true;
}

bool load_xmm(Core& core, const Op& op, u64 at, Image& image) {
  Xmm value;
  for (unsigned n = 0; n < vector_registers(core); ++n) {
    if (!load_linear(core, op, at + kXmmAt + 16 * n, value)) return false;
    std::memcpy(image.vector.reg[n], value.bytes, 16);
  }
  return true;
}

// Checks that a write of `size` bytes that goes in several steps would succeed, so that a fault leaves
// memory as it was.
bool probe_area(Core& core, const Op& op, u64 lin, u64 size) {
  for (u64 at = lin; at < lin + size; at = align_down(at, kPageSize) + kPageSize)
    if (!core.probe_write(op, at, 1)) return false;
  return true;
}

// ---- FXSAVE, FXRSTOR, LDMXCSR, STMXCSR

bool area_address(Core& core, const Op& op, unsigned alignment, Intent intent, u64& at) {
  if (!operand_linear(core, op, 512, intent, at)) return false;
  if (at % alignment == 0) return true;
  core.raise(kGp, 0);
  return false;
}

template <PointerFormat format>
Outcome fxsave(Core& core, const Op& op) {
  u64 at;
  if (!area_address(core, op, 16, Intent::kWrite, at) ||
      !probe_area(core, op, at, kXmmAt + 16 * vector_registers(core)) || !store_x87(core, op, at, format) ||
      !store_mxcsr(core, op, at) || !store_xmm(core, op, at))
    return Outcome::kFault;
  return Outcome::kNext;
}

template <PointerFormat format>
Outcome fxrstor(Core& core, const Op& op) {
  u64 at;
  Image image{core.state.x87, core.state.vector, 0};
  if (!area_address(core, op, 16, Intent::kRead, at) || !load_x87(core, op, at, format, image) ||
      !load_mxcsr(core, op, at, image) || !load_xmm(core, op, at, image))
    return Outcome::kFault;
  core.state.x87 = image.x87;
  core.state.vector = image.vector;
  return Outcome::kNext;
}

Outcome ldmxcsr(Core& core, const Op& op) {
  u32 mxcsr;
  if (!load_operand(core, op, mxcsr)) return Outcome::kFault;
  if (mxcsr & ~kMxcsrMask) return core.raise(kGp, 0);
  core.state.vector.mxcsr = mxcsr;
  return Outcome::kNext;
}

Outcome stmxcsr(Core& core, const Op& op) {
  return store_operand(core, op, core.state.vector.mxcsr) ? Outcome::kNext : Outcome::kFault;
}

// ---- the XSAVE family

u64 requested_components(const Core& core) {
  const auto& gpr = core.state.gpr;
  return static_cast<u32>(gpr[kRax]) | gpr[kRdx] << 32;
}

bool all_zero(const u8* bytes, std::size_t size) {
  for (std::size_t n = 0; n < size; ++n)
    if (bytes[n] != 0) return false;
  return true;
}

// XINUSE: components that are not in their initial configuration.
u64 components_in_use(const Core& core) {
  const X87State& x87 = core.state.x87;
  u64 in_use = 0;
  const bool x87_initial = x87.control == 0x037F && x87.status == 0 && x87.empty == 0xFF &&
                           x87.opcode == 0 && x87.ip == 0 && x87.dp == 0 && x87.cs == 0 &&
                           x87.ds == 0 && all_zero(x87.reg[0], sizeof x87.reg);
  if (!x87_initial) in_use |= kX87;
  for (unsigned n = 0; n < 16; ++n) {
    if (!all_zero(core.state.vector.reg[n], 16)) in_use |= kSse;
    if (!all_zero(core.state.vector.reg[n] + 16, 16)) in_use |= kAvx;
  }
  if (core.state.pkru != 0) in_use |= kPkru;
  return in_use;
}

// Where an extended component lies; `components`: XCOMP_BV of the compacted format, 0 in the standard.
u64 component_at(u64 components, const Component& wanted) {
  if (!(components & kCompacted)) return wanted.standard_at;
  u64 at = kExtendedAt;
  for (const Component& component : kExtended) {
    if (component.bit == wanted.bit) break;
    if (components & component.bit) at += component.bytes;
  }
  return at;
}

bool store_extended(Core& core, const Op& op, u64 at, u64 components, u64 which) {
  for (const Component& component : kExtended) {
    if (!(which & component.bit)) continue;
    const u64 to = at + component_at(components, component);
    if (component.bit == kPkru) {
      if (!store_linear<u64>(core, op, to, core.state.pkru)) return false;
      continue;
    }
    for (unsigned n = 0; n < vector_registers(core); ++n) {
      Xmm upper;
      std::memcpy(upper.bytes, core.state.vector.reg[n] + 16, 16);
      if (!store_linear(core, op, to + 16 * n, upper)) return false;
    }
  }
  return true;
}

// Every page that a save writes, before it writes any. `components` as of component_at().
struct SavedPieces {
  u64 which = 0;  // x87, SSE, and extended components
  bool mxcsr = false;
  u64 components = 0;
};

bool probe_pieces(Core& core, const Op& op, u64 at, const SavedPieces& saved) {
  if ((saved.which & kX87) && !probe_area(core, op, at, kXmmAt)) return false;
  if (saved.mxcsr && !probe_area(core, op, at + kMxcsrAt, 8)) return false;
  if ((saved.which & kSse) && !probe_area(core, op, at + kXmmAt, 16 * vector_registers(core)))
    return false;
  for (const Component& component : kExtended) {
    const u64 to = at + component_at(saved.components, component);
    if ((saved.which & component.bit) && !probe_area(core, op, to, component.bytes)) return false;
  }
  return probe_area(core, op, at + kHeaderAt, saved.components != 0 ? 16 : 8);
}

bool load_extended(Core& core, const Op& op, u64 at, u64 components, u64 which, Image& image) {
  for (const Component& component : kExtended) {
    if (!(which & component.bit)) continue;
    const u64 from = at + component_at(components, component);
    if (component.bit == kPkru) {
      if (!load_linear(core, op, from, image.pkru)) return false;
      continue;
    }
    Xmm upper;
    for (unsigned n = 0; n < vector_registers(core); ++n) {
      if (!load_linear(core, op, from + 16 * n, upper)) return false;
      std::memcpy(image.vector.reg[n] + 16, upper.bytes, 16);
    }
  }
  return true;
}

// XSAVE, and XSAVEOPT with the init optimization.
template <PointerFormat format, bool optimized>
Outcome xsave(Core& core, const Op& op) {
  u64 at, state_bv;
  if (!area_address(core, op, 64, Intent::kWrite, at)) return Outcome::kFault;
  const u64 wanted = core.state.xcr0 & requested_components(core);
  const u64 in_use = components_in_use(core);
  const u64 saved = optimized ? wanted & in_use : wanted;
  const bool mxcsr = (wanted & (kSse | kAvx)) != 0;
  if (!probe_pieces(core, op, at, {.which = saved, .mxcsr = mxcsr})) return Outcome::kFault;
  if (!load_linear(core, op, at + kHeaderAt, state_bv)) return Outcome::kFault;
  if ((saved & kX87) && !store_x87(core, op, at, format)) return Outcome::kFault;
  if (mxcsr && !store_mxcsr(core, op, at)) return Outcome::kFault;
  if ((saved & kSse) && !store_xmm(core, op, at)) return Outcome::kFault;
  if (!store_extended(core, op, at, 0, saved)) return Outcome::kFault;
  state_bv = (state_bv & ~wanted) | (wanted & in_use);
  return store_linear(core, op, at + kHeaderAt, state_bv) ? Outcome::kNext : Outcome::kFault;
}

Outcome save_compacted(Core& core, const Op& op, u64 wanted, PointerFormat format) {
  u64 at;
  if (!area_address(core, op, 64, Intent::kWrite, at)) return Outcome::kFault;
  u64 saved = wanted & components_in_use(core);
  if (core.state.vector.mxcsr != kInitialMxcsr) saved |= wanted & kSse;
  const u64 components = wanted | kCompacted;
  const SavedPieces pieces{
      .which = saved, .mxcsr = (saved & kSse) != 0, .components = components};
  if (!probe_pieces(core, op, at, pieces)) return Outcome::kFault;
  if ((saved & kX87) && !store_x87(core, op, at, format)) return Outcome::kFault;
  if ((saved & kSse) && !(store_mxcsr(core, op, at) && store_xmm(core, op, at)))
    return Outcome::kFault;
  if (!store_extended(core, op, at, components, saved)) return Outcome::kFault;
  return store_linear(core, op, at + kHeaderAt, saved) &&
                 store_linear(core, op, at + kHeaderAt + 8, components)
             ? Outcome::kNext
             : Outcome::kFault;
}

template <PointerFormat format>
Outcome xsavec(Core& core, const Op& op) {
  return save_compacted(core, op, core.state.xcr0 & requested_components(core), format);
}

template <PointerFormat format>
Outcome xsaves(Core& core, const Op& op) {
  return save_compacted(core, op, (core.state.xcr0 | core.state.xss) & requested_components(core),
                        format);
}

struct Header {
  u64 state_bv = 0;
  u64 comp_bv = 0;
  bool reserved_clear = true;  // bytes 63:16
};

bool load_header(Core& core, const Op& op, u64 at, Header& header) {
  u64 reserved;
  if (!load_linear(core, op, at + kHeaderAt, header.state_bv) ||
      !load_linear(core, op, at + kHeaderAt + 8, header.comp_bv))
    return false;
  for (unsigned n = 16; n < 64; n += 8) {
    if (!load_linear(core, op, at + kHeaderAt + n, reserved)) return false;
    header.reserved_clear = header.reserved_clear && reserved == 0;
  }
  return true;
}

// SDM 1 "Operation of XRSTOR": the standard form looks at bytes 23:8 of the header, the compacted one
// at 63:16 as well.
bool standard_header_is_valid(const Core& core, const Header& header, u64 third_quadword) {
  return !(header.state_bv & ~core.state.xcr0) && header.comp_bv == 0 && third_quadword == 0;
}

bool compacted_header_is_valid(const Header& header, u64 allowed) {
  return !(header.comp_bv & ~kCompacted & ~allowed) && !(header.state_bv & ~header.comp_bv) &&
         !bit(header.state_bv, 63) && header.reserved_clear;
}

Outcome restore(Core& core, const Op& op, u64 at, const Header& header, u64 wanted,
                PointerFormat format) {
  Image image{core.state.x87, core.state.vector, core.state.pkru};
  const bool compacted = (header.comp_bv & kCompacted) != 0;
  const u64 loaded = wanted & header.state_bv, initialized = wanted & ~header.state_bv;
  if ((loaded & kX87) && !load_x87(core, op, at, format, image)) return Outcome::kFault;
  const bool mxcsr = compacted ? (loaded & kSse) != 0 : (wanted & (kSse | kAvx)) != 0;
  if (mxcsr && !load_mxcsr(core, op, at, image)) return Outcome::kFault;
  if ((loaded & kSse) && !load_xmm(core, op, at, image)) return Outcome::kFault;
  if (!load_extended(core, op, at, header.comp_bv, loaded, image)) return Outcome::kFault;

  if (initialized & kX87) image.x87 = X87State{};
  for (unsigned n = 0; n < vector_registers(core); ++n) {
    if (initialized & kSse) std::memset(image.vector.reg[n], 0, 16);
    if (initialized & kAvx) std::memset(image.vector.reg[n] + 16, 0, 16);
  }
  if (compacted && (initialized & kSse)) image.vector.mxcsr = kInitialMxcsr;
  if (initialized & kPkru) image.pkru = 0;
  core.state.x87 = image.x87;
  core.state.vector = image.vector;
  if (core.state.pkru != image.pkru) {
    core.state.pkru = image.pkru;
    core.permissions_changed();
  }
  return Outcome::kNext;
}

template <PointerFormat format>
Outcome xrstor(Core& core, const Op& op) {
  u64 at, third;
  Header header;
  if (!area_address(core, op, 64, Intent::kRead, at) || !load_header(core, op, at, header) ||
      !load_linear(core, op, at + kHeaderAt + 16, third))
    return Outcome::kFault;
  const bool compacted =
      (header.comp_bv & kCompacted) && core.environment().shared.offered[Feature::kXsavec];
  const bool valid = compacted ? compacted_header_is_valid(header, core.state.xcr0)
                               : standard_header_is_valid(core, header, third);
  if (!valid) return core.raise(kGp, 0);
  return restore(core, op, at, header, core.state.xcr0 & requested_components(core), format);
}

template <PointerFormat format>
Outcome xrstors(Core& core, const Op& op) {
  u64 at;
  Header header;
  if (!area_address(core, op, 64, Intent::kRead, at) || !load_header(core, op, at, header))
    return Outcome::kFault;
  const u64 allowed = core.state.xcr0 | core.state.xss;
  if (!(header.comp_bv & kCompacted) || !compacted_header_is_valid(header, allowed))
    return core.raise(kGp, 0);
  return restore(core, op, at, header, allowed & requested_components(core), format);
}

constexpr auto k32 = PointerFormat::k32;
constexpr auto k64 = PointerFormat::k64;

constexpr InstructionRow kRows[] = {
    {.mnemonic = ZYDIS_MNEMONIC_FXSAVE, .bind = plain<fxsave<k32>>, .gate = Gate::kFxsave},
    {.mnemonic = ZYDIS_MNEMONIC_FXSAVE64, .bind = plain<fxsave<k64>>, .gate = Gate::kFxsave},
    {.mnemonic = ZYDIS_MNEMONIC_FXRSTOR, .bind = plain<fxrstor<k32>>, .gate = Gate::kFxsave},
    {.mnemonic = ZYDIS_MNEMONIC_FXRSTOR64, .bind = plain<fxrstor<k64>>, .gate = Gate::kFxsave},
    {.mnemonic = ZYDIS_MNEMONIC_LDMXCSR, .bind = plain<ldmxcsr>, .gate = Gate::kSse},
    {.mnemonic = ZYDIS_MNEMONIC_STMXCSR, .bind = plain<stmxcsr>, .gate = Gate::kSse},
    {.mnemonic = ZYDIS_MNEMONIC_VLDMXCSR, .bind = plain<ldmxcsr>, .gate = Gate::kAvx},
    {.mnemonic = ZYDIS_MNEMONIC_VSTMXCSR, .bind = plain<stmxcsr>, .gate = Gate::kAvx},
    {.mnemonic = ZYDIS_MNEMONIC_XSAVE, .bind = plain<xsave<k32, false>>, .gate = Gate::kXsave},
    {.mnemonic = ZYDIS_MNEMONIC_XSAVE64, .bind = plain<xsave<k64, false>>, .gate = Gate::kXsave},
    {.mnemonic = ZYDIS_MNEMONIC_XSAVEOPT, .bind = plain<xsave<k32, true>>, .gate = Gate::kXsave},
    {.mnemonic = ZYDIS_MNEMONIC_XSAVEOPT64, .bind = plain<xsave<k64, true>>, .gate = Gate::kXsave},
    {.mnemonic = ZYDIS_MNEMONIC_XSAVEC, .bind = plain<xsavec<k32>>, .gate = Gate::kXsave},
    {.mnemonic = ZYDIS_MNEMONIC_XSAVEC64, .bind = plain<xsavec<k64>>, .gate = Gate::kXsave},
    {.mnemonic = ZYDIS_MNEMONIC_XSAVES, .bind = plain<xsaves<k32>>, .gate = Gate::kXsave,
     .privilege = Privilege::kCpl0, .intercept = Intercept::kXsaves,
     .when = When::kAfterPrivilege},
    {.mnemonic = ZYDIS_MNEMONIC_XSAVES64, .bind = plain<xsaves<k64>>, .gate = Gate::kXsave,
     .privilege = Privilege::kCpl0, .intercept = Intercept::kXsaves,
     .when = When::kAfterPrivilege},
    {.mnemonic = ZYDIS_MNEMONIC_XRSTOR, .bind = synchronizing<xrstor<k32>>, .gate = Gate::kXsave,
     .flow = Flow::kSynchronize},
    {.mnemonic = ZYDIS_MNEMONIC_XRSTOR64, .bind = synchronizing<xrstor<k64>>, .gate = Gate::kXsave,
     .flow = Flow::kSynchronize},
    {.mnemonic = ZYDIS_MNEMONIC_XRSTORS, .bind = synchronizing<xrstors<k32>>, .gate = Gate::kXsave,
     .privilege = Privilege::kCpl0, .intercept = Intercept::kXrstors,
     .when = When::kAfterPrivilege, .flow = Flow::kSynchronize},
    {.mnemonic = ZYDIS_MNEMONIC_XRSTORS64, .bind = synchronizing<xrstors<k64>>, .gate = Gate::kXsave,
     .privilege = Privilege::kCpl0, .intercept = Intercept::kXrstors,
     .when = When::kAfterPrivilege, .flow = Flow::kSynchronize},
};

}  // namespace

Rows state_save_rows() { return kRows; }

}  // namespace vtsim::cpu
