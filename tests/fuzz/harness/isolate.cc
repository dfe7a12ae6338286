#include "tests/fuzz/harness/isolate.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

namespace vtsim::fuzz {

namespace {

constexpr std::size_t kLongestTape = 1 << 16;
constexpr std::size_t kLongestText = 1 << 15;
constexpr int kFound = 3;  // a child's exit status: the message tells

// What parent and child share.
struct Board {
  u64 iteration;
  u64 tape_bytes;
  u8 tape[kLongestTape];
  char text[kLongestText];

  void write_tape(const Bytes& bytes) {
    tape_bytes = std::min(bytes.size(), kLongestTape);
    std::copy_n(bytes.begin(), tape_bytes, tape);
  }
  void write_text(const std::string& from) {
    const std::size_t length = std::min(from.size(), kLongestText - 1);
    std::memcpy(text, from.data(), length);
    text[length] = 0;
  }
};

Board& board() {
  static Board* const shared = [] {
    void* memory = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return new (memory) Board{};
  }();
  return *shared;
}

// Processor time, so that a busy host makes no hangs.
void start_watchdog(unsigned seconds) {
  itimerval timer{};
  timer.it_value.tv_sec = seconds;
  setitimer(ITIMER_PROF, &timer, nullptr);
}

std::string judge(const Fuzzer& fuzzer, const Bytes& bytes) {
  Tape tape(bytes);
  try {
    return fuzzer.judge(tape);
  } catch (const std::exception& error) {
    return std::string("exception: ") + error.what();
  }
}

bool judge_in_child(const Fuzzer& fuzzer, const Bytes& tape) {
  board().write_tape(tape);
  start_watchdog(fuzzer.case_seconds);
  const std::string verdict = judge(fuzzer, tape);
  board().write_text(verdict);
  return verdict.empty();
}

void silence() {
  const int null = open("/dev/null", O_WRONLY);
  dup2(null, STDERR_FILENO);
  dup2(null, STDOUT_FILENO);
}

// Runs `work` in a child; its wait status.
template <class Work>
int in_child(bool silent, Work work) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) {
    if (silent) silence();
    const int status = work();
    std::fflush(nullptr);
    _exit(status);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  return status;
}

std::optional<Failure> failure_of(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
  const Board& b = board();
  Failure failure{.kind = {}, .message = {}, .tape = Bytes(b.tape, b.tape + b.tape_bytes)};
  if (WIFEXITED(status) && WEXITSTATUS(status) == kFound) {
    failure.message = b.text;
    failure.kind = failure.message.substr(0, failure.message.find(':'));
  } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) {
    failure.message = failure.kind = "hang";
  } else if (WIFSIGNALED(status)) {
    failure.message = failure.kind = std::string("crash by signal ") + strsignal(WTERMSIG(status));
  } else {
    failure.message = failure.kind = "crash, or a sanitizer's finding";
  }
  return failure;
}

}  // namespace

Bytes random_tape(const Fuzzer& fuzzer, u64 seed, u64 iteration) {
  Random random(Random(seed).next() ^ Random(iteration).next());
  Bytes tape(random.below(fuzzer.longest_tape) + 1);
  for (u8& byte : tape) byte = static_cast<u8>(random.next());
  return tape;
}

std::optional<Failure> judge_isolated(const Fuzzer& fuzzer, const Bytes& tape) {
  board().write_tape(tape);
  return failure_of(in_child(true, [&] { return judge_in_child(fuzzer, tape) ? 0 : kFound; }));
}

Stretch judge_stretch(const Fuzzer& fuzzer, u64 seed, u64 first, u64 end, double seconds) {
  const auto start = std::chrono::steady_clock::now();
  board().iteration = first;
  const int status = in_child(false, [&] {
    for (u64 n = first; n < end; ++n) {
      board().iteration = n;
      if (!judge_in_child(fuzzer, random_tape(fuzzer, seed, n))) return kFound;
      board().iteration = n + 1;
      const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
      if (fuzzer.process_a_case || spent.count() >= seconds) break;
    }
    return 0;
  });
  return {failure_of(status), board().iteration};
}

std::string describe_isolated(const Fuzzer& fuzzer, const Bytes& bytes) {
  if (!fuzzer.describe) return {};
  board().write_text("(no description: it crashes)");
  in_child(true, [&] {
    start_watchdog(fuzzer.case_seconds);
    Tape tape(bytes);
    board().write_text(fuzzer.describe(tape));
    return 0;
  });
  return board().text;
}

}  // namespace vtsim::fuzz
