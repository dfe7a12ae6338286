#include "model/cpu/exec/vmx_state_area.h"

#include "model/cpu/environment.h"
#include "model/cpu/exec/msr.h"
#include "model/vmx/capabilities.h"

namespace vtsim::cpu {

using vmx::Vmcs;
using vmx::VmcsField;

// ---- segments: the fields of the eight registers lie in the order of SegmentName

namespace {

constexpr u64 kRightsKept = Field{15, 0}.mask() & ~Field{11, 8}.mask();

}  // namespace

void save_guest_segments(const CoreState& state, Vmcs& vmcs) {
  for (unsigned n = 0; n < kSegmentCount; ++n) {
    const SegmentRegister& segment = state.seg[n];
    vmcs.set(VmcsField::GUEST_ES_SELECTOR + n, segment.selector);
    vmcs.set(VmcsField::GUEST_ES_LIMIT + n, segment.limit);
    vmcs.set(VmcsField::GUEST_ES_RIGHTS + n, segment.rights.value);
    vmcs.set(VmcsField::GUEST_ES_BASE + n, segment.base);
  }
  vmcs.set(VmcsField::GUEST_GDTR_BASE, state.gdtr.base);
  vmcs.set(VmcsField::GUEST_GDTR_LIMIT, state.gdtr.limit);
  vmcs.set(VmcsField::GUEST_IDTR_BASE, state.idtr.base);
  vmcs.set(VmcsField::GUEST_IDTR_LIMIT, state.idtr.limit);
}

void load_guest_segments(CoreState& state, const Vmcs& vmcs) {
  for (unsigned n = 0; n < kSegmentCount; ++n) {
    SegmentRegister& segment = state.seg[n];
    const u64 rights = vmcs[VmcsField::GUEST_ES_RIGHTS + n];
    segment.selector = static_cast<u16>(vmcs[VmcsField::GUEST_ES_SELECTOR + n]);
    segment.rights = Reg<SegmentRights>(rights & (kRightsKept | SegmentRights::UNUSABLE.mask()));
    segment.limit = static_cast<u32>(vmcs[VmcsField::GUEST_ES_LIMIT + n]);
    segment.base = vmcs[VmcsField::GUEST_ES_BASE + n];
  }
  state.gdtr = {vmcs[VmcsField::GUEST_GDTR_BASE],
                static_cast<u16>(vmcs[VmcsField::GUEST_GDTR_LIMIT])};
  state.idtr = {vmcs[VmcsField::GUEST_IDTR_BASE],
                static_cast<u16>(vmcs[VmcsField::GUEST_IDTR_LIMIT])};
}

// ---- MSR lists

namespace {

struct MsrListEntry {
  u32 index;
  u32 reserved;
  u64 value;
};
static_assert(sizeof(MsrListEntry) == 16);

constexpr u32 kFsBase = 0xC0000100, kGsBase = 0xC0000101, kSmmMonitorCtl = 0x9B, kSmbase = 0x9E;
constexpr Field kX2apicRange{31, 8};

bool is_x2apic(u32 index) { return kX2apicRange.get(index) == 8; }

bool may_be_loaded(const MsrListEntry& entry) {
  return entry.reserved == 0 && !is_x2apic(entry.index) && entry.index != kFsBase &&
         entry.index != kGsBase && entry.index != kSmmMonitorCtl;
}

bool may_be_stored(const MsrListEntry& entry) {
  return entry.reserved == 0 && !is_x2apic(entry.index) && entry.index != kSmbase;
}

MsrAccess list_access(Core& core, u32 index) {
  const u64 cycle = core.cycle();
  return {.core = core, .index = index, .now = core.time_of_cycle(cycle),
          .tsc = core.tsc_at_cycle(cycle), .cycles = cycle};
}

}  // namespace

u64 load_msr_list(Core& core, VmcsField address, u64 count) {
  const u64 base = core.vmx.vmcs[address];
  for (u64 n = 0; n < count; ++n) {
    MsrListEntry entry;
    core.read_physical(Hpa(base + n * sizeof entry), &entry, sizeof entry, RefKind::kMsrArea);
    if (!may_be_loaded(entry) || !write_msr(list_access(core, entry.index), entry.value))
      return n + 1;
  }
  return 0;
}

bool store_msr_list(Core& core) {
  const Vmcs& vmcs = core.vmx.vmcs;
  const u64 base = vmcs[VmcsField::EXIT_MSR_STORE_ADDRESS];
  for (u64 n = 0; n < vmcs[VmcsField::EXIT_MSR_STORE_COUNT]; ++n) {
    const Hpa at(base + n * sizeof(MsrListEntry));
    MsrListEntry entry;
    core.read_physical(at, &entry, sizeof entry, RefKind::kMsrArea);
    if (!may_be_stored(entry) || !read_msr(list_access(core, entry.index), entry.value))
      return false;
    core.write_physical(at + offsetof(MsrListEntry, value), &entry.value, sizeof entry.value,
                        RefKind::kMsrArea);
  }
  return true;
}

// ---- the preemption timer: it counts when bit `rate` of the TSC changes

namespace {

unsigned timer_rate(const Core& core) {
  return static_cast<unsigned>(
      core.environment().shared.vmx_capabilities.misc()[vmx::MiscData::TIMER_RATE]);
}

u64 timer_ticks(const Core& core, Ps now) {
  return core.environment().tsc_frequency.cycles_at(now) >> timer_rate(core);
}

}  // namespace

void start_preemption_timer(Core& core, Ps now) {
  vmx::VmxState& vmx = core.vmx;
  vmx.timer_expired = false;
  vmx.timer_end = vmx::kNoPointer;
  if (!vmx.vmcs.pin()[vmx::PinBased::PREEMPTION_TIMER]) return;
  const u64 value = vmx.vmcs[VmcsField::PREEMPTION_TIMER_VALUE];
  vmx.timer_end = timer_ticks(core, now) + value;
  vmx.timer_expired = value == 0;
  const CoreEnvironment& environment = core.environment();
  environment.events.schedule(environment.preemption_timer,
                              environment.tsc_frequency.first_ps_of(vmx.timer_end << timer_rate(core)));
}

void stop_preemption_timer(Core& core) {
  core.vmx.timer_expired = false;
  if (core.vmx.timer_end == vmx::kNoPointer) return;
  core.vmx.timer_end = vmx::kNoPointer;
  core.environment().events.cancel(core.environment().preemption_timer);
}

u64 preemption_timer_value(const Core& core) {
  const vmx::VmxState& vmx = core.vmx;
  if (vmx.timer_end == vmx::kNoPointer) return vmx.vmcs[VmcsField::PREEMPTION_TIMER_VALUE];
  const u64 now = timer_ticks(core, core.time_of_cycle(core.cycle()));
  return vmx.timer_end > now ? vmx.timer_end - now : 0;
}

}  // namespace vtsim::cpu
