#include "model/cpu/exec/task_switch.h"

#include "model/cpu/exec/interrupt_flags.h"
#include "model/cpu/interrupts.h"

namespace vtsim::cpu {

namespace {

// ---- the TSS in memory. SDM 3A "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)".

//   0 previous task link      4 ESP0   8 SS0 ...     28 CR3     32 EIP    36 EFLAGS
//  40 EAX ECX EDX EBX ESP EBP ESI EDI     72 ES CS SS DS FS GS    96 LDT    100 T (bit 0), I/O map base
struct [[gnu::packed]] Tss32 {
  u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3;
  u32 eip, eflags, gpr[8], segment[6];
  u32 ldt;
  u16 trap, io_map;
};
static_assert(sizeof(Tss32) == 104);
constexpr unsigned kSaved32 = offsetof(Tss32, eip);
constexpr unsigned kSavedBytes32 = offsetof(Tss32, ldt) - kSaved32;

//   0 previous task link      2 SP0   4 SS0 ...      14 IP     16 FLAGS
//  18 AX CX DX BX SP BP SI DI     34 ES CS SS DS     42 LDT
struct [[gnu::packed]] Tss16 {
  u16 link, sp0, ss0, sp1, ss1, sp2, ss2;
  u16 ip, flags, gpr[8], segment[4];
  u16 ldt;
};
static_assert(sizeof(Tss16) == 44);
constexpr unsigned kSaved16 = offsetof(Tss16, ip);
constexpr unsigned kSavedBytes16 = offsetof(Tss16, ldt) - kSaved16;

// What a task switch loads, of either format.
struct TaskImage {
  bool wide = true;
  u64 cr3 = 0;
  u64 rip = 0;
  u64 rflags = 0;
  u64 gpr[8] = {};
  u16 segment[6] = {};  // ES, CS, SS, DS, FS, GS
  u16 ldt = 0;
  bool trap = false;
};

constexpr Flag kBusy{41};
// DR7.L3:0 and LE: breakpoints of one task only.
constexpr u64 kLocalBreakpoints =
    Flag{0}.mask() | Flag{2}.mask() | Flag{4}.mask() | Flag{6}.mask() | Dr7::LE.mask();

// The new task's TSS, as found in the GDT.
struct NewTask {
  Selector selector;
  LocatedDescriptor located;
  bool wide() const { return tss_is_32bit(segment_from(selector, located.descriptor)); }
  u64 base() const { return located.descriptor.base(); }
};

bool is_busy_type(unsigned type) { return type == kTss16Busy || type == kTssBusy; }
bool is_available_type(unsigned type) { return type == kTss16Available || type == kTssAvailable; }

// ---- before the commit

// SDM 3A "Task Switching", steps 1 to 5. Gates raise #GP, IRET raises #TS for a wrong descriptor.
bool find_new_task(Core& core, const TaskSwitch& request, NewTask& task) {
  const Blame blame{request.cause == TaskSwitchCause::kIret ? kTs : kGp, request.ext};
  task.selector = request.selector;
  const u32 error = request.selector.error(request.ext);
  if (request.selector.in_ldt() || request.selector.is_null())
    return fail(core, blame.vector, error);
  if (!read_descriptor(core, request.selector, blame, task.located)) return false;
  const Descriptor& tss = task.located.descriptor;
  const bool right_type = tss.is_system() && (request.cause == TaskSwitchCause::kIret
                                                  ? is_busy_type(tss.type())
                                                  : is_available_type(tss.type()));
  if (!right_type) return fail(core, blame.vector, error);
  if (!tss.present()) return fail(core, kNp, error);
  const u32 smallest = task.wide() ? sizeof(Tss32) - 1 : sizeof(Tss16) - 1;
  return tss.limit() >= smallest || fail(core, kTs, error);
}

bool read_image(Core& core, const NewTask& task, TaskImage& image) {
  image.wide = task.wide();
  if (image.wide) {
    Tss32 tss;
    if (!core.read_system(nullptr, task.base(), &tss, sizeof tss)) return false;
    image.cr3 = tss.cr3;
    image.rip = tss.eip;
    image.rflags = tss.eflags;
    for (unsigned n = 0; n < 8; ++n) image.gpr[n] = tss.gpr[n];
    for (unsigned n = 0; n < 6; ++n) image.segment[n] = static_cast<u16>(tss.segment[n]);
    image.ldt = static_cast<u16>(tss.ldt);
    image.trap = bit(tss.trap, 0);
    return true;
  }
  Tss16 tss;
  if (!core.read_system(nullptr, task.base(), &tss, sizeof tss)) return false;
  image.rip = tss.ip;
  image.rflags = tss.flags;
  // SDM-NOTE: the upper halves of the registers become all ones on the 80386 and stay so.
  for (unsigned n = 0; n < 8; ++n) image.gpr[n] = tss.gpr[n] | Field{31, 16}.mask();
  for (unsigned n = 0; n < 4; ++n) image.segment[n] = tss.segment[n];
  image.ldt = tss.ldt;
  return true;
}

bool save_old_task(Core& core, u64 rip, u64 rflags) {
  const CoreState& state = core.state;
  const SegmentRegister& tr = state.seg[kTr];
  const u64 base = table_linear(core, tr.base, 0);
  if (tss_is_32bit(tr)) {
    Tss32 tss{};
    tss.eip = static_cast<u32>(rip);
    tss.eflags = static_cast<u32>(rflags);
    for (unsigned n = 0; n < 8; ++n) tss.gpr[n] = static_cast<u32>(state.gpr[n]);
    for (unsigned n = 0; n < 6; ++n) tss.segment[n] = state.seg[n].selector;
    return core.write_system(nullptr, base + kSaved32, &tss.eip, kSavedBytes32);
  }
  Tss16 tss{};
  tss.ip = static_cast<u16>(rip);
  tss.flags = static_cast<u16>(rflags);
  for (unsigned n = 0; n < 8; ++n) tss.gpr[n] = static_cast<u16>(state.gpr[n]);
  for (unsigned n = 0; n < 4; ++n) tss.segment[n] = state.seg[n].selector;
  return core.write_system(nullptr, base + kSaved16, &tss.ip, kSavedBytes16);
}

bool write_busy(Core& core, u64 descriptor_lin, u64 raw, bool busy) {
  const u64 changed = busy ? raw | kBusy.mask() : raw & ~kBusy.mask();
  return write_implicit(core, descriptor_lin + 5, static_cast<u8>(bits(changed, 47, 40)));
}

// Of the task that is left: its descriptor lies in the GDT, as TR says.
bool clear_old_busy(Core& core) {
  LocatedDescriptor old;
  const Selector selector{core.state.seg[kTr].selector};
  if (!read_descriptor(core, selector, {kTs, 0}, old)) return false;
  return write_busy(core, old.lin, old.descriptor.raw, false);
}

bool nests(TaskSwitchCause cause) {
  return cause == TaskSwitchCause::kCall || cause == TaskSwitchCause::kIdtGate;
}

// ---- after the commit: faults belong to the new task, and are #TS with what could not be loaded

u32 error_of(Selector selector, u32 ext) { return selector.error(ext); }

bool load_ldt(Core& core, u16 value, u32 ext) {
  const Selector selector{value};
  core.state.seg[kLdtr] = null_segment(value);
  if (selector.is_null()) return true;
  if (selector.in_ldt()) return fail(core, kTs, error_of(selector, ext));
  LocatedDescriptor located;
  if (!read_descriptor(core, selector, {kTs, ext}, located)) return false;
  const Descriptor& ldt = located.descriptor;
  if (!ldt.is_system() || ldt.type() != kLdt || !ldt.present())
    return fail(core, kTs, error_of(selector, ext));
  core.state.seg[kLdtr] = segment_from(selector, ldt);
  return true;
}

// SDM 3A "Task Switching", Table "Exception Conditions Checked During a Task Switch".
bool load_code(Core& core, u16 value, u32 ext) {
  const Selector selector{value};
  if (selector.is_null()) return fail(core, kTs, error_of(selector, ext));
  LocatedDescriptor located;
  if (!read_descriptor(core, selector, {kTs, ext}, located)) return false;
  const Descriptor& code = located.descriptor;
  const bool wrong_level =
      code.is_conforming() ? code.dpl() > selector.rpl() : code.dpl() != selector.rpl();
  if (!code.is_code() || wrong_level) return fail(core, kTs, error_of(selector, ext));
  if (!code.present()) return fail(core, kNp, error_of(selector, ext));
  if (!mark_accessed(core, located)) return false;
  core.state.seg[kCs] = segment_from(selector, located.descriptor);
  return true;
}

bool load_stack(Core& core, u16 value, u32 ext) {
  const Selector selector{value};
  if (selector.is_null()) return fail(core, kTs, error_of(selector, ext));
  LocatedDescriptor located;
  if (!check_stack_segment(core, selector, core.state.cpl, {kTs, ext}, located) ||
      !mark_accessed(core, located))
    return false;
  core.state.seg[kSs] = segment_from(selector, located.descriptor);
  return true;
}

bool load_data(Core& core, SegmentName name, u16 value, u32 ext) {
  const Selector selector{value};
  if (selector.is_null()) return true;
  LocatedDescriptor located;
  if (!read_descriptor(core, selector, {kTs, ext}, located)) return false;
  const SegmentRegister segment = segment_from(selector, located.descriptor);
  const bool conforming = segment.is_code() && located.descriptor.is_conforming();
  const bool wrong_level =
      !conforming && (segment.dpl() < core.state.cpl || segment.dpl() < selector.rpl());
  if (!segment.rights[SegmentRights::S] || !segment.is_readable() || wrong_level)
    return fail(core, kTs, error_of(selector, ext));
  if (!segment.rights[SegmentRights::P]) return fail(core, kNp, error_of(selector, ext));
  if (!mark_accessed(core, located)) return false;
  core.state.seg[name] = segment_from(selector, located.descriptor);
  return true;
}

// Registers of the new task, selectors without descriptors yet.
void load_registers(Core& core, const TaskImage& image, TaskSwitchCause cause) {
  CoreState& state = core.state;
  state.rip = image.rip;
  u64 flags = image.rflags;
  if (nests(cause)) flags |= Rflags::NT.mask();
  write_rflags(state, image.wide ? flags : flags & low_mask(16));
  for (unsigned n = 0; n < 8; ++n) state.gpr[n] = image.gpr[n];
  for (unsigned n = 0; n < 6; ++n) state.seg[n] = null_segment(image.segment[n]);
  state.cpl = static_cast<u8>(state.v8086_mode() ? 3 : Selector{image.segment[kCs]}.rpl());
  state.cr0.set(Cr0::TS, 1);
  state.dr7 &= ~kLocalBreakpoints;
}

bool load_segments(Core& core, const TaskImage& image, u32 ext) {
  CoreState& state = core.state;
  if (!load_ldt(core, image.ldt, ext)) return false;
  if (state.v8086_mode()) {
    for (unsigned n = 0; n < 6; ++n) state.seg[n] = v8086_segment(image.segment[n]);
    return true;
  }
  if (!load_code(core, image.segment[kCs], ext) || !load_stack(core, image.segment[kSs], ext))
    return false;
  for (const SegmentName name : {kDs, kEs, kFs, kGs})
    if (!load_data(core, name, image.segment[name], ext)) return false;
  return true;
}

// PAE paging loads the PDPTEs too; bad ones are found before anything else of the task is used.
bool load_cr3(Core& core, const TaskImage& image, u32 ext) {
  const CoreState& state = core.state;
  if (!image.wide || !state.cr0[Cr0::PG] || image.cr3 == state.cr3) return true;
  if (state.cr4[Cr4::PAE] && !core.load_pdptes(image.cr3))
    return fail(core, kTs, Selector{state.seg[kTr].selector}.error(ext));
  core.write_cr3(image.cr3);
  return true;
}

// "Checks that the current (old) TSS, new TSS, and all segment descriptors used in the task switch are
// paged into system memory": every write of leave_old_task(), before it makes any.
bool check_paged_in(Core& core, const TaskSwitch& request, const NewTask& task) {
  constexpr unsigned kAccessByte = 5;
  const SegmentRegister& tr = core.state.seg[kTr];
  const bool wide = tss_is_32bit(tr);
  const u64 saved = table_linear(core, tr.base, wide ? kSaved32 : kSaved16);
  if (!may_write_implicit(core, saved, wide ? kSavedBytes32 : kSavedBytes16)) return false;
  if (nests(request.cause)) {
    if (!may_write_implicit(core, task.base(), sizeof(u16))) return false;
  } else {
    LocatedDescriptor old;
    if (!read_descriptor(core, {tr.selector}, {kTs, 0}, old) ||
        !may_write_implicit(core, old.lin + kAccessByte, 1))
      return false;
  }
  return request.cause == TaskSwitchCause::kIret ||
         may_write_implicit(core, task.located.lin + kAccessByte, 1);
}

// The writes of both TSSs and the busy bits.
bool leave_old_task(Core& core, const TaskSwitch& request, NewTask& task) {
  const bool returns = request.cause == TaskSwitchCause::kIret;
  u64 rflags = request.saved_rflags;
  if (returns) rflags &= ~Rflags::NT.mask();
  if (!save_old_task(core, request.return_rip, rflags)) return false;
  if (nests(request.cause)) {
    const u16 link = core.state.seg[kTr].selector;
    if (!write_implicit(core, task.base(), link)) return false;
  } else if (!clear_old_busy(core)) {
    return false;
  }
  if (!returns) {
    if (!write_busy(core, task.located.lin, task.located.descriptor.raw, true)) return false;
    task.located.descriptor.raw |= kBusy.mask();
  }
  return true;
}

}  // namespace

namespace {

// SDM 3C "Treatment of Task Switches": the VM exit comes behind the checks of the TSS's descriptor.
bool leave_guest_instead(Core& core, const TaskSwitch& request) {
  constexpr Field kSelector{15, 0}, kSource{31, 30};
  constexpr u64 kSources[] = {2, 0, 1, 3};  // by TaskSwitchCause
  const u64 source = kSources[static_cast<unsigned>(request.cause)];
  core.raise_exit({.reason = vmx::ExitReason::kTaskSwitch,
                   .qualification = kSource.put(kSelector.put(0, request.selector.value), source),
                   .instruction_length = request.length});
  return false;
}

}  // namespace

bool switch_task(Core& core, TaskSwitch& request) {
  CoreState& state = core.state;
  const SegmentRegister& tr = state.seg[kTr];
  const u32 old_smallest = tss_is_32bit(tr) ? kSaved32 + kSavedBytes32 - 1
                                            : kSaved16 + kSavedBytes16 - 1;
  NewTask task;
  TaskImage image;
  if (!find_new_task(core, request, task)) return false;
  if (state.view.non_root) return leave_guest_instead(core, request);
  if (!tr.usable() || tr.limit < old_smallest)
    return fail(core, kTs, Selector{tr.selector}.error(request.ext));
  if (!read_image(core, task, image) || !check_paged_in(core, request, task) ||
      !leave_old_task(core, request, task))
    return false;

  request.committed = true;
  state.seg[kTr] = segment_from(task.selector, task.located.descriptor);
  const u64 old_flags = state.rflags_other;
  load_registers(core, image, request.cause);
  bool loaded = load_cr3(core, image, request.ext);
  core.mode_changed();
  loaded = loaded && load_segments(core, image, request.ext);
  core.mode_changed();
  rflags_written(core, old_flags);
  if (!loaded) return false;
  if (!state.v8086_mode() && state.rip > state.seg[kCs].limit)
    return fail(core, kGp, request.ext);
  // SDM 3B "Task-Switch Exception Condition": a trap before the new task's first instruction.
  if (image.trap) {
    state.pending_debug |= Dr6::BT.mask();
    core.request_sync();
  }
  return true;
}

Outcome switch_task_by_instruction(Core& core, TaskSwitch request) {
  if (switch_task(core, request)) return Outcome::kJump;
  if (!request.committed) return Outcome::kFault;
  core.chain_end = ChainEnd::kBudget;  // the instruction itself has completed
  deliver_event(core, core.raised);
  return Outcome::kJump;
}

}  // namespace vtsim::cpu
