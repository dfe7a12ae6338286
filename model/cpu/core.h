#pragma once
// One logical processor: its state, and the machinery that runs instructions on it.
//
// The path of an instruction: run() -> pending events -> block lookup -> ops of the block, one
// calling the next -> back to run() when the budget is used up, when an instruction raised an event,
// or when one changed something that run() must look at. Handlers (exec/*.cc) are functions
//     Outcome name(Core&, const Op&)
// and see only what is public here and in exec/exec.h.

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "model/base/clock.h"
#include "model/base/cpu_bus.h"
#include "model/base/events.h"
#include "model/cpu/engine/block_cache.h"
#include "model/cpu/engine/host_tlb.h"
#include "model/cpu/flags.h"
#include "model/cpu/op.h"
#include "model/cpu/state/core_state.h"
#include "model/cpu/state/msr_state.h"
#include "model/mmu/translation.h"
#include "model/vmx/exit_record.h"
#include "model/vmx/vmx_state.h"

namespace vtsim::cpu {

class BlockBuilder;
class CoreEnvironment;
class LocalApic;
class Paging;
struct CpuModel;

// How a handler leaves an instruction.
enum class Outcome : u8 {
  kNext,   // done; go on with the following instruction
  kJump,   // done; state.rip holds where to go on (mode and CPL may have changed)
  kFault,  // not done: raise() recorded why. No register has changed.
};

// Why the chain of ops ended; run() acts on it.
enum class ChainEnd : u8 {
  kBudget,       // nothing happened; the next block does not fit into the budget
  kSynchronize,  // an instruction asked run() to look at everything again; state.rip is right
  kEvent,        // raise(): deliver `raised` at the instruction's own RIP (or after it: traps)
  kExit,         // raise_exit(): leave VMX non-root operation as `exit` says
  kAlone,        // the instruction must run as a block of its own (device access, own code page)
};

class Core {
 public:
  explicit Core(CoreEnvironment& environment);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  CoreState state;

  // ---- the engine's hot fields; handlers reach them through exec/exec.h
  i64 budget = 0;          // instructions left before run() must look; counts down by blocks
  Block* block = nullptr;  // the block that is running
  HostTlb* tlb = nullptr;  // arrays of the current context
  Mode mode;
  ChainEnd chain_end = ChainEnd::kBudget;
  bool attention = false;  // an event may be deliverable: looked at between instructions
  // RFLAGS.TF as the running instruction found it; SYSCALL replaces it by the new one.
  bool single_step = false;
  Event raised;
  alignas(64) u8 scratch[64] = {};  // assembled data of accesses that cross a page or go to a device

  MsrState msr;
  vmx::VmxState vmx;
  vmx::ExitRecord exit;
  bool delivering = false;  // the delivery of an event is under way

  // ---- for handlers -------------------------------------------------------------------------

  // Records an exception that the current instruction raises; returns Outcome::kFault.
  Outcome raise(Vector vector);                       // without error code
  Outcome raise(Vector vector, u32 error_code);
  Outcome raise(const Event& event);
  // Records that the current instruction leaves VMX non-root operation; returns Outcome::kFault.
  Outcome raise_exit(const vmx::ExitRecord& record);

  // RIP of this op's instruction and of the next one.
  u64 rip_of(const Op& op) const { return block->rip + op.byte_offset(); }
  u64 next_rip(const Op& op) const;  // truncated to the code size

  // Local time at this op. One cycle an instruction in functional mode.
  u64 cycles_at(const Op& op) const {
    return target_cycle_ - static_cast<u64>(budget) - block->instructions + op.instruction_index();
  }
  Ps time_at(const Op& op) const { return time_of_cycle(cycles_at(op)); }
  // Where the run is, for probe events.
  Stamp stamp() const;
  // What RDTSC in root operation shows at that cycle, IA32_TSC_ADJUST included.
  u64 tsc_at(const Op& op) const { return tsc_at_cycle(cycles_at(op)); }
  u64 tsc_at_cycle(u64 cycle) const;

