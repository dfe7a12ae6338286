#include "tests/system/kvm/comparison.h"

#include <sstream>

#include "model/cpu/flags.h"

namespace vtsim::cpu::test {

namespace {

constexpr u64 kMostInstructions = 20'000;

class Differences {
 public:
  Differences() { out_ << std::hex; }
  void add(const std::string& name, u64 theirs, u64 ours) {
    if (theirs != ours) out_ << name << " KVM " << theirs << " ours " << ours << "\n";
  }
  std::string text() const { return out_.str(); }

 private:
  std::ostringstream out_;
};

void compare_segments(const CoreState& theirs, const CoreState& ours, Differences& out) {
  constexpr const char* kNames[kSegmentCount] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
  for (unsigned n = 0; n < kSegmentCount; ++n) {
    const std::string name = kNames[n];
    const SegmentRegister &a = theirs.seg[n], &b = ours.seg[n];
    out.add(name, a.selector, b.selector);
    out.add(name + " unusable", !a.usable(), !b.usable());
    if (!a.usable() || !b.usable()) continue;
    out.add(name + " rights", a.rights.value, b.rights.value);
    out.add(name + " limit", a.limit, b.limit);
    out.add(name + " base", a.base, b.base);
  }
}

}  // namespace

void Comparison::run_ours(const ComparisonCase& one) {
  const std::vector<u8>& ram = *one.ram;
  for (u64 page = 0; page < ram.size(); page += kPageSize)
    if (std::memcmp(machine_.ram(page), &ram[page], kPageSize) != 0)
      machine_.put(page, &ram[page], kPageSize);
  machine_.core().power_on();
  machine_.state() = one.state;
  machine_.core().mode_changed();
  machine_.core().invalidate_all();
  machine_.run(kMostInstructions);
}

std::string Comparison::differences(const ComparisonCase& one) {
  const std::vector<u8>& ram = *one.ram;
  for (u64 page = 0; page < ram.size(); page += kPageSize)
    if (std::memcmp(vcpu_->ram() + page, &ram[page], kPageSize) != 0)
      std::memcpy(vcpu_->ram() + page, &ram[page], kPageSize);
  theirs_ = one.state;
  if (!vcpu_->set(one.state)) return one.name + ": KVM refuses the state\n";
  const KvmVcpu::Exit exit = vcpu_->run();
  if (exit == KvmVcpu::Exit::kNotEmulated || exit == KvmVcpu::Exit::kOther) {
    ++not_emulated_;
    return {};
  }
  vcpu_->get(theirs_);
  run_ours(one);
  // KVM makes #UD of what it cannot emulate above CPL 0, and leaves at HLT before the single-step trap
  // that follows it.
  const auto halted_at = [](const CoreState& s) { return s.seg[kCs].base + s.rip - 1; };
  const u64 they = halted_at(theirs_), we = halted_at(machine_.state());
  const bool unknown = one.state.cpl != 0 && they == one.ud_handler && we != they;
  const bool untrapped = we == one.db_handler && we != they;
  if (unknown || untrapped) {
    ++not_emulated_;
    return {};
  }
  ++compared_;
  const std::string text = compare(one, exit);
  return text.empty() ? text : one.name + "\n" + text;
}

std::string Comparison::compare(const ComparisonCase& one, KvmVcpu::Exit exit) {
  const CoreState& ours = machine_.state();
  Differences out;
  out.add("shutdown", exit == KvmVcpu::Exit::kShutdown, ours.activity == Activity::kShutdown);
  if (exit == KvmVcpu::Exit::kShutdown) return out.text();
  constexpr const char* kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  for (unsigned n = 0; n < 16; ++n) out.add(kNames[n], theirs_.gpr[n], ours.gpr[n]);
  out.add("rip", theirs_.rip, ours.rip);
  const u64 flags = ~(one.undefined_flags | Rflags::RF.mask());
  out.add("rflags", read_rflags(theirs_) & flags, read_rflags(ours) & flags);
  compare_segments(theirs_, ours, out);
  out.add("cr0", theirs_.cr0.value, ours.cr0.value);
  out.add("cr2", theirs_.cr2, ours.cr2);
  out.add("cr3", theirs_.cr3, ours.cr3);
  out.add("cr4", theirs_.cr4.value, ours.cr4.value);
  out.add("efer", theirs_.efer.value, ours.efer.value);
  out.add("gdtr base", theirs_.gdtr.base, ours.gdtr.base);
  out.add("gdtr limit", theirs_.gdtr.limit, ours.gdtr.limit);
  out.add("idtr base", theirs_.idtr.base, ours.idtr.base);
  out.add("idtr limit", theirs_.idtr.limit, ours.idtr.limit);
  if (std::memcmp(vcpu_->ram(), machine_.ram(0), one.ram->size()) != 0)
    for (u64 at = 0; at < one.ram->size(); ++at)
      out.add("memory", vcpu_->ram()[at] | at << 8, *machine_.ram(at) | at << 8);
  return out.text();
}

}  // namespace vtsim::cpu::test
