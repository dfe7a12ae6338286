#include "model/chipset/rtc_calendar.h"

namespace vtsim::chipset {
namespace {

struct BcdByte {
  static constexpr Field UNITS{3, 0};
  static constexpr Field TENS{7, 4};
};
struct HourByte {
  static constexpr Field HOUR{6, 0};
  static constexpr Flag PM{7};
};
struct AlarmByte {
  static constexpr Field ANY{7, 6};
};
constexpr u64 kAny = 3;

bool flag(CmosBytes bytes, Flag of_b) { return Reg<RegisterB>(bytes[cmos::kRegisterB])[of_b]; }

unsigned decode(CmosBytes bytes, u64 value) {
  if (flag(bytes, RegisterB::DM)) return static_cast<unsigned>(value);
  return static_cast<unsigned>(BcdByte::TENS.get(value) * 10 + BcdByte::UNITS.get(value));
}

u8 encode(CmosBytes bytes, unsigned value) {
  if (flag(bytes, RegisterB::DM)) return static_cast<u8>(value);
  return static_cast<u8>(BcdByte::TENS.put(value % 10, value / 10));
}

unsigned get(CmosBytes bytes, u8 index) { return decode(bytes, bytes[index]); }
void put(CmosBytes bytes, u8 index, unsigned value) { bytes[index] = encode(bytes, value); }

unsigned get_hours(CmosBytes bytes) {
  if (flag(bytes, RegisterB::HOUR24)) return get(bytes, cmos::kHours);
  const Reg<HourByte> hours(bytes[cmos::kHours]);
  return decode(bytes, hours[HourByte::HOUR]) % 12 + (hours[HourByte::PM] ? 12 : 0);
}

void put_hours(CmosBytes bytes, unsigned hours) {
  if (flag(bytes, RegisterB::HOUR24)) {
    put(bytes, cmos::kHours, hours);
    return;
  }
  const u8 twelve = encode(bytes, hours % 12 == 0 ? 12 : hours % 12);
  bytes[cmos::kHours] =
      static_cast<u8>(Reg<HourByte>(twelve).with(HourByte::PM, hours >= 12).value);
}

bool is_leap(unsigned year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

unsigned days_in_month(unsigned year, unsigned month) {
  constexpr std::array<u8, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12) return 31;  // a month that software made up
  return kDays[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

// 1: Sunday. Counts the days since 1 January 1601, a Monday.
unsigned weekday(const DateTime& date) {
  const unsigned years = date.year - 1601;
  unsigned days = years * 365 + years / 4 - years / 100 + years / 400 + date.day - 1;
  for (unsigned month = 1; month < date.month; ++month) days += days_in_month(date.year, month);
  return (days + 1) % 7 + 1;
}

// Increments a byte that runs from `first` to `last`; true when it wraps.
bool roll(CmosBytes bytes, u8 index, unsigned first, unsigned last) {
  const unsigned value = get(bytes, index);
  put(bytes, index, value >= last ? first : value + 1);
  return value >= last;
}

bool roll_hours(CmosBytes bytes) {
  const unsigned hours = get_hours(bytes);
  put_hours(bytes, hours >= 23 ? 0 : hours + 1);
  return hours >= 23;
}

}  // namespace

DateTime date_of(u64 unix_seconds) {
  constexpr u64 kSecondsPerDay = 86'400;
  DateTime date{.year = 1970};
  const auto of_day = static_cast<unsigned>(unix_seconds % kSecondsPerDay);
  date.hour = of_day / 3600;
  date.minute = of_day / 60 % 60;
  date.second = of_day % 60;
  u64 days = unix_seconds / kSecondsPerDay;
  const auto days_in_year = [](unsigned year) { return is_leap(year) ? 366u : 365u; };
  for (; days >= days_in_year(date.year); ++date.year) days -= days_in_year(date.year);
  for (; days >= days_in_month(date.year, date.month); ++date.month) {
    days -= days_in_month(date.year, date.month);
  }
  date.day = static_cast<unsigned>(days) + 1;
  return date;
}

void set_date(CmosBytes bytes, const DateTime& date) {
  put(bytes, cmos::kSeconds, date.second);
  put(bytes, cmos::kMinutes, date.minute);
  put_hours(bytes, date.hour);
  put(bytes, cmos::kWeekday, weekday(date));
  put(bytes, cmos::kDay, date.day);
  put(bytes, cmos::kMonth, date.month);
  put(bytes, cmos::kYear, date.year % 100);
  put(bytes, cmos::kCentury, date.year / 100);
}

void increment_date(CmosBytes bytes) {
  if (!roll(bytes, cmos::kSeconds, 0, 59)) return;
  if (!roll(bytes, cmos::kMinutes, 0, 59)) return;
  if (!roll_hours(bytes)) return;
  roll(bytes, cmos::kWeekday, 1, 7);
  const unsigned year = get(bytes, cmos::kCentury) * 100 + get(bytes, cmos::kYear);
  if (!roll(bytes, cmos::kDay, 1, days_in_month(year, get(bytes, cmos::kMonth)))) return;
  if (!roll(bytes, cmos::kMonth, 1, 12)) return;
  if (!roll(bytes, cmos::kYear, 0, 99)) return;
  roll(bytes, cmos::kCentury, 0, 99);
}

bool alarm_matches(CmosBytes bytes) {
  const auto matches = [&](u8 alarm, u8 time) {
    return AlarmByte::ANY.get(bytes[alarm]) == kAny || bytes[alarm] == bytes[time];
  };
  const u64 date = RegisterD::DATE_ALARM.get(bytes[cmos::kRegisterD]);
  return matches(cmos::kSecondsAlarm, cmos::kSeconds) &&
         matches(cmos::kMinutesAlarm, cmos::kMinutes) && matches(cmos::kHoursAlarm, cmos::kHours) &&
         (date == 0 || date == bytes[cmos::kDay]);
}

}  // namespace vtsim::chipset