  // To be called after a change of CR0, CR4, EFER, CPL, CS, SS, RFLAGS.{VM, AC}, XCR0, DR7...:
  // derives `mode` and `tlb` anew. Cheap. The instruction must end its block (Flow::kBranch or
  // Flow::kSynchronize).
  void mode_changed();
  u64 mode_changes() const { return mode_changes_; }  // how often so far

  // Ends the chain before the next block is entered: the budget is used up as if by magic, and run()
  // looks at events and deadlines again.
  void request_sync();
  // Cores run ahead of each other within a run_until(). An instruction whose result two cores can
  // compare (RDTSC) asks this first; true: another core is awake and may not have got as far as this
  // one, so that the handler must return request_turn(): run_until() returns before the instruction,
  // which is the first of the next call.
  bool must_take_turns(const Op& op) const;
  Outcome request_turn();
  // Ends the chain with RIP still at this instruction, which has done part of its work (REP): return
  // its result from the handler. The iterations done were taken from the budget one by one.
  Outcome request_restart();

  // SDM 3A "Invalidation of TLBs and Paging-Structure Caches".
  void write_cr3(u64 value);  // value as given to MOV to CR3, bit 63 included; PDPTEs are loaded
  void invalidate_page(u64 lin);                        // INVLPG
  void invalidate_pcid(unsigned type, u64 pcid, u64 lin);  // INVPCID, operands already checked
  void invalidate_all();                                // also global translations
  void invalidate_ept(bool single, u64 eptp);           // INVEPT
  void invalidate_vpid(unsigned type, u16 vpid, u64 lin);  // INVVPID
  // Loads PDPTEs from memory for PAE paging. False: recorded, #GP for reserved bits or a VM exit.
  // Called with the new CR3.
  bool load_pdptes(u64 cr3);
  // Must be called when a field that permissions depend on changed (CR0.WP, CR4.SMEP/SMAP, PKRU,
  // EFER.NXE...): host pointers were filled under the old rule.
  void permissions_changed();

  // Slow half of exec/memory.h. Pointer to `size` bytes (host memory, or scratch), nullptr: raised.
  const u8* slow_read(const Op& op, u64 lin, unsigned size);
  // False: raised.
  bool slow_write(const Op& op, u64 lin, unsigned size, const u8* data);
  // Checks that a write of `size` bytes would succeed (sets A and D, raises #PF); writes nothing.
  bool probe_write(const Op& op, u64 lin, unsigned size);

  // Accesses by the processor itself to descriptor tables, TSS, stacks of other privilege levels:
  // `supervisor`: implicit supervisor access, whatever the CPL. False: raised.
  bool read_system(const Op* op, u64 lin, void* out, unsigned size);
  bool write_system(const Op* op, u64 lin, const void* data, unsigned size);
  // The same with an explicit privilege (3: user), for pushes onto another privilege level's stack.
  bool read_as(unsigned cpl, u64 lin, void* out, unsigned size);
  bool write_as(unsigned cpl, u64 lin, const void* data, unsigned size);

  // Host-physical accesses (SMM save area, PDPTEs, VMCS...). The address is masked to MAXPHYADDR.
  void read_physical(Hpa address, void* out, unsigned size, RefKind kind);
  void write_physical(Hpa address, const void* data, unsigned size, RefKind kind);
  // Translates as a data read at the current CPL; false: raised.
  bool translate(u64 lin, Hpa& out);

  // A deliverable or pending event changed (APIC, NMI...): looked at between instructions.
  void set_attention() { attention = true; }
  // MONITOR: watches the 64-byte line of a host-physical address until it is written or disarmed.
  void arm_monitor(u64 hpa);
  void disarm_monitor();
  // A write of these bytes is about to happen.
  void notice_write(u64 hpa, u64 size);
  // HLT, MWAIT and the like: what run() then sees.
  void fall_asleep(Activity activity);

  // Between instructions: delivers an event; leaves VMX non-root operation.
  void deliver(const Event& event);
  void leave_guest(const vmx::ExitRecord& record);

