#pragma once
// A VM exit as a record: what an instruction, an event or a memory access gives the exit on its way.
// SDM 3C "VM-Exit Information Fields".

#include "model/vmx/controls.h"
#include "model/vmx/exit_reason.h"

namespace vtsim::vmx {

// What RFLAGS.RF is saved as. SDM 3C "Saving RIP, RSP, RFLAGS, and SSP".
enum class SavedRf : u8 { kAsIs, kZero, kOne };

struct ExitRecord {
  ExitReason reason{};
  u64 qualification = 0;
  u64 guest_linear = 0;
  u64 guest_physical = 0;
  u32 instruction_length = 0;
  u32 instruction_information = 0;
  u32 interruption_info = 0;
  u32 interruption_error = 0;
  SavedRf rf = SavedRf::kAsIs;
  bool writes_linear = false;    // the guest-linear address means something
  bool writes_physical = false;  // likewise
  u32 vectoring_info = 0;        // the event whose delivery the exit interrupted
  u32 vectoring_error = 0;
};

}  // namespace vtsim::vmx
