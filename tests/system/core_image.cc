#include "tests/system/core_image.h"

#include <cstring>
#include <sstream>

#include "model/cpu/flags.h"

namespace vtsim::cpu::test {

void CoreImage::add_segments(const CoreState& state) {
  constexpr const char* kNames[kSegmentCount] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
  for (unsigned n = 0; n < kSegmentCount; ++n) {
    const SegmentRegister& segment = state.seg[n];
    const u64 parts[] = {segment.selector, segment.rights.value, segment.limit, segment.base};
    add_all(kNames[n], parts);
  }
}

void CoreImage::add_vectors(const CoreState& state) {
  const auto bytes = [&](const char* name, const u8* from, unsigned size) {
    for (unsigned n = 0; n < size; n += 8) {
      u64 word = 0;
      std::memcpy(&word, from + n, std::min(8u, size - n));
      values_.push_back({name, n / 8, word});
    }
  };
  bytes("ymm", state.vector.reg[0], sizeof state.vector.reg);
  for (const auto& reg : state.x87.reg) bytes("x87", reg, 10);
  add("mxcsr", state.vector.mxcsr);
  const X87State& x87 = state.x87;
  const u64 parts[] = {x87.control, x87.status, x87.empty, x87.opcode,
                       x87.ip,      x87.dp,     x87.cs,    x87.ds};
  add_all("x87 environment", parts);
}

CoreImage::CoreImage(const CoreState& s) {
  values_.reserve(256);
  for (unsigned n = 0; n < 16; ++n) values_.push_back({"gpr", n, s.gpr[n]});
  add("rip", s.rip);
  add("rflags", read_rflags(s));
  add_segments(s);
  const u64 tables[] = {s.gdtr.base, s.gdtr.limit, s.idtr.base, s.idtr.limit};
  add_all("gdtr, idtr", tables);
  const u64 control[] = {s.cr0.value, s.cr2, s.cr3, s.cr4.value, s.efer.value, s.xcr0, s.xss};
  add_all("cr0, cr2, cr3, cr4, efer, xcr0, xss", control);
  add_all("pdpte", s.pdpte);
  add_all("dr", s.dr);
  add("dr6", s.dr6);
  add("dr7", s.dr7);
  add("pkru", s.pkru);
  const u64 other[] = {s.cpl, static_cast<u64>(s.activity), s.shadow, s.nmi_blocked, s.pending_debug};
  add_all("cpl, activity, shadow, nmi_blocked, pending_debug", other);
  const u64 msrs[] = {s.star, s.lstar, s.cstar, s.fmask, s.kernel_gs_base, s.sysenter_cs,
                      s.sysenter_esp, s.sysenter_eip, s.tsc_aux, s.debugctl};
  add_all("star, lstar, cstar, fmask, kernel_gs_base, sysenter, tsc_aux, debugctl", msrs);
  add_vectors(s);
}

std::string CoreImage::differences(const CoreImage& got) const {
  std::ostringstream out;
  out << std::hex;
  for (std::size_t n = 0; n < values_.size(); ++n) {
    const NamedValue& want = values_[n];
    if (want.value != got.values_[n].value)
      out << want.name << "[" << want.index << "] " << want.value << " -> " << got.values_[n].value
          << "\n";
  }
  return out.str();
}

}  // namespace vtsim::cpu::test
