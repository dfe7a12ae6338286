// The registers that hold descriptor tables, LDTR, TR, and the bases of FS and GS.
// SDM 2A "LGDT/LIDT", "LLDT", "LTR", 2B "SGDT", "SIDT", "SLDT", "STR", "SWAPGS", "RDFSBASE/RDGSBASE".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/segmentation.h"
#include "model/cpu/exec/vmx.h"

namespace vtsim::cpu {

namespace {

// SDM 3A "Control Registers", UMIP.
bool umip_forbids(const Core& core) {
  return core.state.cr4[Cr4::UMIP] && core.state.cpl > 0;
}

bool selector_operand(Core& core, const Op& op, u16& selector) {
  if (op.mem.present()) return load_operand(core, op, selector);
  selector = get_gpr<u16>(core, op.dst);
  return true;
}

// A system segment from the GDT; in IA-32e mode its descriptor has 16 bytes.
bool read_system_segment(Core& core, Selector selector, u32 types, LocatedDescriptor& located,
                         u64& base) {
  if (selector.in_ldt()) return fail(core, kGp, selector.error());
  if (!read_descriptor(core, selector, {}, located)) return false;
  const Descriptor& descriptor = located.descriptor;
  if (!descriptor.is_system() || !bit(types, descriptor.type()))
    return fail(core, kGp, selector.error());
  base = descriptor.base();
  if (core.state.long_mode()) {
    constexpr Field kUpperType{44, 40}, kUpperBase{31, 0};
    u64 upper;
    if (!read_upper_half(core, selector, {}, located, upper)) return false;
    base |= kUpperBase.get(upper) << 32;
    if (kUpperType.get(upper) != 0 || !is_canonical_anywhere(core, base))
      return fail(core, kGp, selector.error());
  }
  return descriptor.present() || fail(core, kNp, selector.error());
}

Outcome lldt(Core& core, const Op& op) {
  u16 value;
  if (!selector_operand(core, op, value)) return Outcome::kFault;
  const Selector selector{value};
  if (selector.is_null()) {
    core.state.seg[kLdtr] = null_segment(value);
    return Outcome::kNext;
  }
  LocatedDescriptor located;
  u64 base;
  if (!read_system_segment(core, selector, u32{1} << kLdt, located, base)) return Outcome::kFault;
  core.state.seg[kLdtr] = segment_from(selector, located.descriptor);
  core.state.seg[kLdtr].base = base;
  return Outcome::kNext;
}

Outcome ltr(Core& core, const Op& op) {
  u16 value;
  if (!selector_operand(core, op, value)) return Outcome::kFault;
  const Selector selector{value};
  if (selector.is_null()) return core.raise(kGp, 0);
  const u32 types = core.state.long_mode() ? u32{1} << kTssAvailable
                                           : u32{1} << kTssAvailable | u32{1} << kTss16Available;
  LocatedDescriptor located;
  u64 base;
  if (!read_system_segment(core, selector, types, located, base)) return Outcome::kFault;
  constexpr Flag kBusy{41};
  located.descriptor.raw |= kBusy.mask();
  if (!write_implicit(core, located.lin + 5, static_cast<u8>(bits(located.descriptor.raw, 47, 40))))
    return Outcome::kFault;
  core.state.seg[kTr] = segment_from(selector, located.descriptor);
  core.state.seg[kTr].base = base;
  return Outcome::kNext;
}

template <class T, SegmentName name>
Outcome store_selector(Core& core, const Op& op) {
  if (umip_forbids(core)) return core.raise(kGp, 0);
  constexpr u8 kSldt = 0, kStr = 1;
  if (intercepted(core, op, Intercept::kLdtrTr, {.identity = name == kTr ? kStr : kSldt}))
    return Outcome::kFault;
  const u16 selector = core.state.seg[name].selector;
  if (op.mem.present()) return store_operand(core, op, selector) ? Outcome::kNext : Outcome::kFault;
  set_gpr<T>(core, op.dst, selector);
  return Outcome::kNext;
}

// ---- GDTR, IDTR: a limit of 16 bits, then the base

template <DescriptorTable CoreState::*table, unsigned base_bytes>
Outcome load_table(Core& core, const Op& op) {
  u64 lin, base = 0;
  u16 limit;
  if (!operand_linear(core, op, 2 + base_bytes, Intent::kRead, lin) ||
      !load_linear(core, op, lin, limit))
    return Outcome::kFault;
  if constexpr (base_bytes == 8) {
    if (!load_linear(core, op, lin + 2, base)) return Outcome::kFault;
    if (!is_canonical_anywhere(core, base)) return core.raise(kGp, 0);
  } else {
    u32 low;
    if (!load_linear(core, op, lin + 2, low)) return Outcome::kFault;
    base = base_bytes == 3 ? low & low_mask(24) : low;
  }
  core.state.*table = {.base = base, .limit = limit};
  return Outcome::kNext;
}

template <DescriptorTable CoreState::*table, class Base>
Outcome store_table(Core& core, const Op& op) {
  if (umip_forbids(core)) return core.raise(kGp, 0);
  constexpr u8 kSgdt = 0, kSidt = 1;
  constexpr bool interrupts = table == &CoreState::idtr;
  if (intercepted(core, op, Intercept::kGdtrIdtr, {.identity = interrupts ? kSidt : kSgdt}))
    return Outcome::kFault;
  struct [[gnu::packed]] Image {
    u16 limit;
    Base base;
  };
  const DescriptorTable& from = core.state.*table;
  u64 lin;
  if (!operand_linear(core, op, sizeof(Image), Intent::kWrite, lin) ||
      !store_linear(core, op, lin, Image{from.limit, static_cast<Base>(from.base)}))
    return Outcome::kFault;
  return Outcome::kNext;
}

template <DescriptorTable CoreState::*table>
Handler bind_load_table(const Binding& binding, Op& op) {
  if (!binding.in.is_memory(0)) return nullptr;
  bind_operands(binding, op);
  if (binding.code_size == CodeSize::k64) return &run_and_synchronize<load_table<table, 8>>;
  return binding.in.operand_bits() == 16 ? &run_and_synchronize<load_table<table, 3>>
                                         : &run_and_synchronize<load_table<table, 4>>;
}

// SDM-NOTE: with 16-bit operands too, processors since the 386 store all 32 bits of the base.
template <DescriptorTable CoreState::*table>
Handler bind_store_table(const Binding& binding, Op& op) {
  if (!binding.in.is_memory(0)) return nullptr;
  bind_operands(binding, op);
  return binding.code_size == CodeSize::k64 ? &run<store_table<table, u64>>
                                            : &run<store_table<table, u32>>;
}

// ---- FS and GS bases

Outcome swapgs(Core& core, const Op&) {
  std::swap(core.state.seg[kGs].base, core.state.kernel_gs_base);
  return Outcome::kNext;
}

template <class T, SegmentName name>
Outcome read_base(Core& core, const Op& op) {
  if (!core.state.cr4[Cr4::FSGSBASE]) return core.raise(kUd);
  set_gpr<T>(core, op.dst, static_cast<T>(core.state.seg[name].base));
  return Outcome::kNext;
}

template <class T, SegmentName name>
Outcome write_base(Core& core, const Op& op) {
  if (!core.state.cr4[Cr4::FSGSBASE]) return core.raise(kUd);
  const u64 base = get_gpr<T>(core, op.dst);
  if (!is_canonical_anywhere(core, base)) return core.raise(kGp, 0);
  core.state.seg[name].base = base;
  return Outcome::kNext;
}

// ---- rows

constexpr InstructionRow task_row(Mnemonic mnemonic, Binder bind) {
  return {.mnemonic = mnemonic, .bind = bind, .gate = Gate::kProtected,
          .privilege = Privilege::kCpl0, .intercept = Intercept::kLdtrTr,
          .when = When::kAfterPrivilege, .timing = Timing::kSerializing,
          .flow = Flow::kSynchronize};
}
constexpr InstructionRow load_table_row(Mnemonic mnemonic, Binder bind) {
  return {.mnemonic = mnemonic, .bind = bind, .privilege = Privilege::kCpl0,
          .intercept = Intercept::kGdtrIdtr, .when = When::kAfterPrivilege,
          .timing = Timing::kSerializing, .flow = Flow::kSynchronize};
}
constexpr InstructionRow store_row(Mnemonic mnemonic, Binder bind, Gate gate, Intercept intercept) {
  return {.mnemonic = mnemonic, .bind = bind, .gate = gate,
          .privilege = Privilege::kInHandler, .intercept = intercept,
          .when = When::kInHandler, .timing = Timing::kSystem};
}
constexpr InstructionRow base_row(Mnemonic mnemonic, Binder bind) {
  return {.mnemonic = mnemonic, .bind = bind, .gate = Gate::kOnly64, .timing = Timing::kSystem};
}

template <SegmentName name>
constexpr Binder kStoreSelector =
    by_operand_size<store_selector<u16, name>, store_selector<u32, name>,
                    store_selector<u64, name>>;
template <SegmentName name>
constexpr Binder kReadBase =
    by_operand_size<read_base<u32, name>, read_base<u32, name>, read_base<u64, name>>;
template <SegmentName name>
constexpr Binder kWriteBase =
    by_operand_size<write_base<u32, name>, write_base<u32, name>, write_base<u64, name>>;

constexpr InstructionRow kRows[] = {
    task_row(ZYDIS_MNEMONIC_LLDT, synchronizing<lldt>),
    task_row(ZYDIS_MNEMONIC_LTR, synchronizing<ltr>),
    store_row(ZYDIS_MNEMONIC_SLDT, kStoreSelector<kLdtr>, Gate::kProtected,
              Intercept::kLdtrTr),
    store_row(ZYDIS_MNEMONIC_STR, kStoreSelector<kTr>, Gate::kProtected, Intercept::kLdtrTr),
    load_table_row(ZYDIS_MNEMONIC_LGDT, bind_load_table<&CoreState::gdtr>),
    load_table_row(ZYDIS_MNEMONIC_LIDT, bind_load_table<&CoreState::idtr>),
    store_row(ZYDIS_MNEMONIC_SGDT, bind_store_table<&CoreState::gdtr>, Gate::kAlways,
              Intercept::kGdtrIdtr),
    store_row(ZYDIS_MNEMONIC_SIDT, bind_store_table<&CoreState::idtr>, Gate::kAlways,
              Intercept::kGdtrIdtr),
    {.mnemonic = ZYDIS_MNEMONIC_SWAPGS, .bind = plain<swapgs>, .gate = Gate::kOnly64,
     .privilege = Privilege::kCpl0, .timing = Timing::kSystem},
    base_row(ZYDIS_MNEMONIC_RDFSBASE, kReadBase<kFs>),
    base_row(ZYDIS_MNEMONIC_RDGSBASE, kReadBase<kGs>),
    base_row(ZYDIS_MNEMONIC_WRFSBASE, kWriteBase<kFs>),
    base_row(ZYDIS_MNEMONIC_WRGSBASE, kWriteBase<kGs>),
};

}  // namespace

Rows descriptor_table_rows() { return kRows; }

}  // namespace vtsim::cpu
