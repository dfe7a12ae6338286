#include "tests/cpu/differential/native_user.h"

#include <asm/ldt.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

namespace {

using vtsim::u16;
using vtsim::u64;

struct Segments {
  u16 ds, es, fs, gs;
  u64 fs_base, gs_base;
};

}  // namespace

// What the two routines below share with the class; one case runs at a time.
extern "C" {
u64 vtsim_native_stack = 0;  // RSP of the caller while a case runs, else 0
int vtsim_native_signal = 0;
u64 vtsim_native_context = 0;  // the ucontext_t that the last signal brought
u64 vtsim_native_bases[2];     // FS and GS base of the test program
Segments vtsim_native_segments;
void vtsim_native_enter(ucontext_t* context, const Segments* segments);
void vtsim_native_caught(int, siginfo_t*, void*);
void vtsim_native_crashed();
}

// enter: keeps the caller's registers on its stack, loads the segment registers, returns from a
// signal that never was. caught: the opposite (signals do not clear RFLAGS.AC and NT), by throwing
// the signal's frame away; a signal that no case explains goes to whoever handled signals before
// (SIGALRM, 14: to nobody).
asm(R"(
  .text
vtsim_native_enter:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, vtsim_native_stack(%rip)
  rdfsbase %rax
  mov %rax, vtsim_native_bases(%rip)
  rdgsbase %rax
  mov %rax, 8+vtsim_native_bases(%rip)
  mov %rdi, %rsp
  mov 4(%rsi), %ax
  mov %ax, %fs
  mov 6(%rsi), %ax
  mov %ax, %gs
  mov 8(%rsi), %rax
  wrfsbase %rax
  mov 16(%rsi), %rax
  wrgsbase %rax
  mov (%rsi), %ax
  mov %ax, %ds
  mov 2(%rsi), %ax
  mov %ax, %es
  mov $15, %eax
  syscall
  ud2
vtsim_native_caught:
  push $0x202
  popf
  cmpq $0, vtsim_native_stack(%rip)
  jne 1f
  cmp $14, %edi
  jne vtsim_native_crashed
  ret
1:
  mov %edi, vtsim_native_signal(%rip)
  mov %rdx, vtsim_native_context(%rip)
  lea vtsim_native_segments(%rip), %rcx
  mov %ds, (%rcx)
  mov %es, 2(%rcx)
  mov %fs, 4(%rcx)
  mov %gs, 6(%rcx)
  rdfsbase %rax
  mov %rax, 8(%rcx)
  rdgsbase %rax
  mov %rax, 16(%rcx)
  xor %eax, %eax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %fs
  mov %ax, %gs
  mov vtsim_native_bases(%rip), %rax
  wrfsbase %rax
  mov 8+vtsim_native_bases(%rip), %rax
  wrgsbase %rax
  mov vtsim_native_stack(%rip), %rsp
  movq $0, vtsim_native_stack(%rip)
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
)");

