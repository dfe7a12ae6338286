#pragma once
// Descriptors and segment registers: how they are read, checked and loaded, for everything that
// changes a segment register (MOV, far transfers, interrupts, task switches).
// SDM 3A "Protected-Mode Memory Management", "Protection".
//
// All functions that return bool return false when they recorded an exception (Core::raised).

#include <cstring>

#include "model/cpu/core.h"

namespace vtsim::cpu {

// SDM 3A "Segment Selectors".
struct Selector {
  u16 value = 0;

  constexpr unsigned rpl() const { return static_cast<unsigned>(bits(value, 1, 0)); }
  constexpr bool in_ldt() const { return bit(value, 2); }
  constexpr u16 offset() const { return static_cast<u16>(align_down(value, 8)); }
  constexpr bool is_null() const { return bits(value, 15, 2) == 0; }
  constexpr Selector with_rpl(unsigned rpl) const {
    return {static_cast<u16>(Field{1, 0}.put(value, rpl))};
  }
  // SDM 3A "Error Code": index and TI; `ext` is bit 0.
  constexpr u32 error(u32 ext = 0) const { return static_cast<u32>(align_down(value, 4)) | ext; }
};

// A descriptor together with where it lies, so that its accessed or busy bit can be written.
struct LocatedDescriptor {
  Descriptor descriptor;
  u64 lin = 0;
};

// Which exception a bad selector raises, and the EXT bit of its error code. Segment loads raise #GP;
// task switches and stack switches raise #TS.
struct Blame {
  Vector vector = kGp;
  u32 ext = 0;
};

// Records an exception; returns false.
inline bool fail(Core& core, Vector vector, u32 error_code) {
  core.raise(vector, error_code);
  return false;
}

// ---- implicit supervisor accesses

// At CPL 0 with AC clear the core's own arrays hold exactly what an implicit supervisor access may
// use; everything else goes the long way.
inline bool implicit_access_is_ordinary(const Core& core) {
  return core.state.cpl == 0 && !Reg<Rflags>(core.state.rflags_other)[Rflags::AC];
}

template <class T>
inline bool read_implicit(Core& core, u64 lin, T& out) {
  const HostTlbEntry& entry = core.tlb->read[HostTlb::index(lin)];
  if (entry.tag == ((lin + sizeof(T) - 1) & ~kPageOffsetMask) && implicit_access_is_ordinary(core))
      [[likely]] {
    std::memcpy(&out, reinterpret_cast<const u8*>(lin + entry.addend), sizeof(T));
    return true;
  }
  return core.read_system(nullptr, lin, &out, sizeof(T));
}
template <class T>
inline bool write_implicit(Core& core, u64 lin, const T& value) {
  return core.write_system(nullptr, lin, &value, sizeof(T));
}

// Checks that such a write would succeed, and writes nothing.
inline bool may_write_implicit(Core& core, u64 lin, unsigned size) {
  return core.write_system(nullptr, lin, nullptr, size);
}

// Linear addresses have 32 bits outside IA-32e mode.
inline u64 table_linear(const Core& core, u64 base, u64 offset) {
  const u64 lin = base + offset;
  return core.state.long_mode() ? lin : lin & low_mask(32);
}

// ---- descriptor tables

enum class Lookup : u8 { kFound, kOutside, kFault };

// The descriptor that a selector names; kOutside: beyond its table's limit (or no LDT).
Lookup find_descriptor(Core& core, Selector selector, LocatedDescriptor& out);

// The same for selectors that must name something: kOutside raises `blame` with the selector.
bool read_descriptor(Core& core, Selector selector, Blame blame, LocatedDescriptor& out);

// The second eight bytes of a 16-byte system descriptor (IA-32e mode) behind `low`.
bool read_upper_half(Core& core, Selector selector, Blame blame, const LocatedDescriptor& low,
                     u64& out);

// Checks that mark_accessed() would succeed.
bool may_mark_accessed(Core& core, const LocatedDescriptor& located);
// Sets the accessed bit in memory and in the copy where it is clear.
bool mark_accessed(Core& core, LocatedDescriptor& located);

// ---- segment registers

// What loading a register from this descriptor gives.
SegmentRegister segment_from(Selector selector, const Descriptor& descriptor);

// The flat segments of SYSCALL, SYSENTER and of 64-bit stacks.
SegmentRegister null_segment(u16 selector);
SegmentRegister real_mode_segment(const SegmentRegister& old, u16 selector);
SegmentRegister v8086_segment(u16 selector);

// DS, ES, FS, GS and SS as MOV, POP and LxS load them. Changes nothing when it fails. After SS the
// caller must call Core::mode_changed().
bool load_segment(Core& core, SegmentName name, u16 selector);

// Checks of a stack segment that is loaded with CPL `cpl` already decided; `blame` for all but a
// segment that is not present (#SS). Null selectors are the caller's business.
bool check_stack_segment(Core& core, Selector selector, unsigned cpl, Blame blame,
                         LocatedDescriptor& out);

// SDM 2 "RET", "IRET": returning to an outer level makes unusable what that level may not use.
void drop_privileged_segments(Core& core);

// Width of linear addresses: 48 or 57.
inline unsigned linear_width(const Core& core) { return core.state.cr4[Cr4::LA57] ? 57 : 48; }
inline bool is_canonical(const Core& core, u64 lin) {
  return vtsim::is_canonical(lin, linear_width(core));
}

// For bases of descriptor tables and of FS and GS, MSRs and INVPCID: by the widest addresses that the
// processor knows, whatever the mode. SDM 3A "Canonicality Checking", 5-level paging.
bool is_canonical_anywhere(const Core& core, u64 lin);

// Limit check of `size` bytes at `offset` in a segment outside 64-bit mode, expand-down included.
bool within_limit(const SegmentRegister& segment, u64 offset, unsigned size);

}  // namespace vtsim::cpu
