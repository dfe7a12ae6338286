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
};

// Reads and checks the new TSS's descriptor, saves the old task, loads the new one, and calls
// Core::mode_changed(). False: an exception was recorded; if it occurred after the switch was
// committed, the state (state.rip included) is the new task's and the exception belongs to it.
bool switch_task(Core& core, const TaskSwitch& request);

// state.rip and the flags image as JMP, CALL and IRET save them are set up by the caller.

}  // namespace vtsim::cpu
