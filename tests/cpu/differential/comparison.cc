#include "tests/cpu/differential/comparison.h"

#include <algorithm>
#include <cstring>

#include "model/cpu/state/core_state.h"

namespace vtsim::cpu::test {

namespace {

struct NotRun {
  Mnemonic mnemonic;
  std::string_view reason;
};
constexpr std::string_view kEntersKernel = "enters the host's kernel",
                           kHostsOwn = "shows the host's own state",
                           kEmulated = "the host's kernel emulates it under CR4.UMIP",
                           kFloatState = "moves x87 and vector state, which cases do not have";
constexpr NotRun kNotRun[] = {
    {ZYDIS_MNEMONIC_VMCALL, "reaches the host's hypervisor"},
    {ZYDIS_MNEMONIC_SYSCALL, kEntersKernel},  {ZYDIS_MNEMONIC_SYSENTER, kEntersKernel},
    {ZYDIS_MNEMONIC_CPUID, kHostsOwn},        {ZYDIS_MNEMONIC_RDTSC, kHostsOwn},
    {ZYDIS_MNEMONIC_RDTSCP, kHostsOwn},       {ZYDIS_MNEMONIC_RDPID, kHostsOwn},
    {ZYDIS_MNEMONIC_RDPMC, kHostsOwn},        {ZYDIS_MNEMONIC_RDRAND, kHostsOwn},
    {ZYDIS_MNEMONIC_RDSEED, kHostsOwn},       {ZYDIS_MNEMONIC_XGETBV, kHostsOwn},
    {ZYDIS_MNEMONIC_RDPKRU, kHostsOwn},       {ZYDIS_MNEMONIC_WRPKRU, kHostsOwn},
    {ZYDIS_MNEMONIC_SGDT, kEmulated},         {ZYDIS_MNEMONIC_SIDT, kEmulated},
    {ZYDIS_MNEMONIC_SLDT, kEmulated},         {ZYDIS_MNEMONIC_STR, kEmulated},
    {ZYDIS_MNEMONIC_SMSW, kEmulated},         {ZYDIS_MNEMONIC_FXSAVE, kFloatState},
    {ZYDIS_MNEMONIC_FXSAVE64, kFloatState},   {ZYDIS_MNEMONIC_FXRSTOR, kFloatState},
    {ZYDIS_MNEMONIC_FXRSTOR64, kFloatState},  {ZYDIS_MNEMONIC_LDMXCSR, kFloatState},
    {ZYDIS_MNEMONIC_VLDMXCSR, kFloatState},   {ZYDIS_MNEMONIC_XSAVE, kFloatState},
    {ZYDIS_MNEMONIC_XSAVE64, kFloatState},    {ZYDIS_MNEMONIC_XSAVEOPT, kFloatState},
    {ZYDIS_MNEMONIC_XSAVEOPT64, kFloatState}, {ZYDIS_MNEMONIC_XSAVEC, kFloatState},
    {ZYDIS_MNEMONIC_XSAVEC64, kFloatState},   {ZYDIS_MNEMONIC_XRSTOR, kFloatState},
    {ZYDIS_MNEMONIC_XRSTOR64, kFloatState},
};

std::string hex(u64 value) {
  char text[20];
  std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(value));
  return text;
}

// Selectors 0 to 3 name no segment: which of them is left depends on how the kernel was entered.
u16 without_null(u16 selector) { return selector < 4 ? u16{0} : selector; }

// The host's kernel says "protection" of all faults in its own half.
u32 visible_error(const UserResult& result) {
  constexpr u64 kUserHalf = (u64{1} << 47) - kPageSize;  // Linux's TASK_SIZE_MAX
  const bool kernel_half = result.vector == kPf && result.cr2 >= kUserHalf;
  return kernel_half ? result.error | 1 : result.error;
}

std::string registers_differ(const UserCase& c, const UserResult& host, const UserResult& model) {
  std::string text;
  const auto compare = [&text](const std::string& name, u64 theirs, u64 ours) {
    if (theirs != ours) text += " " + name + " host " + hex(theirs) + " model " + hex(ours) + ";";
  };
  // The upper halves are undefined once the processor has left 64-bit mode.
  const u64 mask = low_mask(model.state.selector[kCs] == kUserCode64 ? 64 : 32);
  for (unsigned n = 0; n < 16; ++n)
    compare("gpr" + std::to_string(n), host.state.gpr[n] & mask, model.state.gpr[n] & mask);
  compare("rip", host.state.rip, model.state.rip);
  compare("flags", host.state.flags, model.state.flags);
  constexpr const char* kNames[] = {"es", "cs", "ss", "ds", "fs", "gs"};
  for (unsigned n = 0; n < 6; ++n)
    compare(kNames[n], without_null(host.state.selector[n]), without_null(model.state.selector[n]));
  if (c.size != CodeSize::k64) return text;
  compare("fsbase", host.state.fs_base, model.state.fs_base);
  compare("gsbase", host.state.gs_base, model.state.gs_base);
  return text;
}

std::string result_differs(const UserCase& c, const UserResult& host, const UserResult& model) {
  if (host.vector != model.vector)
    return " vector host " + std::to_string(host.vector) + " (" + hex(host.error) + ") model " +
           std::to_string(model.vector) + " (" + hex(model.error) + ")";
  std::string text;
  if (visible_error(host) != visible_error(model))
    text += " error host " + hex(host.error) + " model " + hex(model.error) + ";";
  if (host.cr2 != model.cr2)
    text += " cr2 host " + hex(host.cr2) + " model " + hex(model.cr2) + ";";
  return text + registers_differ(c, host, model);
}

}  // namespace

