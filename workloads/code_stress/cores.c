/* Code written by another core. SDM 3A "Handling Self- and Cross-Modifying Code": the writer
 * changes the code and then a flag; the other waits for the flag, serializes, and runs the code. */
#include "stress.h"

/* A simulator may let a core spin for a while before the other one gets on. */
enum { TURNS = 200 };

static volatile u32 turn;
static u32 done;
static u32 wrong_elsewhere;
static volatile u32 value_now;

/* Odd turns: core 1 writes and the boot core runs; even ones: the other way round. */
static void take_turns(u32 number) {
  u32 state = 0x9e3779b9 + number;
  for (u32 i = 1; i <= TURNS; ++i) {
    const u32 mine = i % 2 == number;
    if (mine) {
      while (turn != 2 * i - 1) pause();
      state = state * 1664525 + 1013904223;
      value_now = state;
      emit_constant(frames[6] + state % 2000, state);
      __atomic_store_n(&turn, 2 * i, __ATOMIC_RELEASE);
    } else {
      while (turn != 2 * i) pause();
      serialize();
      const u32 value = value_now;
      if (call((u64)frames[6] + value % 2000) != value) {
        __atomic_add_fetch(&wrong_elsewhere, 1, __ATOMIC_RELAXED);
      }
      __atomic_store_n(&turn, 2 * i + 1, __ATOMIC_RELEASE);
    }
  }
}

static void other_core(u32 number) {
  if (number == 1) take_turns(1);
  __atomic_add_fetch(&done, 1, __ATOMIC_RELEASE);
}

void stress_cores(void) {
  if (machine.cores < 2) {
    skip("code written by another core: there is none");
    return;
  }
  turn = 1;
  const u32 cores = start_other_cores(other_core);
  take_turns(0);
  while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < cores - 1) pause();
  check_equal(wrong_elsewhere, 0, "code written by another core, %u turns", (u64)TURNS);
}
