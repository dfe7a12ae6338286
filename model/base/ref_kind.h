#pragma once
// Why a physical reference happens. Prices it, traces it, counts it; never changes what it does.

#include "model/base/types.h"

namespace vtsim {

enum class RefKind : u8 {
  kCode,
  kData,
  kStage1Entry,  // an entry of the IA-32 paging structures, of the level in PhysicalRef
  kStage2Entry,  // an EPT or VT-d second-stage entry
  kDescriptor,   // GDT, LDT, IDT, TSS
  kVmcs,
  kMsrBitmap,
  kIoBitmap,
  kVirtualApicPage,
  kMsrArea,
  kPmlLog,
  kVeInformation,
  kPostedInterruptDescriptor,
  kRootEntry,
  kContextEntry,
  kPasidEntry,
  kInterruptRemapEntry,
  kInvalidationQueue,
  kDma,
};

}  // namespace vtsim
