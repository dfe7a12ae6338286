#pragma once
// What all transfers to another code segment share: stacks that are not loaded yet, the checks of a
// code segment, and the inner stacks that a TSS holds.
// SDM 3A "Privilege Levels > Calling Other Privilege Levels", SDM 2A "CALL", 2B "RET".

#include "model/cpu/exec/segmentation.h"

namespace vtsim::cpu {

enum class StackWidth : u8 { k16 = 1, k32 = 2, k64 = 3 };  // log2 bytes of the stack pointer

// Pushes and pops on the stack of a segment that may not be in SS yet, as CPL `cpl` would do them.
// Pushes are checked against the segment at once (#SS(`error`)), and remembered; check_pushes() finds
// what paging has against them, and commit() writes them and the stack pointer, and cannot fail.
class FarStack {
 public:
  FarStack(Core& core, const SegmentRegister& ss, u64 pointer, StackWidth width, unsigned cpl,
           u32 error)
      : core_(core), ss_(ss), pointer_(pointer), error_(error), cpl_(cpl), width_(width) {
    pointer_ = truncated(pointer);
  }
  // The stack in use.
  static FarStack current(Core& core, u32 error = 0);

  bool push(u64 value, unsigned size);
  bool check_pushes();
  bool peek(u64 above_top, u64& value, unsigned size);
  bool pop(u64& value, unsigned size) {
    if (!peek(0, value, size)) return false;
    skip(size);
    return true;
  }
  void skip(u64 bytes) { pointer_ = truncated(pointer_ + bytes); }
  u64 pointer() const { return pointer_; }

  // Writes what was pushed, and RSP, ESP or SP; the rest of RSP stays.
  void commit();

 private:
  struct Push {
    u64 lin;
    u64 value;
    unsigned size;
  };
  // SS, ESP, 31 parameters, CS, EIP of a call gate
  static constexpr unsigned kMostPushes = 35;

  bool linear(u64 offset, unsigned size, u64& lin);
  u64 truncated(u64 value) const {
    return width_ == StackWidth::k64 ? value : value & low_mask(8u << static_cast<u8>(width_));
  }

  Core& core_;
  SegmentRegister ss_;
  u64 pointer_;
  u32 error_;
  unsigned cpl_;
  StackWidth width_;
  unsigned pushes_ = 0;
  Push push_[kMostPushes];
};

inline StackWidth stack_width(const SegmentRegister& ss) {
  return ss.rights[SegmentRights::DB] ? StackWidth::k32 : StackWidth::k16;
}

// A code segment that has passed its checks, on its way into CS.
struct CodeTarget {
  SegmentRegister cs;  // RPL of the selector is the new CPL
  LocatedDescriptor located;
};

// Checks that `rip` may be executed in `cs`: canonical or within the limit, else #GP(`ext`).
bool check_target_rip(Core& core, const SegmentRegister& cs, u64 rip, u32 ext = 0);
// RIP truncated to what the code segment can address.
u64 code_rip(const Core& core, const SegmentRegister& cs, u64 rip);
// In IA-32e mode a code segment must not be both 64-bit and 32-bit.
inline bool has_reserved_size(const Core& core, const Descriptor& descriptor) {
  return core.state.long_mode() && descriptor.is_long() && descriptor.is_big();
}

// Everything that a transfer writes, before it writes any: pushes and accessed bits.
bool check_writes(Core& core, FarStack& stack,
                  std::initializer_list<const LocatedDescriptor*> segments);

// Loads CS (accessed bit included) and RIP; CPL becomes the selector's RPL. The caller calls
// mode_changed() once SS is right too.
bool commit_code(Core& core, CodeTarget& target, u64 rip);

// What RET and IRET return to: the code segment's checks, all but the RIP's, and the stack segment that
// comes with it; null only for 64-bit code inside level 3.
struct ReturnStack {
  SegmentRegister ss;
  LocatedDescriptor located;  // its accessed bit is still to be set, unless `ss` is null
};
bool read_return_segment(Core& core, Selector selector, CodeTarget& target);
bool read_return_stack(Core& core, const CodeTarget& target, Selector selector,
                       ReturnStack& stack);
// Loads CS, RIP and SS, accessed bits included, or nothing.
bool commit_return(Core& core, CodeTarget& target, ReturnStack& stack, u64 rip);

// The stack of level `dpl` from a 16- or 32-bit TSS, checked by SDM 2A "CALL" more-privilege.
// `ext` is bit 0 of the error codes.
struct InnerStack {
  SegmentRegister ss;
  LocatedDescriptor located;
  u64 pointer = 0;
};
bool read_inner_stack(Core& core, unsigned dpl, u32 ext, InnerStack& out);
// RSPn or ISTn (SDM 3A "64-Bit Mode Stack Switching"): `offset` within the TSS.
bool read_stack_pointer_64(Core& core, unsigned offset, u32 ext, u64& rsp);
inline constexpr unsigned rsp_offset(unsigned level) { return 4 + 8 * level; }
inline constexpr unsigned ist_offset(unsigned ist) { return 36 + 8 * (ist - 1); }

// Reads of the TSS in TR; the caller has checked the limit.
template <class T>
inline bool read_tss(Core& core, unsigned offset, T& out) {
  return read_implicit(core, table_linear(core, core.state.seg[kTr].base, offset), out);
}
inline bool tss_is_32bit(const SegmentRegister& tr) {
  return (tr.rights[SegmentRights::TYPE] & kTssAvailable) == kTssAvailable;
}

}  // namespace vtsim::cpu
