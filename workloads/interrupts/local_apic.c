/* SDM 3A "Handling Interrupts": priorities, IRR, ISR, EOI, IPIs to oneself, errors, NMI. */
#include "chapters.h"

enum { LOW = 0x51, SAME_CLASS = 0x52, HIGH = 0x61, HIGHEST = 0xe1 };

static u8 order[32];
static u32 order_length;
static void note(u32 vector) {
  if (order_length < sizeof order) order[order_length++] = (u8)vector;
}
static int order_is(u32 count, const u8* vectors) {
  int same = order_length == count;
  for (u32 i = 0; same && i < count; ++i) same = order[i] == vectors[i];
  order_length = 0;
  return same;
}
#define ORDER_IS(...) order_is(sizeof((const u8[]){__VA_ARGS__}), (const u8[]){__VA_ARGS__})

static void handler(struct frame* frame) {
  note((u32)frame->vector);
  end_of_interrupt();
}

static int is_set(u32 reg, u32 vector) {
  return apic_read(reg + vector / 32 * 16) >> vector % 32 & 1;
}
static void send_self(u32 vector) { send_interrupt(0, ICR_SELF | ICR_ASSERT | vector); }

static void check_task_priority(void) {
  apic_write(APIC_TPR, 0x50);
  check_equal(read_cr8(), 5, "TPR = 50h is CR8 = 5");
  check_equal(apic_read(APIC_PPR), 0x50, "PPR follows TPR");
  send_self(LOW);
  send_self(HIGH);
  check(is_set(APIC_IRR, LOW) && is_set(APIC_IRR, HIGH), "IRR: both are pending while IF is clear");
  take_pending();
  check(ORDER_IS(HIGH), "TPR = 50h: 61h is taken, 51h is not");
  check(is_set(APIC_IRR, LOW), "TPR = 50h: 51h stays pending");
  write_cr8(4);
  check_equal(apic_read(APIC_TPR), 0x40, "CR8 = 4 is TPR = 40h");
  take_pending();
  check(ORDER_IS(LOW), "CR8 = 4: 51h is taken");
  apic_write(APIC_TPR, 0x4f);
  send_self(0x4e);
  send_self(LOW);
  take_pending();
  check(ORDER_IS(LOW), "TPR's low half does not matter: 4Fh holds back 4Eh, not 51h");
  apic_write(APIC_TPR, 0);
  take_pending();
  check(ORDER_IS(0x4e), "TPR = 0 lets it in");
}

static void check_order(void) {
  send_self(LOW);
  send_self(HIGH);
  send_self(LOW);
  send_self(HIGHEST);
  send_self(SAME_CLASS);
  take_pending();
  take_pending();
  check(ORDER_IS(HIGHEST, HIGH, SAME_CLASS, LOW),
        "the highest vector first; one that is pending already once");
}

/* A handler that lets others in: those of a higher class only, until EOI. */
static u32 ppr_within, isr_within;
static void nesting_handler(struct frame* frame) {
  note((u32)frame->vector);
  if (frame->vector == LOW) {
    ppr_within = apic_read(APIC_PPR);
    isr_within = (u32)is_set(APIC_ISR, LOW);
    send_self(SAME_CLASS);
    send_self(HIGH);
    take_pending();
    note(0);
  }
  end_of_interrupt();
  if (frame->vector == LOW) {
    take_pending();
    note(1);
  }
}

static void check_nesting(void) {
  set_handler(LOW, nesting_handler);
  send_self(LOW);
  take_pending();
  take_pending();
  check_equal(ppr_within, 0x50, "PPR within the handler of 51h");
  check_equal(isr_within, 1, "ISR within the handler of 51h");
  check(ORDER_IS(LOW, HIGH, 0, SAME_CLASS, 1), "61h nests in 51h, 52h of its class waits for EOI");
  check_equal((u64)is_set(APIC_ISR, LOW), 0, "EOI clears ISR");
  set_handler(LOW, handler);
}

