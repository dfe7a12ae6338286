// Segment registers and descriptors as instructions see them: MOV and POP of segment registers, LDS to
// LSS, LAR, LSL, VERR, VERW, ARPL.

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/segmentation.h"

namespace vtsim::cpu {

namespace {

SegmentName segment_name(unsigned number) { return static_cast<SegmentName>(number); }

// ---- MOV, POP

// After a load of SS the next instruction is not interrupted, so that it can load the stack pointer.
// SDM 2B "MOV - Move"; 3A "Masking Exceptions and Interrupts When Switching Stacks".
Outcome finish_load(Core& core, SegmentName name) {
  if (name == kSs) {
    core.state.shadow = kShadowMovSs;
    core.mode_changed();
  }
  return Outcome::kNext;
}

Outcome mov_segment_register(Core& core, const Op& op) {
  const SegmentName name = segment_name(op.dst);
  if (!load_segment(core, name, get_gpr<u16>(core, op.src))) return Outcome::kFault;
  return finish_load(core, name);
}

Outcome mov_segment_memory(Core& core, const Op& op) {
  const SegmentName name = segment_name(op.dst);
  u16 selector;
  if (!load_operand(core, op, selector) || !load_segment(core, name, selector))
    return Outcome::kFault;
  return finish_load(core, name);
}

template <class T>
Outcome mov_from_segment(Core& core, const Op& op) {
  set_gpr<T>(core, op.dst, core.state.seg[op.src].selector);
  return Outcome::kNext;
}

Outcome store_segment(Core& core, const Op& op) {
  return store_operand(core, op, core.state.seg[op.src].selector) ? Outcome::kNext
                                                                 : Outcome::kFault;
}

// SDM-NOTE: whatever the operand size, processors read only the selector's two bytes
// (tests/system/kvm).
template <class T>
Outcome pop_segment(Core& core, const Op& op) {
  const SegmentName name = segment_name(op.dst);
  u16 value;
  if (!peek(core, op, 0, value)) return Outcome::kFault;
  // The stack pointer moves by the address size of the old stack.
  const u64 top = truncate(core.state.gpr[kRsp] + sizeof(T), stack_size_log2(core));
  const unsigned size = stack_size_log2(core);
  if (!load_segment(core, name, value)) return Outcome::kFault;
  u64& rsp = core.state.gpr[kRsp];
  rsp = Field{(8u << size) - 1, 0}.put(rsp, top);
  return finish_load(core, name);
}

// ---- LDS, LES, LFS, LGS, LSS: a far pointer into a segment register and a general one

template <class T>
Outcome load_far_pointer(Core& core, const Op& op) {
  const SegmentName name = segment_name(static_cast<unsigned>(op.imm));
  u64 lin;
  T offset;
  u16 selector;
  if (!operand_linear(core, op, sizeof(T) + 2, Intent::kRead, lin) ||
      !load_linear(core, op, lin, offset) || !load_linear(core, op, lin + sizeof(T), selector) ||
      !load_segment(core, name, selector))
    return Outcome::kFault;
  set_gpr<T>(core, op.dst, offset);
  if (name == kSs) core.mode_changed();
  return Outcome::kNext;
}

template <SegmentName name>
Handler bind_load_far_pointer(const Binding& binding, Op& op) {
  if (!binding.in.is_memory(1)) return nullptr;
  bind_operands(binding, op);
  op.imm = name;
  switch (binding.in.operand_bits()) {
    case 16: return &run_and_synchronize<load_far_pointer<u16>>;
    case 32: return &run_and_synchronize<load_far_pointer<u32>>;
    default: return &run_and_synchronize<load_far_pointer<u64>>;
  }
}

// ---- looking at descriptors

// The selector operand: 16 bits of memory, or the low half of a register.
template <bool second>
bool selector_operand(Core& core, const Op& op, u16& selector) {
  if (op.mem.present()) return load_operand(core, op, selector);
  selector = get_gpr<u16>(core, second ? op.src : op.dst);
  return true;
}

void set_zf(Core& core, bool on) {
  set_arithmetic_flags(core.state.lazy,
                       Reg<Rflags>(read_rflags(core.state)).with(Rflags::ZF, on).value);
}

// SDM 2A "LAR", "LSL": which system descriptors they accept.
constexpr u32 type_set(std::initializer_list<unsigned> types) {
  u32 set = 0;
  for (const unsigned type : types) set |= u32{1} << type;
  return set;
}
constexpr u32 kLarTypes = type_set({kTss16Available, kLdt, kTss16Busy, kCallGate16, kTaskGate,
                                    kTssAvailable, kTssBusy, kCallGate});
constexpr u32 kLarTypes64 = type_set({kLdt, kTssAvailable, kTssBusy, kCallGate});
constexpr u32 kLslTypes =
    type_set({kTss16Available, kLdt, kTss16Busy, kTssAvailable, kTssBusy});
constexpr u32 kLslTypes64 = type_set({kLdt, kTssAvailable, kTssBusy});

// False: a fault. `visible` tells whether the program may look at the descriptor.
bool look_at_descriptor(Core& core, Selector selector, u32 system_types, Descriptor& out,
                        bool& visible) {
  visible = false;
  if (selector.is_null()) return true;
  LocatedDescriptor located;
  const Lookup lookup = find_descriptor(core, selector, located);
  if (lookup != Lookup::kFound) return lookup == Lookup::kOutside;
  out = located.descriptor;
  if (out.is_system() && !bit(system_types, out.type())) return true;
  const bool conforming = out.is_code() && out.is_conforming();
  visible = conforming || (core.state.cpl <= out.dpl() && selector.rpl() <= out.dpl());
  return true;
}

template <class T>
Outcome lar(Core& core, const Op& op) {
  u16 selector;
  Descriptor descriptor;
  bool visible;
  if (!selector_operand<true>(core, op, selector) ||
      !look_at_descriptor(core, {selector}, core.state.long_mode() ? kLarTypes64 : kLarTypes,
                          descriptor, visible))
    return Outcome::kFault;
  if (visible) {
    // Bits 19:16 of the result are undefined; processors give the limit's.
    constexpr Field kRights{23, 8};
    const u64 high = bits(descriptor.raw, 63, 32);
    set_gpr<T>(core, op.dst, static_cast<T>(high & kRights.mask()));
  }
  set_zf(core, visible);
  return Outcome::kNext;
}

template <class T>
Outcome lsl(Core& core, const Op& op) {
  u16 selector;
  Descriptor descriptor;
  bool visible;
  if (!selector_operand<true>(core, op, selector) ||
      !look_at_descriptor(core, {selector}, core.state.long_mode() ? kLslTypes64 : kLslTypes,
                          descriptor, visible))
    return Outcome::kFault;
  if (visible) set_gpr<T>(core, op.dst, static_cast<T>(descriptor.limit()));
  set_zf(core, visible);
  return Outcome::kNext;
}

// SDM 2B "VERR/VERW": code and data segments only.
Outcome verify(Core& core, const Op& op, Intent intent) {
  u16 selector;
  Descriptor descriptor;
  bool visible;
  if (!selector_operand<false>(core, op, selector) ||
      !look_at_descriptor(core, {selector}, 0, descriptor, visible))
    return Outcome::kFault;
  if (visible) {
    const SegmentRegister segment = segment_from({selector}, descriptor);
    visible = intent == Intent::kWrite ? segment.is_writable() : segment.is_readable();
  }
  set_zf(core, visible);
  return Outcome::kNext;
}

Outcome verr(Core& core, const Op& op) { return verify(core, op, Intent::kRead); }
Outcome verw(Core& core, const Op& op) { return verify(core, op, Intent::kWrite); }

Outcome arpl(Core& core, const Op& op) {
  const Selector source{get_gpr<u16>(core, op.src)};
  bool raised_rpl = false;
  const auto adjust = [&](u16 old) {
    raised_rpl = Selector{old}.rpl() < source.rpl();
    return raised_rpl ? Selector{old}.with_rpl(source.rpl()).value : old;
  };
  if (op.mem.present()) {
    if (!modify_operand<u16>(core, op, adjust)) return Outcome::kFault;
  } else {
    set_gpr<u16>(core, op.dst, adjust(get_gpr<u16>(core, op.dst)));
  }
  set_zf(core, raised_rpl);
  return Outcome::kNext;
}

constexpr InstructionRow far_pointer_row(Mnemonic mnemonic, Binder bind) {
  return {.mnemonic = mnemonic, .bind = bind, .timing = Timing::kSystem,
          .flow = Flow::kSynchronize};
}

constexpr InstructionRow descriptor_row(Mnemonic mnemonic, Binder bind) {
  return {.mnemonic = mnemonic, .bind = bind, .gate = Gate::kProtected,
          .timing = Timing::kSystem, .flags = FlagUse::kReadsAndWrites};
}

constexpr InstructionRow kRows[] = {
    far_pointer_row(ZYDIS_MNEMONIC_LDS, bind_load_far_pointer<kDs>),
    far_pointer_row(ZYDIS_MNEMONIC_LES, bind_load_far_pointer<kEs>),
    far_pointer_row(ZYDIS_MNEMONIC_LFS, bind_load_far_pointer<kFs>),
    far_pointer_row(ZYDIS_MNEMONIC_LGS, bind_load_far_pointer<kGs>),
    far_pointer_row(ZYDIS_MNEMONIC_LSS, bind_load_far_pointer<kSs>),
    descriptor_row(ZYDIS_MNEMONIC_LAR, by_operand_size<lar<u16>, lar<u32>, lar<u64>>),
    descriptor_row(ZYDIS_MNEMONIC_LSL, by_operand_size<lsl<u16>, lsl<u32>, lsl<u64>>),
    descriptor_row(ZYDIS_MNEMONIC_VERR, plain<verr>),
    descriptor_row(ZYDIS_MNEMONIC_VERW, plain<verw>),
    descriptor_row(ZYDIS_MNEMONIC_ARPL, plain<arpl>),
};

}  // namespace

Rows segment_rows() { return kRows; }

Handler bind_mov_segment(const Binding& binding, Op& op) {
  const Decoded& in = binding.in;
  bind_operands(binding, op);
  const bool loads = in.is_register(0) &&
                     ZydisRegisterGetClass(in.operand[0].reg.value) == ZYDIS_REGCLASS_SEGMENT;
  if (loads) {
    if (op.dst == kCs) return nullptr;  // #UD
    const bool ss = op.dst == kSs;
    if (op.mem.present())
      return ss ? &run_and_synchronize<mov_segment_memory> : &run<mov_segment_memory>;
    return ss ? &run_and_synchronize<mov_segment_register> : &run<mov_segment_register>;
  }
  if (op.mem.present()) return &run<store_segment>;
  switch (in.operand[0].size) {
    case 16: return &run<mov_from_segment<u16>>;
    case 32: return &run<mov_from_segment<u32>>;
    default: return &run<mov_from_segment<u64>>;
  }
}

Handler bind_pop_segment(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const bool ss = op.dst == kSs;
  switch (binding.in.operand_bits()) {
    case 16: return ss ? &run_and_synchronize<pop_segment<u16>> : &run<pop_segment<u16>>;
    case 32: return ss ? &run_and_synchronize<pop_segment<u32>> : &run<pop_segment<u32>>;
    default: return ss ? &run_and_synchronize<pop_segment<u64>> : &run<pop_segment<u64>>;
  }
}

}  // namespace vtsim::cpu
