#pragma once
// Hardware task switches. SDM 3A "Task Management > Task Switching".

#include "model/cpu/exec/far_transfer.h"

namespace vtsim::cpu {

enum class TaskSwitchCause : u8 { kJump, kCall, kIret, kIdtGate };

struct TaskSwitch {
  Selector selector;  // of the new TSS
  TaskSwitchCause cause = TaskSwitchCause::kJump;
  u32 ext = 0;            // bit 0 of error codes
  u64 return_rip = 0;     // what the old TSS gets as EIP
  u64 saved_rflags = 0;   // and as EFLAGS
  u8 length = 0;          // of the instruction that causes it
  bool committed = false;  // result: the state is the new task's
};

// Reads and checks the new TSS's descriptor, saves the old task, loads the new one, and calls
// Core::mode_changed(). False: an exception was recorded; if the switch was committed before, the
// exception is the new task's, at state.rip.
bool switch_task(Core& core, TaskSwitch& request);

// The same for an instruction (JMP, CALL, IRET): delivers the new task's exception itself.
Outcome switch_task_by_instruction(Core& core, TaskSwitch request);

}  // namespace vtsim::cpu