static void check_self_ipis(void) {
  send_ipi(own_apic_id(), LOW);
  take_pending();
  check(ORDER_IS(LOW), "an IPI to one's own physical id");
  const u32 old_ldr = apic_read(APIC_LDR);
  apic_write(APIC_DFR, 0xffffffff);
  apic_write(APIC_LDR, 4u << 24);
  send_interrupt(4, ICR_LOGICAL | ICR_ASSERT | LOW);
  take_pending();
  check(ORDER_IS(LOW), "an IPI to one's own logical id");
  send_interrupt(3, ICR_LOGICAL | ICR_ASSERT | LOW);
  take_pending();
  check(order_is(0, 0), "an IPI to other logical ids is not taken");
  send_interrupt(0, ICR_ALL | ICR_ASSERT | LOW);
  take_pending();
  check(ORDER_IS(LOW), "an IPI to all including self");
  apic_write(APIC_LDR, old_ldr);
}

static void check_errors(void) {
  enum { SEND_ILLEGAL = 1 << 5, RECEIVE_ILLEGAL = 1 << 6, ILLEGAL_REGISTER = 1 << 7 };
  apic_write(APIC_ESR, 0);
  apic_write(APIC_ESR, 0);
  check_equal(apic_read(APIC_ESR), 0, "ESR: no errors yet");
  send_ipi(own_apic_id(), 5);
  check_equal(apic_read(APIC_ESR), 0, "ESR: shows what was collected by the last write of it");
  apic_write(APIC_ESR, 0);
  check(apic_read(APIC_ESR) & SEND_ILLEGAL, "ESR: an IPI of vector 5: send illegal vector");
  const u64 before = taken(5);
  set_handler(5, handler);
  take_pending();
  set_handler(5, 0);
  order_length = 0;
  check_equal(taken(5) - before, 0, "ESR: and vector 5 is not delivered");
  apic_write(APIC_ESR, 0);
  apic_write(0x3f0, 0); /* no register */
  apic_write(APIC_ESR, 0);
  check_equal(apic_read(APIC_ESR) & ILLEGAL_REGISTER, ILLEGAL_REGISTER,
              "ESR: an access to a reserved register");
  apic_write(APIC_ESR, 0);
  check_equal(apic_read(APIC_ESR), 0, "ESR: errors are shown once");
}

static void check_software_disable(void) {
  const u32 svr = apic_read(APIC_SVR);
  apic_write(APIC_LVT_TIMER, LOW);
  apic_write(APIC_SVR, svr & ~0x100u);
  check_equal(apic_read(APIC_LVT_TIMER) & LVT_MASKED, LVT_MASKED,
              "disabled by SVR: LVT entries are masked");
  apic_write(APIC_LVT_TIMER, LOW);
  check_equal(apic_read(APIC_LVT_TIMER) & LVT_MASKED, LVT_MASKED, "disabled by SVR: and stay so");
  apic_write(APIC_SVR, svr);
  apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

static u32 nmis, nmis_at_once;
static void nmi_handler(struct frame* frame) {
  (void)frame;
  if (++nmis == 1) {
    send_interrupt(own_apic_id(), ICR_NMI | ICR_ASSERT);
    send_interrupt(own_apic_id(), ICR_NMI | ICR_ASSERT);
    for (u32 i = 0; i < 100; ++i) pause();
    nmis_at_once = nmis;
  }
}

static void check_nmi(void) {
  set_handler(2, nmi_handler);
  send_interrupt(own_apic_id(), ICR_NMI | ICR_ASSERT);
  for (u32 i = 0; i < 1000 && nmis < 2; ++i) pause();
  delay_us(100);
  check_equal(nmis_at_once, 1, "an NMI does not interrupt the handler of NMI");
  check_equal(nmis, 2, "of two NMIs that come meanwhile one is taken after IRET");
}

void check_local_apic(void) {
  for (u32 vector = 0x40; vector < 0xf0; ++vector) set_handler(vector, handler);
  check_equal(read_msr(IA32_APIC_BASE) & 0xd00, 0x900, "IA32_APIC_BASE: BSP, enabled, not x2APIC");
  const u32 version = apic_read(APIC_VERSION);
  check((version & 0xf0) == 0x10 && (version >> 16 & 0xff) >= 3, "the version register");
  check_task_priority();
  check_order();
  check_nesting();
  check_self_ipis();
  check_errors();
  check_software_disable();
  check_nmi();
  for (u32 vector = 0x40; vector < 0xf0; ++vector) set_handler(vector, 0);
}
