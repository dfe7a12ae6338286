#include "model/cpu/engine/paging.h"

#include <algorithm>
#include <cstring>

#include "model/cpu/environment.h"

namespace vtsim::cpu {

// ---- PhysicalPort

const u8* PhysicalPort::page(u64 hpa_page) {
  if (hpa_page != cached_page_) {
    cached_host_ = bus_.host_page(Hpa(hpa_page), state_.in_smm).read;
    cached_page_ = hpa_page;
  }
  return cached_host_;
}

template <class T>
T PhysicalPort::read(Hpa address, RefKind kind) {
  ++table_reads_;
  if (const u8* host = page(address.page().value)) {
    T value;
    std::memcpy(&value, host + address.page_offset(), sizeof value);
    return value;
  }
  return static_cast<T>(bus_.read(address, sizeof(T), {.kind = kind, .in_smm = state_.in_smm}, 0));
}

template <class T>
bool PhysicalPort::cas(Hpa address, T expected, T desired) {
  u8* host = bus_.host_page(address.page(), state_.in_smm).write;
  if (host == nullptr) return true;  // ROM or a device: A and D flags go nowhere
  T value;
  std::memcpy(&value, host + address.page_offset(), sizeof value);
  if (value != expected) return false;
  if (blocks_.has_code(address.value, sizeof(T))) blocks_.drop(address.value, sizeof(T));
  std::memcpy(host + address.page_offset(), &desired, sizeof desired);
  return true;
}

std::optional<u32> PhysicalPort::read32(Hpa a, RefKind kind, unsigned) { return read<u32>(a, kind); }
std::optional<u64> PhysicalPort::read64(Hpa a, RefKind kind, unsigned) { return read<u64>(a, kind); }
bool PhysicalPort::cas32(Hpa a, u32 expected, u32 desired) { return cas(a, expected, desired); }
bool PhysicalPort::cas64(Hpa a, u64 expected, u64 desired) { return cas(a, expected, desired); }

// SDM 3C "Page-Modification Logging": 512 entries, filled from the last one; the index then wraps to
// FFFFH.
bool PhysicalPort::pml_has_room() {
  constexpr u64 kEntries = 512;
  return vmx_.vmcs[vmx::VmcsField::PML_INDEX] < kEntries;
}

void PhysicalPort::pml_log(Gpa page) {
  const u64 index = vmx_.vmcs[vmx::VmcsField::PML_INDEX];
  const Hpa at(vmx_.vmcs[vmx::VmcsField::PML_ADDRESS] + 8 * index);
  if (u8* host = bus_.host_page(at.page(), state_.in_smm).write) {
    if (blocks_.has_code(at.value, sizeof(u64))) blocks_.drop(at.value, sizeof(u64));
    std::memcpy(host + at.page_offset(), &page.value, sizeof(u64));
  }
  vmx_.vmcs.set(vmx::VmcsField::PML_INDEX, index - 1);
}

// ---- Paging

Paging::Paging(CoreState& state, vmx::VmxState& vmx, const CoreEnvironment& environment)
    : state_(state),
      bus_(environment.bus),
      port_(environment.bus, environment.shared.blocks, state, vmx),
      store_(this),
      offered_(environment.shared.offered),
      vmx_capabilities_(environment.shared.vmx_capabilities),
      physical_width_(environment.shared.model.physical_address_bits),
      closed_(std::make_unique<HostTlb>()) {
  environment.shared.blocks.add_listener(*this);
  registers_changed();
}

void Paging::registers_changed() {
  const ControlView& view = state_.view;
  const Inputs now{.cr0 = state_.cr0.value, .cr3 = state_.cr3, .cr4 = state_.cr4.value,
                   .efer = state_.efer.value, .pkru = state_.pkru, .pdpte = state_.pdpte,
                   .eptp = view.eptp, .vpid = view.vpid,
                   .mode_based_execute = view.mode_based_execute,
                   .page_modification_log = view.page_modification_log};
  if (now == inputs_) return;
  constexpr u64 kCr0 = Cr0::PG.mask() | Cr0::WP.mask() | Cr0::PE.mask();
  constexpr u64 kCr4 = Cr4::PAE.mask() | Cr4::SMEP.mask() | Cr4::SMAP.mask() | Cr4::PKE.mask() |
                       Cr4::PSE.mask() | Cr4::PGE.mask() | Cr4::LA57.mask() | Cr4::PCIDE.mask() |
                       Cr4::PKS.mask();
  inputs_ = now;
  rules_ = {.cr0 = now.cr0 & kCr0, .cr4 = now.cr4 & kCr4, .efer = now.efer, .pkru = now.pkru,
            .mode_based_execute = now.mode_based_execute};
  derive_stage1();
  derive_stage2();
}

void Paging::derive_stage1() {
  mmu::PagingContext& c = space_.context;
  const bool pae = state_.cr4[Cr4::PAE];
  if (!state_.cr0[Cr0::PG]) {
    c.mode = mmu::PagingMode::kNone;
  } else if (state_.long_mode()) {
    c.mode = state_.cr4[Cr4::LA57] ? mmu::PagingMode::k5Level : mmu::PagingMode::k4Level;
  } else {
    c.mode = pae ? mmu::PagingMode::kPae : mmu::PagingMode::k32Bit;
  }
  c.cr3 = state_.cr3;
  c.pdptes = state_.pdpte;
  c.wp = state_.cr0[Cr0::WP];
  c.pse = state_.cr4[Cr4::PSE];
  c.pge = state_.cr4[Cr4::PGE];
  c.smep = state_.cr4[Cr4::SMEP];
  c.smap = state_.cr4[Cr4::SMAP];
  c.pke = state_.cr4[Cr4::PKE];
  c.pks = state_.cr4[Cr4::PKS];
  c.nxe = state_.efer[Efer::NXE];
  c.pkru = state_.pkru;
  c.physical_width = static_cast<u8>(physical_width_);
  c.pse36_supported = offered_[Feature::kPse36];
  c.pages_1g_supported = offered_[Feature::kPdpe1gb];
  space_.tag.pcid = state_.cr4[Cr4::PCIDE] ? static_cast<u16>(Cr3::PCID.get(state_.cr3)) : u16{0};
}

void Paging::derive_stage2() {
  using Capability = vmx::EptVpidCapability;
  const ControlView& view = state_.view;
  const Reg<Capability> can = vmx_capabilities_.ept_vpid();
  const Reg<vmx::Eptp> eptp(view.eptp);
  mmu::EptContext& ept = space_.context.ept;
  ept.enabled = view.eptp != 0;
  ept.root = Hpa(eptp[vmx::Eptp::ROOT] << vmx::Eptp::ROOT.lo);
  ept.levels = static_cast<u8>(eptp[vmx::Eptp::WALK_LENGTH_MINUS_1] + 1);
  ept.accessed_dirty = eptp[vmx::Eptp::ACCESSED_DIRTY];
  ept.mode_based_execute_control = view.mode_based_execute;
  ept.page_modification_logging = view.page_modification_log;
  ept.execute_only_supported = can[Capability::EXECUTE_ONLY];
  ept.pages_2m_supported = can[Capability::PAGES_2M];
  ept.pages_1g_supported = can[Capability::PAGES_1G];
  ept.physical_width = static_cast<u8>(physical_width_);
  space_.tag.eptrta = ept.enabled ? ept.root.value : mmu::kNoEpt;
  space_.tag.vpid = view.vpid;
}

HostTlb* Paging::select(bool closed) {
  if (closed) return closed_.get();
  Class privilege = state_.cpl == 3 ? Class::kUser : Class::kSupervisor;
  if (privilege == Class::kSupervisor && state_.cr4[Cr4::SMAP] &&
      (state_.rflags_other & Rflags::AC.mask()))
    privilege = Class::kSupervisorOverride;
  ++uses_;
  Slot* oldest = nullptr;
  for (Slot& slot : slots_) {
    if (slot.used && slot.tag == space_.tag && slot.privilege == privilege) {
      slot.last_use = uses_;
      if (slot.rules != rules_) slot.tlb->clear();
      slot.rules = rules_;
      return slot.tlb.get();
    }
    if (oldest == nullptr || slot.last_use < oldest->last_use) oldest = &slot;
  }
  if (oldest->tlb == nullptr) oldest->tlb = std::make_unique<HostTlb>();
  oldest->tlb->clear();
  oldest->tag = space_.tag;
  oldest->privilege = privilege;
  oldest->rules = rules_;
  oldest->used = true;
  oldest->last_use = uses_;
  return oldest->tlb.get();
}

mmu::Access Paging::access(mmu::AccessKind kind) const {
  return {.kind = kind,
          .privilege = state_.cpl == 3 ? mmu::Privilege::kUser : mmu::Privilege::kSupervisor,
          .ac = (state_.rflags_other & Rflags::AC.mask()) != 0};
}

mmu::WalkResult Paging::translate(Lin lin, mmu::Access access) {
  ++statistics_.store_lookups;
  const u64 before = port_.table_reads();
  const mmu::WalkResult result = mmu::translate(store_, port_, space_, lin, access);
  if (port_.table_reads() != before) ++statistics_.walks;
  if (!result) ++statistics_.page_faults;
  return result;
}

void Paging::on_invalidation(const mmu::Invalidation& what) {
  for (Slot& slot : slots_) {
    if (!slot.used || !what.concerns(slot.tag)) continue;
    if (what.extent == mmu::Invalidation::Extent::kPage) {
      slot.tlb->drop_page(what.linear.value);
    } else {
      slot.tlb->clear();
    }
  }
}

void Paging::on_page_watched(u64 hpa_page) {
  const u8* host = bus_.host_page(Hpa(hpa_page), state_.in_smm).write;
  if (host == nullptr) return;
  for (Slot& slot : slots_)
    if (slot.used) slot.tlb->drop_writes_to(host);
}

void Paging::forget_host_pointers() {
  port_.forget_pages();
  clear_tlbs();
}

void Paging::forget_blocks() {
  for (Slot& slot : slots_)
    if (slot.used) slot.tlb->forget_all_jumps();
}

void Paging::clear_tlbs() {
  for (Slot& slot : slots_)
    if (slot.used) slot.tlb->clear();
}

}  // namespace vtsim::cpu
