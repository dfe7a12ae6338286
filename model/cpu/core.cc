#include "model/cpu/core.h"

#include <algorithm>
#include <utility>

#include "model/base/check.h"
#include "model/cpu/apic/local_apic.h"
#include "model/cpu/cpuid.h"
#include "model/cpu/engine/block_builder.h"
#include "model/cpu/engine/paging.h"
#include "model/cpu/environment.h"
#include "model/cpu/exec/memory.h"
#include "model/cpu/exec/msr.h"
#include "model/cpu/exec/smm.h"
#include "model/cpu/exec/vmx.h"
#include "model/cpu/interrupts.h"

namespace vtsim::cpu {

Core::Core(CoreEnvironment& environment)
    : environment_(environment),
      paging_(std::make_unique<Paging>(state, vmx, environment)),
      builder_(std::make_unique<BlockBuilder>(environment.shared, environment.observer)) {
  environment.shared.cores.push_back(this);
  power_on();
}

Core::~Core() { std::erase(environment_.shared.cores, this); }

LocalApic& Core::apic() { return environment_.apic; }
unsigned Core::index() const { return environment_.index; }
const CpuModel& Core::model() const { return environment_.shared.model; }

// ---- raising and leaving

Outcome Core::raise(Vector vector) { return raise(Event{.vector = vector}); }

Outcome Core::raise(Vector vector, u32 error_code) {
  return raise(Event{.vector = vector, .has_error_code = true, .error_code = error_code});
}

Outcome Core::raise(const Event& event) {
  raised = event;
  chain_end = ChainEnd::kEvent;
  return Outcome::kFault;
}

Outcome Core::raise_exit(const vmx::ExitRecord& record) {
  exit = record;
  chain_end = ChainEnd::kExit;
  return Outcome::kFault;
}

u64 Core::next_rip(const Op& op) const {
  const u64 next = block->rip + op.byte_offset() + op.length();
  switch (static_cast<CodeSize>(block->mode[ModeBits::CODE_SIZE])) {
    case CodeSize::k16: return next & 0xFFFF;
    case CodeSize::k32: return next & 0xFFFFFFFF;
    default: return next;
  }
}

void Core::request_sync() {
  target_cycle_ -= static_cast<u64>(budget);
  budget = 0;
}

Outcome Core::request_restart() {
  chain_end = ChainEnd::kSynchronize;
  return Outcome::kFault;
}

bool Core::must_take_turns(const Op& op) const {
  const std::vector<Core*>& cores = environment_.shared.cores;
  if (cores.size() == 1 || cycles_at(op) == turn_cycle_) return false;
  return std::ranges::any_of(cores, [this](const Core* core) {
    return core != this && core->state.activity == Activity::kActive;
  });
}

Outcome Core::request_turn() {
  takes_turns_ = true;
  return request_restart();
}

void Core::charge_until(const Op& op) { budget += block->instructions - op.instruction_index(); }

// ---- time

Ps Core::time_of_cycle(u64 cycle) const { return environment_.frequency.first_ps_of(cycle); }

u64 Core::tsc_at_cycle(u64 cycle) const {
  const u64 ticks = environment_.frequency.hz == environment_.tsc_frequency.hz
                        ? cycle
                        : environment_.tsc_frequency.cycles_at(time_of_cycle(cycle));
  return ticks + state.tsc_offset;
}

Stamp Core::stamp() const {
  return {.core = environment_.index, .time = time_of_cycle(now_cycle()), .instruction = instructions_};
}

void Core::announce_flush(std::string_view cause, u64 operand) {
  const Probe<TlbFlushEvent>& probe = environment_.shared.probes.tlb_flush;
  if (probe) probe.emit({.stamp = stamp(), .cause = cause, .operand = operand});
}

void Core::announce_state(std::string_view what, u64 detail) {
  const Probe<CoreStateEvent>& probe = environment_.shared.probes.core_state;
  if (probe) probe.emit({.stamp = stamp(), .state = what, .detail = detail});
}

void SharedEnvironment::before_write(u64 hpa, u64 size) {
  if (blocks.has_code(hpa, static_cast<unsigned>(size)))
    blocks.drop(hpa, static_cast<unsigned>(size));
  for (Core* core : cores) core->notice_write(hpa, size);
}

namespace {

constexpr u64 kMonitorLine = 64;
constexpr u64 kNotArmed = ~u64{0};

}  // namespace

void Core::arm_monitor(u64 hpa) {
  disarm_monitor();
  state.monitor_address = align_down(hpa, kMonitorLine);
  environment_.shared.blocks.watch(align_down(hpa, kPageSize));
}

void Core::disarm_monitor() {
  if (state.monitor_address == kNotArmed) return;
  environment_.shared.blocks.unwatch(align_down(state.monitor_address, kPageSize));
  state.monitor_address = kNotArmed;
}

void Core::notice_write(u64 hpa, u64 size) {
  const u64 line = state.monitor_address;
  if (line == kNotArmed || hpa >= line + kMonitorLine || hpa + size <= line) return;
  disarm_monitor();
  if (state.activity != Activity::kMwait) return;
  state.activity = Activity::kActive;
  attention = true;
  if (environment_.wake) environment_.wake(time_of_cycle(cycle_));
}

void Core::fall_asleep(Activity activity) {
  state.activity = activity;
  announce_state("halt");
}

bool Core::can_wake() const {
  if (state.view.non_root && can_leave_guest(*this)) return true;
  const bool interruptible = (state.rflags_other & Rflags::IF.mask()) != 0;
  switch (state.activity) {
    case Activity::kActive: return true;
    case Activity::kHalted: return interruptible || state.signals.any();
    case Activity::kMwait:
      return interruptible || state.mwait_breaks_on_masked || state.signals.any();
    case Activity::kWaitForSipi: return state.signals.any();
    case Activity::kShutdown:
    case Activity::kOff: return false;
  }
  return false;
}

void Core::skip_to(u64 cycle) {
  if (cycle > cycle_) cycle_ = cycle;
}

// ---- mode

namespace {

Mode mode_of(const CoreState& s) {
  Mode mode;
  CodeSize size = CodeSize::k16;
  if (s.mode64()) {
    size = CodeSize::k64;
  } else if (s.seg[kCs].rights[SegmentRights::DB]) {
    size = CodeSize::k32;
  }
  mode.set(ModeBits::CODE_SIZE, static_cast<u64>(size));
  mode.set(ModeBits::CPL, s.cpl);
  mode.set(ModeBits::PROTECTED, !s.real_mode() && !s.v8086_mode());
  mode.set(ModeBits::V8086, s.v8086_mode());
  mode.set(ModeBits::EM, s.cr0[Cr0::EM]);
  mode.set(ModeBits::TS, s.cr0[Cr0::TS]);
  mode.set(ModeBits::MP, s.cr0[Cr0::MP]);
  mode.set(ModeBits::OSFXSR, s.cr4[Cr4::OSFXSR]);
  mode.set(ModeBits::OSXSAVE, s.cr4[Cr4::OSXSAVE]);
  constexpr u64 kAvxState = Xcr0::SSE.mask() | Xcr0::AVX.mask();
  mode.set(ModeBits::AVX, s.cr4[Cr4::OSXSAVE] && (s.xcr0 & kAvxState) == kAvxState);
  mode.set(ModeBits::CS_LIMITED,
           size != CodeSize::k64 &&
               s.seg[kCs].limit < (size == CodeSize::k32 ? 0xFFFFFFFFu : 0xFFFFu));
  mode.set(ModeBits::NON_ROOT, s.view.non_root);
  return mode;
}

bool monitor_trap_flag(const Core& core) {
  return core.state.view.non_root && core.vmx.vmcs.primary()[vmx::Primary::MONITOR_TRAP_FLAG];
}

bool alignment_checked(const CoreState& s) {
  return s.cpl == 3 && s.cr0[Cr0::AM] && (s.rflags_other & Rflags::AC.mask()) != 0;
}

}  // namespace

bool Core::alignment_checks_on() const { return alignment_checked(state); }

// Every access is looked at one by one.
bool Core::arrays_closed() const {
  return alignment_checked(state) || has_data_breakpoints(*this);
}

void Core::mode_changed() {
  ++mode_changes_;
  if (in_chain_ && state.shadow == kShadowSti) state.shadow = kNoShadow;  // not STI's doing
  mode = mode_of(state);
  paging_->registers_changed();
  tlb = paging_->select(arrays_closed());
  if (attention || must_be_careful()) request_sync();
}

void Core::permissions_changed() { mode_changed(); }

bool Core::must_be_careful() const {
  constexpr u64 kFlags = Rflags::TF.mask() | Rflags::RF.mask();
  return observe_ || state.shadow != kNoShadow || (state.rflags_other & kFlags) != 0 ||
         Dr7::ENABLES.get(state.dr7) != 0 || state.pending_debug != 0 || monitor_trap_flag(*this);
}

void Core::observe_instructions(bool on) {
  observe_ = on;
  paging_->forget_host_pointers();  // the arrays' entries for writes are of two kinds
  mode_changed();
}

// ---- translations

namespace {

// The address space of an EPT pointer as translations are tagged with it.
u64 eptp_root(u64 eptp) { return vmx::Eptp::ROOT.get(eptp) << vmx::Eptp::ROOT.lo; }

}  // namespace

void Core::write_cr3(u64 value) {
  const bool keep = state.cr4[Cr4::PCIDE] && bit(value, Cr3::kKeepTranslations.position);
  state.cr3 = value & ~Cr3::kKeepTranslations.mask();
  const mmu::Tag before = paging_->tag();
  const u16 pcid = state.cr4[Cr4::PCIDE] ? static_cast<u16>(Cr3::PCID.get(value)) : u16{0};
  if (!keep) {
    announce_flush("mov_cr3", value);
    paging_->store().mov_cr3(before, pcid);
  }
  mode_changed();
}

void Core::invalidate_page(u64 lin) {
  announce_flush("invlpg", lin);
  paging_->store().invlpg(paging_->tag(), Lin(lin));
}

void Core::invalidate_pcid(unsigned type, u64 pcid, u64 lin) {
  announce_flush("invpcid", lin);
  const mmu::Tag tag = paging_->tag();
  const u16 id = static_cast<u16>(pcid);
  switch (type) {
    case 0: return paging_->store().invpcid_address(tag, id, Lin(lin));
    case 1: return paging_->store().invpcid_single(tag, id);
    case 2: return paging_->store().invpcid_all(tag);
    default: return paging_->store().invpcid_all_but_global(tag);
  }
}

void Core::invalidate_all() {
  announce_flush("mov_cr", state.cr4.value);
  paging_->store().flush_all_pcids(paging_->tag());
}

void Core::invalidate_ept(bool single, u64 eptp) {
  announce_flush("invept", eptp);
  if (single) return paging_->store().invept_single(eptp_root(eptp));
  paging_->store().invept_all();
}

void Core::invalidate_vpid(unsigned type, u16 vpid, u64 lin) {
  announce_flush("invvpid", lin);
  mmu::TranslationStore& store = paging_->store();
  switch (type) {
    case 0: return store.invvpid_address(vpid, Lin(lin));
    case 1: return store.invvpid_single(vpid);
    case 2: return store.invvpid_all();
    default: return store.invvpid_single_but_global(vpid);
  }
}

bool Core::load_pdptes(u64 cr3) {
  paging_->registers_changed();
  const mmu::PdpteResult result = mmu::load_pdptes(paging_->context(), cr3, paging_->port());
  if (const auto* fault = std::get_if<mmu::WalkFault>(&result)) return raise_walk_fault(nullptr, *fault);
  const auto* pdptes = std::get_if<mmu::Pdptes>(&result);
  if (pdptes == nullptr) {
    raise(kGp, 0);
    return false;
  }
  state.pdpte = *pdptes;
  return true;
}

void Core::memory_map_changed() {
  paging_->forget_host_pointers();
}

// ---- initial state. SDM 3A "Processor State After Reset" (Table "IA-32 and Intel 64 Processor States
// Following Power-up, Reset, or INIT").

void Core::power_on() {
  disarm_monitor();
  leave_ = false;
  state = CoreState{};
  msr = MsrState{};
  vmx = vmx::VmxState{};
  const auto segment = [](u16 selector, u64 base, u64 type) {
    return SegmentRegister{.selector = selector,
                           .rights = Reg<SegmentRights>(0x80 | type),
                           .limit = 0xFFFF,
                           .base = base};
  };
  for (auto& data : state.seg) data = segment(0, 0, 0x13);
  state.seg[kCs] = segment(0xF000, 0xFFFF0000, 0x1B);
  state.seg[kLdtr] = segment(0, 0, kLdt);
  state.seg[kTr] = segment(0, 0, kTssBusy);
  state.rip = 0xFFF0;
  state.gpr[kRdx] = version_signature(environment_.shared.model);
  reset_msrs(*this);
  paging_->store().reset();
  mode_changed();
}

// ---- running

void Core::deliver(const Event& event) {
  end_stale_shadow();
  ++cycle_;
  deliver_event(*this, event);
  if (observe_) environment_.observer.on_delivered(*this, event);
}

// Carries out what an instruction, a fetch or a check has recorded.
void Core::settle() {
  if (chain_end == ChainEnd::kEvent) return deliver(raised);
  if (chain_end == ChainEnd::kExit) leave_guest(exit);
}

void Core::leave_guest(const vmx::ExitRecord& record) {
  end_stale_shadow();
  ++cycle_;
  exit_guest(*this, record);
}

Block* Core::find_block_at_rip() { return find_block(mode); }

// Runs ops from `first` on until one of the chain's ends, and settles RIP and the cycle counter.
void Core::run_chain(Block* first) {
  block = first;
  chain_end = ChainEnd::kBudget;
  budget -= first->instructions;
  in_chain_ = true;
#if defined(VTSIM_LOOP_DISPATCH)
  for (const Op* op = first->ops; op != nullptr;) op = op->handler(this, op);
#else
  first->ops[0].handler(this, first->ops);
#endif
  in_chain_ = false;
  if (chain_end == ChainEnd::kBudget) {  // `block` was not started
    budget += block->instructions;
    state.rip = block->rip;
  }
  if (!has_recorded()) vmx.nmi_unblocked_by_iret = false;
  const u64 now = target_cycle_ - static_cast<u64>(budget);
  instructions_ += now - cycle_;
  cycle_ = now;
}

// One instruction, with all that may be special about it: TF, RF, breakpoints, shadows, observers.
void Core::run_carefully() {
  // Traps that the instruction before left: of a task switch, or held back by a shadow that has ended.
  if (state.pending_debug != 0 && state.shadow != kShadowMovSs) {
    const u64 traps = std::exchange(state.pending_debug, 0);
    return deliver({.vector = kDb, .dr6_bits = traps});
  }
  // SDM 3A "Masking Exceptions and Interrupts When Switching Stacks": Intel's processors suppress
  // instruction breakpoints behind a load of SS.
  if (const u64 hits = instruction_breakpoints(*this); hits != 0 && state.shadow != kShadowMovSs)
    return deliver({.vector = kDb, .dr6_bits = hits});
  const bool resume = (state.rflags_other & Rflags::RF.mask()) != 0;
  Block* alone = find_block_alone();
  if (alone == nullptr) return settle();
  single_step = (state.rflags_other & Rflags::TF.mask()) != 0;
  const u8 shadow = state.shadow;
  const u64 rip = state.rip;
  run_chain(alone);
  if (takes_turns_) return;
  // A shadow covers one instruction; one that this instruction cast stays.
  if (shadow != kNoShadow && state.shadow == shadow) state.shadow = kNoShadow;
  // SDM 3C "Monitor Trap Flag": an event that is delivered instead counts too; debug traps wait behind
  // the exit.
  const bool trapped = monitor_trap_flag(*this);
  if (trapped) {
    vmx.trap_exit = vmx::ExitRecord{.reason = vmx::ExitReason::kMonitorTrapFlag};
    attention = true;
  }
  if (has_recorded()) return settle();
  if (resume) state.rflags_other &= ~Rflags::RF.mask();
  if (observe_) environment_.observer.on_retire(*this, rip, alone->code_alone());
  if (state.shadow == kShadowMovSs) return;
  // SDM 3B "Single-Stepping on Branches": only where control went elsewhere.
  const bool went_on = state.rip == alone->successor[0] || state.rip == rip;
  if ((state.debugctl & DebugCtl::BTF.mask()) != 0 && went_on) single_step = false;
  const u64 traps = state.pending_debug | (single_step ? Dr6::BS.mask() : 0);
  state.pending_debug = trapped ? traps : 0;
  if (traps != 0 && !trapped) deliver({.vector = kDb, .dr6_bits = traps});
}

// The first cycle at or after the next timed event of the machine.
u64 Core::next_event_cycle() {
  const Ps deadline = environment_.events.next();
  if (deadline != event_deadline_) {
    event_deadline_ = deadline;
    event_cycle_ = deadline == kNever ? ~u64{0}
                   : deadline == 0    ? 0
                                      : environment_.frequency.cycles_at(deadline - 1) + 1;
  }
  return event_cycle_;
}

// A full arena starts over at a point where no core is within a block.
void Core::recycle_blocks() {
  BlockCache& blocks = environment_.shared.blocks;
  if (blocks.is_full()) blocks.clear();
  if (blocks.generation() == cache_generation_) return;
  cache_generation_ = blocks.generation();
  paging_->forget_blocks();
  block = nullptr;
}

// The chain has gone on behind STI.
void Core::end_stale_shadow() {
  if (state.shadow == kShadowSti && cycle_ != state.shadow_cycle) state.shadow = kNoShadow;
}

void Core::run_until(u64 cycle) {
  turn_cycle_ = cycle_;
  while (!std::exchange(takes_turns_, false)) {
    end_stale_shadow();
    if (attention) take_pending_events();
    // Devices that an instruction reached may have moved the next event.
    const u64 limit = std::min(cycle, next_event_cycle());
    if (state.activity != Activity::kActive || cycle_ >= limit || leave_) return;
    recycle_blocks();
    target_cycle_ = limit;
    budget = static_cast<i64>(std::min<u64>(limit - cycle_, kLongestChain));
    target_cycle_ = cycle_ + static_cast<u64>(budget);
    if (must_be_careful()) {
      run_carefully();
      continue;
    }
    Block* next = find_block(mode);
    if (next != nullptr && next->instructions > budget)
      next = find_block_alone();
    if (next == nullptr) {
      settle();
      continue;
    }
    run_chain(next);
    if (has_recorded()) settle();
    if (chain_end == ChainEnd::kAlone) run_carefully();
  }
}

// SDM 3A "Interrupt and Exception Handling > Priority Among Concurrent Events".
void Core::take_pending_events() {
  // What a VM entry injects, and exits that are due, leave no room for an instruction in between.
  while (state.view.non_root && take_virtualization_events(*this, time_of_cycle(cycle_))) {
  }
  const Ps now = time_of_cycle(cycle_);
  const bool monitoring = state.activity == Activity::kMwait;
  PendingSignals& signals = state.signals;
  // INIT waits while the processor is in VMX root operation; SIPI is dropped there.
  const bool hears_init = state.activity != Activity::kShutdown &&
                          state.activity != Activity::kOff && !state.in_smm && !vmx.in_operation;
  if (signals.init && hears_init) {
    signals.init = false;
    announce_state("init");
    initialize(now);
  } else if (signals.startup && state.activity == Activity::kWaitForSipi) {
    signals.startup = false;
    announce_state("sipi", signals.startup_vector);
    start_up(signals.startup_vector);
  } else if (state.activity == Activity::kWaitForSipi || state.activity == Activity::kShutdown ||
             state.activity == Activity::kOff) {
    // only the above, and NMI and SMI out of shutdown by way of a reset that chipsets do
  } else if (signals.smi && !state.in_smm) {
    signals.smi = false;
    enter_smm(*this);
  } else if (signals.nmi && !state.nmi_blocked && state.shadow == kNoShadow) {
    // SDM-NOTE: 3C "Guest Non-Register State" leaves open whether STI holds back NMIs; processors do.
    signals.nmi = false;
    state.nmi_blocked = true;
    state.activity = Activity::kActive;
    deliver({.vector = kNmi, .type = EventType::kNonMaskableInterrupt});
  } else if (apic().interrupt_pending()) {
    const bool enabled = (state.rflags_other & Rflags::IF.mask()) != 0;
    if (state.activity == Activity::kMwait && (enabled || state.mwait_breaks_on_masked))
      state.activity = Activity::kActive;
    if (enabled && state.shadow == kNoShadow) {
      state.activity = Activity::kActive;
      const u8 vector = apic().acknowledge(now);
      deliver({.vector = vector, .type = EventType::kExternalInterrupt});
    }
  }
  if (monitoring && state.activity == Activity::kActive) disarm_monitor();
  signals.startup = signals.startup && state.activity == Activity::kWaitForSipi;
  attention = has_takeable_event();
}

// What is pending and does not wait for an instruction: a core that sleeps looks again only when more
// comes. SDM 3A "Nonmaskable Interrupt (NMI)", "HLT"; 3C "SMM > Interrupts in SMM".
bool Core::has_takeable_event() const {
  PendingSignals signals = state.signals;
  signals.init = signals.init && (state.view.non_root || !vmx.in_operation);
  if (state.view.non_root && virtualization_event_is_due(*this)) return true;
  const bool interrupt = environment_.apic.interrupt_pending();
  const bool enabled = (state.rflags_other & Rflags::IF.mask()) != 0;
  const bool wakes = (signals.nmi && !state.nmi_blocked) ||
                     ((signals.smi || signals.init) && !state.in_smm);
  switch (state.activity) {
    case Activity::kActive: return signals.any() || interrupt;
    case Activity::kHalted: return wakes || (interrupt && enabled);
    case Activity::kMwait:
      return wakes || (interrupt && (enabled || state.mwait_breaks_on_masked));
    case Activity::kWaitForSipi: return signals.init || signals.startup;
    case Activity::kShutdown:
    case Activity::kOff: return false;
  }
  return false;
}

// SDM 3A "Processor State Following Power-up, Reset, or INIT": INIT keeps caches, x87 and vector
// state, MTRRs, machine-check registers and most MSRs.
void Core::initialize(Ps now) {
  const CoreState old = state;
  const MsrState kept = msr;
  power_on();
  state.x87 = old.x87;
  state.vector = old.vector;
  state.xcr0 = old.xcr0;
  state.tsc_offset = old.tsc_offset;
  state.tsc_adjust = old.tsc_adjust;
  state.tsc_aux = old.tsc_aux;
  state.pat = old.pat;
  state.star = old.star, state.lstar = old.lstar, state.cstar = old.cstar, state.fmask = old.fmask;
  state.kernel_gs_base = old.kernel_gs_base;
  state.sysenter_cs = old.sysenter_cs;
  state.sysenter_esp = old.sysenter_esp;
  state.sysenter_eip = old.sysenter_eip;
  state.smbase = old.smbase;
  state.signals = old.signals;
  state.cr0 = state.cr0.with(Cr0::CD, old.cr0[Cr0::CD]).with(Cr0::NW, old.cr0[Cr0::NW]);
  msr = kept;
  apic().init(now);
  if (!is_bootstrap()) state.activity = Activity::kWaitForSipi;
  mode_changed();
}

void Core::start_up(u8 vector) {
  state.seg[kCs].selector = static_cast<u16>(vector << 8);
  state.seg[kCs].base = static_cast<u64>(vector) << 12;
  state.rip = 0;
  state.activity = Activity::kActive;
  mode_changed();
}

bool Core::is_bootstrap() const { return bit(environment_.apic.apic_base(), 8); }

}  // namespace vtsim::cpu
