#pragma once
// A core's way from linear addresses to host memory, behind the direct-mapped arrays: the paging
// context derived from the control registers, the architectural store, and one HostTlb for each
// {address space, privilege} in use.

#include <array>
#include <memory>

#include "model/base/cpu_bus.h"
#include "model/cpu/engine/block_cache.h"
#include "model/cpu/engine/host_tlb.h"
#include "model/cpu/features.h"
#include "model/cpu/state/core_state.h"
#include "model/mmu/translate.h"
#include "model/vmx/capabilities.h"
#include "model/vmx/vmx_state.h"

namespace vtsim::cpu {

// Physical memory as the walker sees it.
class PhysicalPort : public mmu::EntryPort {
 public:
  PhysicalPort(CpuBus& bus, BlockCache& blocks, const CoreState& state, vmx::VmxState& vmx)
      : bus_(bus), blocks_(blocks), state_(state), vmx_(vmx) {}

  std::optional<u32> read32(Hpa address, RefKind kind, unsigned level) override;
  std::optional<u64> read64(Hpa address, RefKind kind, unsigned level) override;
  bool cas32(Hpa address, u32 expected, u32 desired) override;
  bool cas64(Hpa address, u64 expected, u64 desired) override;
  bool pml_has_room() override;
  void pml_log(Gpa page) override;

  u64 table_reads() const { return table_reads_; }
  void forget_pages() { cached_page_ = ~u64{0}; }

 private:
  template <class T>
  T read(Hpa address, RefKind kind);
  template <class T>
  bool cas(Hpa address, T expected, T desired);
  const u8* page(u64 hpa_page);

  CpuBus& bus_;
  BlockCache& blocks_;
  const CoreState& state_;
  vmx::VmxState& vmx_;
  u64 table_reads_ = 0;
  u64 cached_page_ = ~u64{0};  // the page of page tables that was read last
  const u8* cached_host_ = nullptr;
};

struct PagingStatistics {
  u64 walks = 0;           // walks of the paging structures
  u64 store_lookups = 0;   // misses of the host-pointer arrays
  u64 page_faults = 0;
};

class CoreEnvironment;

class Paging : public mmu::InvalidationListener, public CodePageListener {
 public:
  Paging(CoreState& state, vmx::VmxState& vmx, const CoreEnvironment& environment);

  // The arrays for the current registers. `closed`: arrays that stay empty, for when every access
  // must be looked at (alignment checks, data breakpoints, observers).
  HostTlb* select(bool closed);

  mmu::WalkResult translate(Lin lin, mmu::Access access);
  mmu::Access access(mmu::AccessKind kind) const;  // at the current privilege

  mmu::TranslationStore& store() { return store_; }
  mmu::Tag tag() const { return space_.tag; }
  const mmu::PagingContext& context() const { return space_.context; }
  mmu::EntryPort& port() { return port_; }
  const PagingStatistics& statistics() const { return statistics_; }
  u64 table_reads() const { return port_.table_reads(); }

  // Derives the paging context from the registers.
  void registers_changed();
  // Host pointers may have become wrong: the physical map changed.
  void forget_host_pointers();
  // The block cache has been cleared.
  void forget_blocks();

  void on_invalidation(const mmu::Invalidation& what) override;
  void on_page_watched(u64 hpa_page) override;

 private:
  enum class Class : u8 { kSupervisor, kSupervisorOverride, kUser };  // override: AC with SMAP
  // What else decides whether an access is allowed; pointers were filled under these.
  struct Rules {
    u64 cr0 = 0, cr4 = 0, efer = 0;
    u32 pkru = 0;
    bool mode_based_execute = false;
    bool operator==(const Rules&) const = default;
  };
  struct Slot {
    mmu::Tag tag;
    Class privilege = Class::kSupervisor;
    Rules rules;
    bool used = false;
    u64 last_use = 0;
    std::unique_ptr<HostTlb> tlb;  // made when the slot is used first
  };
  static constexpr unsigned kSlots = 16;

  // What the context was derived from.
  struct Inputs {
    u64 cr0 = ~u64{0}, cr3 = 0, cr4 = 0, efer = 0;
    u32 pkru = 0;
    std::array<u64, 4> pdpte{};
    u64 eptp = 0;
    u16 vpid = 0;
    bool mode_based_execute = false;
    bool page_modification_log = false;
    bool operator==(const Inputs&) const = default;
  };

  void derive_stage1();
  void derive_stage2();
  void clear_tlbs();

  CoreState& state_;
  CpuBus& bus_;
  PhysicalPort port_;
  mmu::TranslationStore store_;
  mmu::AddressSpace space_;
  Inputs inputs_;
  Rules rules_;
  const CpuFeatures& offered_;
  const vmx::Capabilities& vmx_capabilities_;
  unsigned physical_width_;
  std::array<Slot, kSlots> slots_;
  std::unique_ptr<HostTlb> closed_;
  u64 uses_ = 0;
  PagingStatistics statistics_;
};

}  // namespace vtsim::cpu
