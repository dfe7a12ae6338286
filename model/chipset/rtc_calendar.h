#pragma once
// The time-of-day bytes of an MC146818A and how an update increments them: in BCD or binary, in 12
// or 24 hours, as register B said when they were written.

#include <array>
#include <span>

#include "model/chipset/rtc_cmos.h"

namespace vtsim::chipset {

namespace cmos {
inline constexpr u8 kSeconds = 0x00;
inline constexpr u8 kSecondsAlarm = 0x01;
inline constexpr u8 kMinutes = 0x02;
inline constexpr u8 kMinutesAlarm = 0x03;
inline constexpr u8 kHours = 0x04;
inline constexpr u8 kHoursAlarm = 0x05;
inline constexpr u8 kWeekday = 0x06;  // 1: Sunday
inline constexpr u8 kDay = 0x07;
inline constexpr u8 kMonth = 0x08;
inline constexpr u8 kYear = 0x09;
inline constexpr u8 kRegisterA = 0x0A;
inline constexpr u8 kRegisterB = 0x0B;
inline constexpr u8 kRegisterC = 0x0C;
inline constexpr u8 kRegisterD = 0x0D;
inline constexpr u8 kCentury = 0x32;
}  // namespace cmos

struct RegisterB {
  static constexpr Flag HOUR24{1};
  static constexpr Flag DM{2};
  static constexpr Flag SQWE{3};
  static constexpr Flag UIE{4};
  static constexpr Flag AIE{5};
  static constexpr Flag PIE{6};
  static constexpr Flag SET{7};
};
struct RegisterD {
  static constexpr Field DATE_ALARM{5, 0};
  static constexpr Flag VRT{7};
};

using CmosBytes = std::span<u8, 256>;

// Writes a date in the format that register B asks for.
void set_date(CmosBytes bytes, const DateTime& date);

// One second on.
void increment_date(CmosBytes bytes);

// True when the time bytes match the alarm bytes, whose two top bits together mean "any".
bool alarm_matches(CmosBytes bytes);

}  // namespace vtsim::chipset