std::string_view reason_not_to_run(const Decoded& in) {
  for (const NotRun& row : kNotRun)
    if (row.mnemonic == in.mnemonic()) return row.reason;
  constexpr u64 kSystemCallVector = 0x80;
  if (in.mnemonic() == ZYDIS_MNEMONIC_INT && in.operand[0].imm.value.u == kSystemCallVector)
    return kEntersKernel;
  return {};
}

std::string UserComparison::differs(const UserCase& c) {
  if (!native.obstacle(c.size).empty()) return {};
  Decoded in;
  std::vector<u8> code = c.bytes;  // what lies behind counts if they are incomplete
  code.resize(15, 0xCC);
  const bool decodes = decoder_.decode(code, c.size, c.state.rip, in) == DecodeStatus::kOk;
  if (decodes && !reason_not_to_run(in).empty()) return {};
  fill_image(c, model_image_);
  host_image_ = model_image_;
  const UserResult model = simulated_.run(c, model_image_);
  if (model.vector == SimulatedUser::kUnfinished) return {};  // a loop
  UserResult host = native.run(c, host_image_);
  ++compared_;
  if (std::string text = outcome_differs(c, host, model); text.empty()) return text;
  if (!decodes) in = {};
  if (known.forgive(in, c, host, model)) return {};
  return outcome_differs(c, host, model);
}

std::string UserComparison::outcome_differs(const UserCase& c, const UserResult& host,
                                            const UserResult& model) const {
  std::string text = result_differs(c, host, model);
  if (host_image_ != model_image_) {
    const auto at = std::mismatch(host_image_.begin(), host_image_.end(), model_image_.begin());
    text += " memory at +" + hex(static_cast<u64>(at.first - host_image_.begin())) + " host " +
            hex(*at.first) + " model " + hex(*at.second);
  }
  return text;
}

namespace {

// Candidates, from coarse to fine; the case is as small as it gets when none of them fails any
// more.
std::vector<UserCase> simpler(const UserCase& c) {
  std::vector<UserCase> tries;
  const auto with = [&](auto change) {
    UserCase other = c;
    change(other);
    if (to_line(other) != to_line(c)) tries.push_back(std::move(other));
  };
  for (std::size_t n = 0; n < c.patches.size(); ++n)
    with([n](UserCase& o) { o.patches.erase(o.patches.begin() + static_cast<std::ptrdiff_t>(n)); });
  with([](UserCase& o) { o.memory_seed = 0; });
  for (std::size_t n = 0; n + 1 < c.bytes.size(); ++n)
    with([n](UserCase& o) { o.bytes.erase(o.bytes.begin() + static_cast<std::ptrdiff_t>(n)); });
  for (std::size_t n = 0; n < c.bytes.size(); ++n) with([n](UserCase& o) { o.bytes[n] = 0; });
  for (unsigned n = 0; n < 16; ++n) {
    with([n](UserCase& o) { o.state.gpr[n] = 0; });
    with([n](UserCase& o) { o.state.gpr[n] = bits(o.state.gpr[n], 31, 0); });
    with([n](UserCase& o) { o.state.gpr[n] = bits(o.state.gpr[n], 7, 0); });
  }
  for (u64 bit_of_flags = 1; bit_of_flags < 0x1000; bit_of_flags <<= 1)
    if (bit_of_flags & (Rflags::kArithmetic | Rflags::DF.mask() | Rflags::TF.mask()))
      with([bit_of_flags](UserCase& o) { o.state.flags &= ~bit_of_flags; });
  const u16 usual = c.size == CodeSize::k16 ? kLdtData16 : c.size == CodeSize::k32 ? kUserData : 0;
  for (SegmentName name : {kEs, kDs, kFs, kGs})
    with([&](UserCase& o) { o.state.selector[name] = usual; });
  with([](UserCase& o) { o.state.fs_base = 0; });
  with([](UserCase& o) { o.state.gs_base = 0; });
  for (std::size_t n = 0; n < c.patches.size(); ++n)
    with([n](UserCase& o) { o.patches[n].value = 0; });
  return tries;
}

}  // namespace

UserCase shrink(UserCase c, const std::function<bool(const UserCase&)>& fails) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (UserCase& candidate : simpler(c)) {
      if (!fails(candidate)) continue;
      c = std::move(candidate);
      smaller = true;
      break;
    }
  }
  return c;
}

}  // namespace vtsim::cpu::test