  CoreEnvironment& environment() { return environment_; }
  const CoreEnvironment& environment() const { return environment_; }
  Paging& paging() { return *paging_; }
  LocalApic& apic();
  unsigned index() const;
  const CpuModel& model() const;

  // ---- for the machine ------------------------------------------------------------------------

  // Runs until `cycle` (absolute), or until the core halts with nothing pending, or shuts down.
  void run_until(u64 cycle);
  u64 cycle() const { return cycle_; }
  u64 instructions() const { return instructions_; }
  void skip_to(u64 cycle);  // while halted
  // False: only another core or a device's NMI, SMI or INIT can make it run again.
  bool can_wake() const;
  // run_until() returns after the current instruction, at once when it is called again.
  void request_leave() { leave_ = true; }
  Ps time_of_cycle(u64 cycle) const;

  void power_on();  // SDM 3A "Processor Management and Initialization > Initialization Overview"

  // From now on every instruction runs alone; `observer` sees it, its stores, and each delivery.
  void observe_instructions(bool on);

  // The physical memory map changed (bus callback).
  void memory_map_changed();

  // Used by the engine's free functions (exec/exec.h).
  Block* find_block_at_rip();       // in the current mode; nullptr: raised
  void charge_until(const Op& op);  // gives back the budget of the block's instructions from `op` on

 private:
  Block* find_block(Mode wanted);
  Block* build_block(const BlockCache::Key& key, u64 cs_bytes);
  bool translate_fetch(u64 lin, u64& hpa_page);
  void run_chain(Block* first);
  void run_carefully();
  void take_pending_events();
  bool has_takeable_event() const;
  void initialize(Ps now);   // INIT
  void start_up(u8 vector);  // SIPI
  bool is_bootstrap() const;
  u64 next_event_cycle();
  void recycle_blocks();
  void settle();
  void end_stale_shadow();
  bool has_recorded() const {
    return chain_end == ChainEnd::kEvent || chain_end == ChainEnd::kExit;
  }
  bool must_be_careful() const;
  u64 linear_rip() const;
  Block* find_block_alone();
  bool store_observed(u64 lin, unsigned size, const u8* data);
  mmu::WalkResult walk(u64 lin, mmu::Access access);
  void announce_flush(std::string_view cause, u64 operand);
  void announce_state(std::string_view what, u64 detail = 0);
  bool raise_walk_fault(const Op* op, const mmu::WalkFault& fault);
  bool check_canonical(const Op* op, u64 lin, unsigned size);
  bool alignment_checks_on() const;
  bool arrays_closed() const;
  bool needs_to_run_alone();
  bool read_page_piece(const Op* op, const mmu::Translation& t, u64 lin, u8* out, unsigned size);
  bool write_page_piece(const Op* op, const mmu::Translation& t, u64 lin, const u8* in, unsigned size);
  bool access_bytes(const Op* op, u64 lin, u8* read_into, const u8* write_from, unsigned size,
                    mmu::Access access);
  u64 device_read(Hpa address, unsigned size);
  void device_write(Hpa address, unsigned size, u64 value);
  bool is_apic_page(Hpa address) const;
  u64 now_cycle() const;

  // A bound for chains, so that hosts' signals and limits are looked at now and then.
  static constexpr u64 kLongestChain = 10'000'000;

  CoreEnvironment& environment_;
  std::unique_ptr<Paging> paging_;
  std::unique_ptr<BlockBuilder> builder_;
  u64 target_cycle_ = 0;  // the cycle at which `budget` is 0
  u64 cycle_ = 0;
  u64 instructions_ = 0;
  Ps event_deadline_ = kNever;
  u64 event_cycle_ = ~u64{0};
  u64 cache_generation_ = 0;
  u64 mode_changes_ = 0;
  bool observe_ = false;
  bool leave_ = false;
  bool takes_turns_ = false;  // run_until() is to return, this once
  u64 turn_cycle_ = 0;        // at which run_until() was called
  bool in_chain_ = false;
};

}  // namespace vtsim::cpu
