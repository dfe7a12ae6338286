#pragma once
// IRET in all modes: exec/interrupt_return.cc. The row stands in exec/interrupt_instructions.cc.

#include "model/cpu/exec/table.h"

namespace vtsim::cpu {

// `size`: bytes of each item on the stack, 2, 4 or 8.
template <unsigned size>
Handler bind_iret(const Binding& binding, Op& op);

extern template Handler bind_iret<2>(const Binding&, Op&);
extern template Handler bind_iret<4>(const Binding&, Op&);
extern template Handler bind_iret<8>(const Binding&, Op&);

}  // namespace vtsim::cpu