namespace vtsim::cpu::test {

namespace {

constexpr int kSignals[] = {SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP, SIGALRM};
constexpr std::size_t kSignalStackBytes = 64 << 10;

// A window of the arena, as the cases see it.
void map_window(int file, u64 address, u64 size, int protection) {
  void* const where = reinterpret_cast<void*>(address);
  if (mmap(where, size, protection, MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, file,
           static_cast<off_t>(address - Arena::kBase)) != where)
    throw std::runtime_error("the differential tests' memory at 0x20000000 is taken");
}
constexpr u64 kArenaBytes = Arena::kStack + Arena::kStackBytes - Arena::kBase;

// ucontext_t's order of the general registers.
constexpr int kGregs[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct sigaction* previous_actions() {
  static struct sigaction actions[65];
  return actions;
}

// REG_CSGSFS holds CS, GS, FS, SS.
constexpr Field kFrameCs{15, 0}, kFrameSs{63, 48};

void make_context(const UserCase& c, const stack_t& signal_stack, ucontext_t& context) {
  // <asm/ucontext.h>: UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS. Without a pointer to it, the
  // floating-point state is the initial one.
  context.uc_flags = 2 | 4;
  context.uc_stack = signal_stack;
  auto& registers = context.uc_mcontext.gregs;
  for (unsigned n = 0; n < 16; ++n) registers[kGregs[n]] = static_cast<greg_t>(c.state.gpr[n]);
  registers[REG_RIP] = static_cast<greg_t>(c.state.rip);
  registers[REG_EFL] = static_cast<greg_t>(c.state.flags);
  registers[REG_CSGSFS] = static_cast<greg_t>(
      kFrameSs.put(kFrameCs.put(0, c.state.selector[kCs]), c.state.selector[kSs]));
}

UserResult take_result(const gregset_t& registers) {
  UserResult after;
  for (unsigned n = 0; n < 16; ++n) after.state.gpr[n] = static_cast<u64>(registers[kGregs[n]]);
  after.state.rip = static_cast<u64>(registers[REG_RIP]);
  after.state.flags = static_cast<u64>(registers[REG_EFL]);
  const u64 segments = static_cast<u64>(registers[REG_CSGSFS]);
  after.state.selector = {vtsim_native_segments.es,
                          static_cast<u16>(kFrameCs.get(segments)),
                          static_cast<u16>(kFrameSs.get(segments)),
                          vtsim_native_segments.ds,
                          vtsim_native_segments.fs,
                          vtsim_native_segments.gs};
  after.state.fs_base = vtsim_native_segments.fs_base;
  after.state.gs_base = vtsim_native_segments.gs_base;
  after.vector = static_cast<unsigned>(registers[REG_TRAPNO]);
  after.error = static_cast<u32>(registers[REG_ERR]);
  if (after.vector == 14) after.cr2 = static_cast<u64>(registers[REG_CR2]);
  return after;
}

}  // namespace

struct NativeUser::World {
  std::vector<u8> stack_bytes = std::vector<u8>(kSignalStackBytes);
  stack_t signal_stack{}, previous_stack{};
  u8* writable = nullptr;  // all of the arena, at an address of the kernel's choice

  World() {
    const int file = memfd_create("vtsim-arena", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, kArenaBytes) != 0) throw std::runtime_error("no memory file");
    writable =
        static_cast<u8*>(mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    map_window(file, Arena::kCode, Arena::kCodeBytes, PROT_READ | PROT_EXEC);
    map_window(file, Arena::kData, Arena::kWritableBytes, PROT_READ | PROT_WRITE);
    map_window(file, Arena::kData + Arena::kWritableBytes,
               Arena::kDataBytes - Arena::kWritableBytes, PROT_READ);
    map_window(file, Arena::kStack, Arena::kStackBytes, PROT_READ | PROT_WRITE);
    close(file);
    std::memset(at(Arena::kCode), 0xCC, Arena::kCodeBytes);
    catch_signals();
  }
  ~World() {
    for (int signal : kSignals) sigaction(signal, &previous_actions()[signal], nullptr);
    sigaltstack(&previous_stack, nullptr);
    munmap(writable, kArenaBytes);
    munmap(reinterpret_cast<void*>(Arena::kCode), Arena::kCodeBytes);
    munmap(reinterpret_cast<void*>(Arena::kData), Arena::kDataBytes);
    munmap(reinterpret_cast<void*>(Arena::kStack), Arena::kStackBytes);
  }
  u8* at(u64 address) { return writable + (address - Arena::kBase); }

