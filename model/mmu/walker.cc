#include "model/mmu/walker.h"

#include "model/mmu/nested.h"

namespace vtsim::mmu {
namespace {

// SDM 3A "Page-Fault Exceptions"
struct PageFaultCode {
  static constexpr Flag P{0};
  static constexpr Flag WR{1};
  static constexpr Flag US{2};
  static constexpr Flag RSVD{3};
  static constexpr Flag ID{4};
  static constexpr Flag PK{5};
};

// SDM 3C "Exit Qualification for EPT Violations"
struct EptQualification {
  static constexpr Flag READ{0};
  static constexpr Flag WRITE{1};
  static constexpr Flag FETCH{2};
  static constexpr Flag READABLE{3};
  static constexpr Flag WRITEABLE{4};
  static constexpr Flag EXECUTABLE{5};
  static constexpr Flag USER_EXECUTABLE{6};
  static constexpr Flag LINEAR_VALID{7};
  static constexpr Flag TRANSLATED{8};
  static constexpr Flag USER_ADDRESS{9};
  static constexpr Flag READ_WRITE_PAGE{10};
  static constexpr Flag EXECUTE_DISABLE{11};
};

// SDM 3A "PDPTE Registers"
constexpr u64 kPdpteReserved = Field{2, 1}.mask() | Field{8, 5}.mask();
constexpr Field kPdpteBase{31, 5};  // of CR3

// A PDPTE as a MOV to CR reads it: a guest-physical read without a linear address, which is no
// access to a guest paging structure (SDM 3C "EPT Violations": A and D flags for EPT
// notwithstanding).
std::optional<WalkFault> resolve_pdpte(const PagingContext& context, Gpa gpa, EntryPort& port,
                                       Hpa& hpa) {
  if (!context.ept.enabled) {
    hpa = Hpa(gpa.value);
    return std::nullopt;
  }
  Stage2Mapping mapping;
  std::optional<WalkFault> fault =
      walk_stage2(context.ept, {.gpa = gpa, .access = {.read = true}}, port, mapping);
  if (fault) fault->linear_valid = false;
  hpa = mapping.at(gpa);
  return fault;
}

template <const Shape& shape>
std::optional<WalkFault> walk_ept_shape(const EptContext& context, const Stage2Request& request,
                                        EntryPort& port, Stage2Mapping& mapping) {
  const EptPolicy<shape> policy(context, request);
  const u64 beyond = ~low_mask(shape.level[shape.levels].index.hi + 1);
  // SDM 3C "EPT Translation Mechanism": 4-level EPT translates 48 bits; a wider guest-physical
  // address is an EPT violation.
  if (request.gpa.value & beyond & low_mask(52)) {
    WalkFault fault = policy.fault(FaultReason::kEptViolation, 0, Combined{});
    fault.reason = FaultReason::kEptViolation;
    fault.level = shape.levels;
    return fault;
  }
  NativeResolver native;
  WalkLoop<EptPolicy<shape>, NativeResolver> loop(policy, native, port);
  WalkEnd end;
  std::optional<WalkFault> fault =
      loop.run({.table = context.root.value, .input = request.gpa.value}, end);
  if (!fault) mapping = policy.mapping(end);
  return fault;
}

}  // namespace

std::optional<WalkFault> walk_stage2(const EptContext& context, const Stage2Request& request,
                                     EntryPort& port, Stage2Mapping& mapping) {
  return context.levels == 5 ? walk_ept_shape<kShapeEpt5>(context, request, port, mapping)
                             : walk_ept_shape<kShapeEpt4>(context, request, port, mapping);
}

WalkResult walk(const PagingContext& context, Lin linear, Access access, EntryPort& port) {
  if (!context.ept.enabled) {
    NativeResolver resolver;
    return walk_linear(context, linear, access, resolver, port);
  }
  EptWalker walker{context.ept, port};
  NestedResolver<EptWalker> resolver(context.ept, walker, linear, access);
  return walk_linear(context, linear, access, resolver, port);
}

WalkResult walk_ept(const EptContext& context, GuestPhysicalAccess access, EntryPort& port) {
  Stage2Mapping mapping;
  const Stage2Request request{.gpa = access.address, .access = stage2_access(access.kind)};
  if (std::optional<WalkFault> fault = walk_stage2(context, request, port, mapping)) {
    fault->linear_valid = false;
    fault->access.kind = access.kind;
    return *fault;
  }
  return guest_physical_translation(access.address, mapping);
}

u64 pdpte_reserved_bits(u8 physical_width) { return kPdpteReserved | ~low_mask(physical_width); }

PdpteResult load_pdptes(const PagingContext& context, u64 cr3, EntryPort& port) {
  const u64 reserved = pdpte_reserved_bits(context.physical_width);
  Pdptes pdptes{};
  for (u8 index = 0; index < pdptes.size(); ++index) {
    const Gpa gpa((cr3 & kPdpteBase.mask()) + index * sizeof(u64));
    Hpa at;
    if (const std::optional<WalkFault> fault = resolve_pdpte(context, gpa, port, at)) {
      return *fault;
    }
    const std::optional<u64> value = port.read64(at, RefKind::kStage1Entry, kPaePdpteLevel);
    if (!value) {
      WalkFault fault;
      fault.reason = FaultReason::kBus;
      fault.level = kPaePdpteLevel;
      fault.linear_valid = false;
      fault.entry_address = at;
      fault.gpa = gpa;
      return fault;
    }
    pdptes[index] = *value;
  }
  for (u8 index = 0; index < pdptes.size(); ++index) {
    if (bit(pdptes[index], Ia32Entry::P.position) && pdptes[index] & reserved) {
      return PdpteReserved{index, pdptes[index]};
    }
  }
  return pdptes;
}

u32 pf_error_code(const WalkFault& fault) {
  const bool present = fault.stage == Stage::kStage1 && fault.reason != FaultReason::kNotPresent;
  const bool reserved = present && (fault.reason == FaultReason::kReservedBit ||
                                    fault.reason == FaultReason::kBus);  // reads as all ones
  Reg<PageFaultCode> code;
  code.set(PageFaultCode::P, present);
  code.set(PageFaultCode::WR, fault.access.is_write());
  code.set(PageFaultCode::US, fault.access.is_user());
  code.set(PageFaultCode::RSVD, reserved);
  code.set(PageFaultCode::ID, fault.access.is_fetch() && fault.reports_fetch);
  code.set(PageFaultCode::PK, fault.pkey_denied);
  return static_cast<u32>(code.value);
}

u64 ept_violation_qualification(const WalkFault& fault) {
  if (fault.reason != FaultReason::kEptViolation) return 0;
  Reg<EptQualification> bits;
  bits.set(EptQualification::READ, fault.stage2_access.read);
  bits.set(EptQualification::WRITE, fault.stage2_access.write);
  bits.set(EptQualification::FETCH, fault.stage2_access.fetch);
  bits.set(EptQualification::READABLE, fault.stage2_seen.read);
  bits.set(EptQualification::WRITEABLE, fault.stage2_seen.write);
  bits.set(EptQualification::EXECUTABLE, fault.stage2_seen.execute);
  bits.set(EptQualification::USER_EXECUTABLE,
           fault.mode_based_execute_control && fault.stage2_seen.execute_user);
  if (!fault.linear_valid) return bits.value;
  bits.set(EptQualification::LINEAR_VALID, 1);
  if (fault.is_table_ref) return bits.value;
  bits.set(EptQualification::TRANSLATED, 1);
  bits.set(EptQualification::USER_ADDRESS, fault.rights_seen.user);
  bits.set(EptQualification::READ_WRITE_PAGE, fault.rights_seen.write);
  bits.set(EptQualification::EXECUTE_DISABLE, !fault.rights_seen.execute);
  return bits.value;
}

}  // namespace vtsim::mmu
