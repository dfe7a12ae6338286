#include "tests/system/kvm/vcpu.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <vector>

#include "model/cpu/flags.h"

namespace vtsim::cpu::test {

namespace {

constexpr u64 kIdentityMapAt = 0xFFFBC000, kTssAt = 0xFFFBD000;
// The header's kvm_cpuid2 ends with a flexible array, which makes it larger in C++ than in C.
constexpr unsigned kCpuidHeader = 8;
constexpr unsigned long kGetSupportedCpuid = _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x05, kCpuidHeader);
constexpr unsigned long kSetCpuid = _IOC(_IOC_WRITE, KVMIO, 0x90, kCpuidHeader);
constexpr unsigned kMostCpuidEntries = 200;
constexpr int kRunMilliseconds = 500;

kvm_segment to_kvm(const SegmentRegister& segment) {
  const Reg<SegmentRights>& rights = segment.rights;
  kvm_segment out{};
  out.base = segment.base;
  out.limit = segment.limit;
  out.selector = segment.selector;
  out.type = static_cast<u8>(rights[SegmentRights::TYPE]);
  out.s = rights[SegmentRights::S];
  out.dpl = static_cast<u8>(rights[SegmentRights::DPL]);
  out.present = rights[SegmentRights::P];
  out.avl = rights[SegmentRights::AVL];
  out.l = rights[SegmentRights::L];
  out.db = rights[SegmentRights::DB];
  out.g = rights[SegmentRights::G];
  out.unusable = rights[SegmentRights::UNUSABLE];
  return out;
}

SegmentRegister from_kvm(const kvm_segment& segment) {
  const auto rights = Reg<SegmentRights>()
                          .with(SegmentRights::TYPE, segment.type)
                          .with(SegmentRights::S, segment.s)
                          .with(SegmentRights::DPL, segment.dpl)
                          .with(SegmentRights::P, segment.present)
                          .with(SegmentRights::AVL, segment.avl)
                          .with(SegmentRights::L, segment.l)
                          .with(SegmentRights::DB, segment.db)
                          .with(SegmentRights::G, segment.g)
                          .with(SegmentRights::UNUSABLE, segment.unusable);
  return {.selector = segment.selector, .rights = rights, .limit = segment.limit,
          .base = segment.base};
}

// The order of kvm_regs' general registers is not the encoding's.
constexpr auto kGprs = std::to_array({
    std::pair{kRax, &kvm_regs::rax}, {kRbx, &kvm_regs::rbx}, {kRcx, &kvm_regs::rcx},
    {kRdx, &kvm_regs::rdx}, {kRsi, &kvm_regs::rsi}, {kRdi, &kvm_regs::rdi},
    {kRsp, &kvm_regs::rsp}, {kRbp, &kvm_regs::rbp}, {kR8, &kvm_regs::r8}, {kR9, &kvm_regs::r9},
    {kR10, &kvm_regs::r10}, {kR11, &kvm_regs::r11}, {kR12, &kvm_regs::r12},
    {kR13, &kvm_regs::r13}, {kR14, &kvm_regs::r14}, {kR15, &kvm_regs::r15}});
constexpr auto kSegments = std::to_array({
    std::pair{kEs, &kvm_sregs::es}, {kCs, &kvm_sregs::cs}, {kSs, &kvm_sregs::ss},
    {kDs, &kvm_sregs::ds}, {kFs, &kvm_sregs::fs}, {kGs, &kvm_sregs::gs},
    {kLdtr, &kvm_sregs::ldt}, {kTr, &kvm_sregs::tr}});

// Ends a KVM_RUN that does not end by itself.
class Deadline {
 public:
  Deadline() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGALRM;
    timer_create(CLOCK_MONOTONIC, &event, &timer_);
    set(kRunMilliseconds);
  }
  ~Deadline() {
    set(0);
    timer_delete(timer_);
  }

 private:
  void set(int milliseconds) {
    itimerspec when{};
    when.it_value.tv_nsec = milliseconds * 1'000'000L;
    timer_settime(timer_, 0, &when, nullptr);
  }
  timer_t timer_{};
};

}  // namespace

std::unique_ptr<KvmVcpu> KvmVcpu::open(u64 ram_bytes, std::string& why_not) {
  std::unique_ptr<KvmVcpu> vcpu(new KvmVcpu);
  return vcpu->create(ram_bytes, why_not) ? std::move(vcpu) : nullptr;
}

