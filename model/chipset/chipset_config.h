#pragma once
// What a Q35/ICH9 chipset is built from: plain values. sim/ fills it from platform files.

#include "model/base/clock.h"
#include "model/base/types.h"

namespace vtsim::chipset {

struct ChipsetConfig {
  u64 ram_bytes = u64{1} << 30;        // a multiple of 4 KiB, 1 MiB at least
  u64 low_memory_limit = 0x8000'0000;  // RAM beyond this continues at 4 GiB

  unsigned cores = 1;         // what the CMOS tells firmware
  unsigned uarts = 1;         // COM1, COM2: 0 to 2
  u64 rtc_start_seconds = 0;  // since 1970-01-01: what the RTC shows at power-on
  Frequency hpet_clock{100'000'000};
  u8 io_apic_id = 0;

  bool has_hpet = true;
  bool hpet_has_fsb = false;  // comparators can send message-signalled interrupts
  bool has_i8042 = true;
  bool has_debug_exit = true;     // port 0xf4
  bool has_debug_console = true;  // ports 0xe9 and 0x402
  bool has_pc_testdev = false;    // QEMU's, for kvm-unit-tests
};

}  // namespace vtsim::chipset
