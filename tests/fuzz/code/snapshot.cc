#include "tests/fuzz/code/snapshot.h"

#include <cstring>
#include <fmt/format.h>

#include "model/cpu/flags.h"

namespace vtsim::fuzz {

namespace {

using Values = std::vector<NamedValue>;

class Collector {
 public:
  explicit Collector(Values& values) : values_(values) {}
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }
  void add(const std::string& name, u64 value) { values_.push_back({prefix_ + name, value}); }
  template <class Range>
  void add_all(const std::string& name, const Range& range) {
    unsigned n = 0;
    for (const u64 value : range) add(name + std::to_string(n++), value);
  }
  void add_bytes(const std::string& name, const u8* bytes, unsigned size) {
    for (unsigned at = 0; at < size; at += 8) {
      u64 word = 0;
      std::memcpy(&word, bytes + at, std::min(8u, size - at));
      add(fmt::format("{}+{}", name, at), word);
    }
  }

 private:
  Values& values_;
  std::string prefix_;
};

void add_registers(Collector& out, const cpu::Core& core) {
  const cpu::CoreState& s = core.state;
  out.add("cycle", core.cycle());
  out.add("instructions", core.instructions());
  out.add("rip", s.rip);
  out.add("rflags", cpu::read_rflags(s));
  out.add_all("gpr", s.gpr);
  for (unsigned n = 0; n < cpu::kSegmentCount; ++n) {
    out.add(fmt::format("seg{}.selector", n), s.seg[n].selector);
    out.add(fmt::format("seg{}.rights", n), s.seg[n].rights.value);
    out.add(fmt::format("seg{}.limit", n), s.seg[n].limit);
    out.add(fmt::format("seg{}.base", n), s.seg[n].base);
  }
  out.add_all("gdtr", std::array{s.gdtr.base, u64{s.gdtr.limit}});
  out.add_all("idtr", std::array{s.idtr.base, u64{s.idtr.limit}});
  out.add_all("cr0,2,3,4,efer,xcr0:", std::array{s.cr0.value, s.cr2, s.cr3, s.cr4.value,
                                                 s.efer.value, s.xcr0});
  out.add_all("pdpte", s.pdpte);
  out.add_all("dr", s.dr);
  out.add_all("dr6,7:", std::array{s.dr6, s.dr7});
  out.add("pkru", s.pkru);
  out.add("random_draws", s.random_draws);
}

void add_events(Collector& out, const cpu::Core& core) {
  const cpu::CoreState& s = core.state;
  out.add("cpl", s.cpl);
  out.add("activity", static_cast<u64>(s.activity));
  const bool stale = s.shadow == cpu::kShadowSti && s.shadow_cycle != core.cycle();
  out.add("shadow", stale ? u64{cpu::kNoShadow} : s.shadow);
  out.add("nmi_blocked", s.nmi_blocked);
  out.add("nmi_blocked_before_smm", s.nmi_blocked_before_smm);
  out.add_all("signal ", std::array{s.signals.nmi, s.signals.smi, s.signals.init, s.signals.startup});
  out.add("pending_debug", s.pending_debug);
  out.add("in_smm", s.in_smm);
  out.add("smbase", s.smbase);
  out.add("monitor", s.monitor_address);
  out.add_all("msr ", std::array{s.star, s.lstar, s.cstar, s.fmask, s.kernel_gs_base, s.sysenter_cs,
                                 s.sysenter_esp, s.sysenter_eip, s.tsc_aux, s.debugctl, s.xss, s.pat,
                                 s.tsc_offset, s.tsc_adjust});
}

void add_float(Collector& out, const cpu::CoreState& s) {
  for (unsigned n = 0; n < 8; ++n) out.add_bytes(fmt::format("r{}", n), s.x87.reg[n], 10);
  out.add_all("x87 ", std::array<u64, 8>{s.x87.control, s.x87.status, s.x87.empty, s.x87.opcode,
                                         s.x87.ip, s.x87.dp, s.x87.cs, s.x87.ds});
  for (unsigned n = 0; n < 16; ++n) out.add_bytes(fmt::format("ymm{}", n), s.vector.reg[n], 32);
  out.add("mxcsr", s.vector.mxcsr);
}

void add_msrs(Collector& out, const cpu::MsrState& m) {
  out.add("mtrr_def_type", m.mtrr_def_type);
  out.add_all("mtrr_fixed", m.mtrr_fixed);
  out.add_all("mtrr_variable", m.mtrr_variable);
  out.add_all("msr ", std::array{m.misc_enable, m.feature_control, m.spec_ctrl, m.mcu_opt_ctrl,
                                 m.misc_features_enables, m.mcg_status, m.perf_ctl,
                                 m.clock_modulation, m.therm_interrupt, m.therm_status,
                                 m.lbr_select, m.lbr_tos});
  out.add_all("mc_ctl", m.mc_ctl);
  out.add_all("lbr_from", m.lbr_from);
  out.add_all("lbr_to", m.lbr_to);
  out.add_all("preset", m.preset);
}

void add_apic(Collector& out, const cpu::LocalApicState& a) {
  out.add_all("apic ", std::array<u64, 9>{a.base, a.id, a.tpr, a.ldr, a.dfr, a.svr, a.esr,
                                          a.pending_errors, a.icr});
  for (unsigned n = 0; n < 8; ++n) {
    out.add(fmt::format("apic.isr{}", n), a.isr.register_value(n));
    out.add(fmt::format("apic.tmr{}", n), a.tmr.register_value(n));
    out.add(fmt::format("apic.irr{}", n), a.irr.register_value(n));
  }
  out.add_all("apic.lvt", a.lvt);
  out.add("apic.ext_int", a.ext_int_message);
  out.add("apic.timer.initial", a.timer.initial_count);
  out.add("apic.timer.deadline", a.timer.tsc_deadline);
}

Values values_of(Machine& machine) {
  Values values;
  values.reserve(1000);
  Collector out(values);
  for (unsigned n = 0; n < machine.core_count(); ++n) {
    out.set_prefix(fmt::format("cpu{}.", n));
    const cpu::Core& core = machine.core(n);
    add_registers(out, core);
    add_events(out, core);
    add_float(out, core.state);
    add_msrs(out, core.msr);
    add_apic(out, machine.processor(n).apic().state());
  }
  out.set_prefix("");
  out.add("bus accesses", machine.world().accesses());
  out.add("bus log", machine.world().log().value());
  return values;
}

}  // namespace

u64 digest_of(Machine& machine) {
  Digest digest;
  for (const NamedValue& value : values_of(machine)) digest.add(value.value);
  for (u64 at = 0; at < kRamBytes; at += 8) {
    u64 word;
    std::memcpy(&word, machine.world().ram(at), sizeof word);
    digest.add(word);
  }
  return digest.value();
}

std::string difference(Machine& first, Machine& second) {
  constexpr std::size_t kMost = 12;
  const Values a = values_of(first), b = values_of(second);
  std::vector<std::string> lines;
  for (std::size_t n = 0; n < a.size() && lines.size() < kMost; ++n)
    if (a[n].value != b[n].value)
      lines.push_back(fmt::format("{}: {:#x} {:#x}", a[n].name, a[n].value, b[n].value));
  for (u64 at = 0; at < kRamBytes && lines.size() < kMost; at += 8)
    if (std::memcmp(first.world().ram(at), second.world().ram(at), 8) != 0)
      lines.push_back(fmt::format("memory at {:#x}", at));
  return fmt::format("{}", fmt::join(lines, "\n  "));
}

}  // namespace vtsim::fuzz