bool KvmVcpu::create(u64 ram_bytes, std::string& why_not) {
  const auto fails = [&](const char* what) {
    why_not = std::string(what) + ": " + std::strerror(errno);
    return false;
  };
  kvm_ = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm_ < 0) return fails("/dev/kvm");
  if (ioctl(kvm_, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) return fails("KVM's version");
  vm_ = ioctl(kvm_, KVM_CREATE_VM, 0);
  if (vm_ < 0) return fails("KVM_CREATE_VM");
  const u64 identity_map = kIdentityMapAt;
  ioctl(vm_, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
  ioctl(vm_, KVM_SET_TSS_ADDR, kTssAt);
  ram_bytes_ = ram_bytes;
  void* const ram = mmap(nullptr, ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (ram == MAP_FAILED) return fails("memory");
  ram_ = static_cast<u8*>(ram);
  kvm_userspace_memory_region region{};
  region.memory_size = ram_bytes;
  region.userspace_addr = reinterpret_cast<u64>(ram_);
  if (ioctl(vm_, KVM_SET_USER_MEMORY_REGION, &region) < 0) return fails("KVM's memory");
  vcpu_ = ioctl(vm_, KVM_CREATE_VCPU, 0);
  if (vcpu_ < 0) return fails("KVM_CREATE_VCPU");
  run_bytes_ = static_cast<std::size_t>(ioctl(kvm_, KVM_GET_VCPU_MMAP_SIZE, 0));
  void* const shared = mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_, 0);
  if (shared == MAP_FAILED) return fails("kvm_run");
  run_ = static_cast<kvm_run*>(shared);
  return offer_all_features() || fails("KVM_SET_CPUID2");
}

bool KvmVcpu::offer_all_features() {
  std::vector<u32> cpuid((kCpuidHeader + kMostCpuidEntries * sizeof(kvm_cpuid_entry2)) / sizeof(u32));
  cpuid[0] = kMostCpuidEntries;
  return ioctl(kvm_, kGetSupportedCpuid, cpuid.data()) >= 0 &&
         ioctl(vcpu_, kSetCpuid, cpuid.data()) >= 0;
}

KvmVcpu::~KvmVcpu() {
  if (run_ != nullptr) munmap(run_, run_bytes_);
  if (ram_ != nullptr) munmap(ram_, ram_bytes_);
  for (const int file : {vcpu_, vm_, kvm_})
    if (file >= 0) close(file);
}

bool KvmVcpu::set(const CoreState& state) {
  kvm_regs regs{};
  for (const auto& [name, member] : kGprs) regs.*member = state.gpr[name];
  regs.rip = state.rip;
  regs.rflags = read_rflags(state);
  kvm_sregs sregs{};
  if (ioctl(vcpu_, KVM_GET_SREGS, &sregs) < 0) return false;
  for (const auto& [name, member] : kSegments) sregs.*member = to_kvm(state.seg[name]);
  sregs.gdt.base = state.gdtr.base;
  sregs.gdt.limit = state.gdtr.limit;
  sregs.idt.base = state.idtr.base;
  sregs.idt.limit = state.idtr.limit;
  sregs.cr0 = state.cr0.value;
  sregs.cr2 = state.cr2;
  sregs.cr3 = state.cr3;
  sregs.cr4 = state.cr4.value;
  sregs.efer = state.efer.value;
  kvm_vcpu_events events{};
  kvm_debugregs debug{};
  for (unsigned n = 0; n < 4; ++n) debug.db[n] = state.dr[n];
  debug.dr6 = state.dr6;
  debug.dr7 = state.dr7;
  kvm_mp_state running{.mp_state = KVM_MP_STATE_RUNNABLE};
  ioctl(vcpu_, KVM_SET_MP_STATE, &running);
  return ioctl(vcpu_, KVM_SET_SREGS, &sregs) >= 0 && ioctl(vcpu_, KVM_SET_REGS, &regs) >= 0 &&
         ioctl(vcpu_, KVM_SET_VCPU_EVENTS, &events) >= 0 &&
         ioctl(vcpu_, KVM_SET_DEBUGREGS, &debug) >= 0;
}

void KvmVcpu::get(CoreState& state) {
  kvm_regs regs{};
  kvm_sregs sregs{};
  kvm_debugregs debug{};
  ioctl(vcpu_, KVM_GET_REGS, &regs);
  ioctl(vcpu_, KVM_GET_SREGS, &sregs);
  ioctl(vcpu_, KVM_GET_DEBUGREGS, &debug);
  for (const auto& [name, member] : kGprs) state.gpr[name] = regs.*member;
  state.rip = regs.rip;
  write_rflags(state, regs.rflags);
  for (const auto& [name, member] : kSegments) state.seg[name] = from_kvm(sregs.*member);
  state.gdtr = {sregs.gdt.base, sregs.gdt.limit};
  state.idtr = {sregs.idt.base, sregs.idt.limit};
  state.cr0 = Reg<Cr0>(sregs.cr0);
  state.cr2 = sregs.cr2;
  state.cr3 = sregs.cr3;
  state.cr4 = Reg<Cr4>(sregs.cr4);
  state.efer = Reg<Efer>(sregs.efer);
  for (unsigned n = 0; n < 4; ++n) state.dr[n] = debug.db[n];
  state.dr6 = debug.dr6;
  state.dr7 = debug.dr7;
}

KvmVcpu::Exit KvmVcpu::run() {
  const Deadline deadline;
  if (ioctl(vcpu_, KVM_RUN, 0) < 0) return Exit::kOther;
  switch (run_->exit_reason) {
    case KVM_EXIT_HLT: return Exit::kHalted;
    case KVM_EXIT_SHUTDOWN: return Exit::kShutdown;
    case KVM_EXIT_INTERNAL_ERROR: return Exit::kNotEmulated;
    default: return Exit::kOther;
  }
}

}  // namespace vtsim::cpu::test