  void catch_signals() {
    signal_stack.ss_sp = stack_bytes.data();
    signal_stack.ss_size = stack_bytes.size();
    sigaltstack(&signal_stack, &previous_stack);
    for (int signal : kSignals) {
      struct sigaction action {};
      action.sa_sigaction = &vtsim_native_caught;
      action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
      sigaction(signal, &action, &previous_actions()[signal]);
    }
  }
};

extern "C" void vtsim_native_crashed() {
  for (int signal : kSignals) sigaction(signal, &previous_actions()[signal], nullptr);
}

NativeUser::NativeUser() : world_(std::make_unique<World>()) {
  unsigned a, b, c, d;
  asm("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
  if (!bit(b, 0)) no_64_ = no_32_ = no_16_ = "the host has no RDFSBASE";
  load_ldt();
  if (no_64_.empty()) probe();
}

NativeUser::~NativeUser() { alarm(0); }

void NativeUser::load_ldt() {
  for (const LdtRow& row : kLdt) {
    user_desc entry{};
    entry.entry_number = row.selector >> 3;
    entry.base_addr = row.base;
    entry.limit = row.limit;
    entry.seg_32bit = row.big;
    entry.contents = static_cast<unsigned>(row.kind) & 3;
    entry.read_exec_only = !row.writable_or_readable;
    entry.limit_in_pages = row.pages;
    entry.seg_not_present = !row.present;
    entry.useable = 1;
    if (syscall(SYS_modify_ldt, 0x11, &entry, sizeof entry) != 0) {
      no_16_ = std::string("modify_ldt: ") + std::strerror(errno);
      return;
    }
  }
  has_ldt_ = true;
}

// Whether a NOP runs in each kind of code.
void NativeUser::probe() {
  struct Kind {
    CodeSize size;
    u16 cs;
    u64 rip;
    std::string& obstacle;
  };
  for (Kind kind : {Kind{CodeSize::k32, kUserCode32, Arena::kCode, no_32_},
                    Kind{CodeSize::k16, kLdtCode16, Arena::kCode - Arena::kBase, no_16_}}) {
    if (!kind.obstacle.empty()) continue;
    UserCase c{.size = kind.size, .bytes = {0x90}};
    c.state.selector[kCs] = kind.cs;
    c.state.selector[kSs] = kUserData;
    c.state.rip = kind.rip;
    ArenaImage image(kImageBytes);
    const UserResult after = run(c, image);
    if (after.vector != 3 || after.state.selector[kCs] != kind.cs)
      kind.obstacle = "the host's kernel does not run such code segments";
  }
}

UserResult NativeUser::run(const UserCase& c, ArenaImage& image) {
  const u64 code_at = code_address(c);
  const std::size_t code_bytes =
      std::min<std::size_t>(c.bytes.size(), Arena::kCode + Arena::kCodeBytes - code_at);
  std::memcpy(world_->at(Arena::kData), image.data(), Arena::kDataBytes);
  std::memcpy(world_->at(Arena::kStack), image.data() + Arena::kDataBytes, Arena::kStackBytes);
  std::memcpy(world_->at(code_at), c.bytes.data(), code_bytes);

  ucontext_t context{};
  make_context(c, world_->signal_stack, context);
  Segments segments{c.state.selector[kDs], c.state.selector[kEs], c.state.selector[kFs],
                    c.state.selector[kGs], segment_base(c, kFs),  segment_base(c, kGs)};
  constexpr unsigned kPatience = 20;  // seconds, for a thousand cases
  if (runs_++ % 1024 == 0) alarm(kPatience);
  vtsim_native_enter(&context, &segments);
  UserResult after =
      take_result(reinterpret_cast<const ucontext_t*>(vtsim_native_context)->uc_mcontext.gregs);
  if (vtsim_native_signal == SIGALRM) after.vector = kEndless;

  std::memset(world_->at(code_at), 0xCC, code_bytes);
  std::memcpy(image.data(), world_->at(Arena::kData), Arena::kDataBytes);
  std::memcpy(image.data() + Arena::kDataBytes, world_->at(Arena::kStack), Arena::kStackBytes);
  return after;
}

}  // namespace vtsim::cpu::test
