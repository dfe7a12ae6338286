/* Memory that cores share: locked instructions, locks, ordering, and translations that change. */
#include "smp.h"

enum { ADDITIONS = 20000 };

static volatile u64 locked, exchanged, compared, guarded, bits;
static volatile u32 lock;
static u8 wide[16] __attribute__((aligned(16)));

static void add_in_every_way(u32 number) {
  for (u32 i = 0; i < ADDITIONS; ++i) {
    __asm__ volatile("lock incq %0" : "+m"(locked) : : "memory");
    u64 one = 1;
    __asm__ volatile("lock xaddq %0, %1" : "+r"(one), "+m"(exchanged) : : "memory");
    u64 old = compared;
    while (!__atomic_compare_exchange_n(&compared, &old, old + 1, 0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
    }
  }
  for (u32 i = 0; i < ADDITIONS / 10; ++i) {
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
      while (lock) pause();
    }
    guarded = guarded + 1; /* not atomic: the lock's business */
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    __asm__ volatile("lock btcq %1, %0" : "+m"(bits) : "r"((u64)number) : "memory");
  }
}

/* 64 bits of each half, always equal. */
static u32 torn;
static void add_wide(u32 number) {
  (void)number;
  for (u32 i = 0; i < ADDITIONS / 10; ++i) {
    u64 low = *(volatile u64*)wide, high = *(volatile u64*)(wide + 8);
    u8 done;
    do {
      __asm__ volatile("lock cmpxchg16b %1; sete %0"
                       : "=q"(done), "+m"(wide), "+a"(low), "+d"(high)
                       : "b"(low + 1), "c"(high + 1)
                       : "memory", "cc");
      if (!done && low != high) __atomic_add_fetch(&torn, 1, __ATOMIC_RELAXED);
    } while (!done);
  }
}

/* A ticket lock hands itself on in the order of arrival. */
static u32 next_ticket, now_serving;
static u32 out_of_order, served[MAX_CORES];
static void take_tickets(u32 number) {
  for (u32 i = 0; i < 30; ++i) {
    const u32 ticket = __atomic_fetch_add(&next_ticket, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&now_serving, __ATOMIC_ACQUIRE) != ticket) pause();
    ++served[number];
    u32 sum = 0;
    for (u32 core = 0; core < cores; ++core) sum += served[core];
    out_of_order += sum != ticket + 1;
    __atomic_store_n(&now_serving, ticket + 1, __ATOMIC_RELEASE);
  }
}

/* SDM 3A "Memory Ordering": a store is seen after the stores before it. */
static volatile u32 data_first, flag_second;
static u32 disordered;
static void watch_order(u32 number) {
  if (number == 1) {
    for (u32 i = 1; i <= ADDITIONS; ++i) {
      data_first = i;
      flag_second = i;
    }
    return;
  }
  for (u32 i = 0; i < ADDITIONS; ++i) {
    const u32 flag = flag_second;
    __asm__ volatile("" : : : "memory");
    if (data_first < flag) __atomic_add_fetch(&disordered, 1, __ATOMIC_RELAXED);
  }
}

void check_memory(void) {
  run_on_all(add_in_every_way);
  const u64 all = (u64)cores * ADDITIONS;
  check_equal(locked, all, "LOCK INC of all cores");
  check_equal(exchanged, all, "LOCK XADD of all cores");
  check_equal(compared, all, "LOCK CMPXCHG of all cores");
  check_equal(guarded, all / 10, "a spin lock by XCHG guards what is not atomic");
  check_equal(bits, 0, "LOCK BTC of each core's bit, an even number of times");
  if (read_cpuid(1, 0).ecx >> 13 & 1) {
    run_on_all(add_wide);
    check_equal(*(u64*)wide, all / 10, "LOCK CMPXCHG16B of all cores");
    check(torn == 0 && *(u64*)wide == *(u64*)(wide + 8), "LOCK CMPXCHG16B: both halves at once");
  }
  run_on_all(take_tickets);
  check_equal(out_of_order, 0, "a ticket lock serves in order");
  run_on_all(watch_order);
  check_equal(disordered, 0, "stores are seen in order");
}

/* Each round the page moves to another frame; the others must not see the old one after they were
 * told to invalidate it. */
enum { ROUNDS = 60, PAGE = WINDOW };
static u64 frames[2][512] __attribute__((aligned(4096)));
static u32 round_now, acknowledged, stale;

static void shoot_down(struct frame* frame) {
  (void)frame;
  invalidate_page(PAGE);
  __atomic_add_fetch(&acknowledged, 1, __ATOMIC_SEQ_CST);
  end_of_interrupt();
}

static void read_until_end(u32 number) {
  (void)number;
  for (;;) {
    const u32 round = __atomic_load_n(&round_now, __ATOMIC_SEQ_CST);
    if (round == ROUNDS) return;
    const u64 value = *(volatile u64*)PAGE;
    if (value < round) __atomic_add_fetch(&stale, 1, __ATOMIC_RELAXED);
  }
}

static void move_page(u32 number) {
  if (number != 0) {
    read_until_end(number);
    return;
  }
  for (u32 round = 1; round <= ROUNDS; ++round) {
    u64* fresh = frames[round % 2];
    fresh[0] = round;
    acknowledged = 0;
    map_page(PAGE, (u64)fresh, PAGE_PRESENT);
    send_interrupt(0, ICR_OTHERS | ICR_ASSERT | VECTOR_SHOOTDOWN);
    while (__atomic_load_n(&acknowledged, __ATOMIC_SEQ_CST) < cores - 1) pause();
    __atomic_store_n(&round_now, round, __ATOMIC_SEQ_CST);
  }
}

void check_shootdown(void) {
  set_handler(VECTOR_SHOOTDOWN, shoot_down);
  map_page(PAGE, (u64)frames[0], PAGE_PRESENT);
  run_on_all(move_page);
  check_equal(stale, 0, "TLB shootdown: no core reads the old page, %u rounds", (u64)ROUNDS);
}
