#include "sim/config/quantity.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>

namespace vtsim::config {
namespace {

struct Suffix {
  std::string_view text;
  u64 factor;
};

// The first spelling of a factor is the one that is printed. Largest factor first.
constexpr Suffix kSizes[] = {{"T", u64{1} << 40},
                             {"TiB", u64{1} << 40},
                             {"TB", u64{1} << 40},
                             {"G", u64{1} << 30},
                             {"GiB", u64{1} << 30},
                             {"GB", u64{1} << 30},
                             {"M", u64{1} << 20},
                             {"MiB", u64{1} << 20},
                             {"MB", u64{1} << 20},
                             {"K", u64{1} << 10},
                             {"KiB", u64{1} << 10},
                             {"KB", u64{1} << 10},
                             {"k", u64{1} << 10},
                             {"", 1},
                             {"B", 1}};
constexpr Suffix kTimes[] = {{"min", 60'000'000'000'000},
                             {"s", 1'000'000'000'000},
                             {"ms", 1'000'000'000},
                             {"us", 1'000'000},
                             {"ns", 1'000},
                             {"ps", 1}};
constexpr Suffix kFrequencies[] = {{"GHz", 1'000'000'000}, {"MHz", 1'000'000}, {"kHz", 1'000},
                                   {"KHz", 1'000},         {"Hz", 1},          {"", 1}};
constexpr Suffix kCounts[] = {{"", 1}};

std::span<const Suffix> suffixes_of(Quantity quantity) {
  switch (quantity) {
    case Quantity::kSize:
      return kSizes;
    case Quantity::kTime:
      return kTimes;
    case Quantity::kFrequency:
      return kFrequencies;
    case Quantity::kCount:
      return kCounts;
  }
  return kCounts;
}

struct Decimal {
  u128 digits = 0;     // the number without its point
  u128 divisor = 1;    // 10 to the number of digits after the point
  std::size_t length;  // characters read
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads 1_000.25; at most 30 digits, so that nothing overflows.
std::optional<Decimal> read_decimal(std::string_view text) {
  Decimal number{0, 1, 0};
  unsigned digits = 0;
  bool fraction = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '_' && i > 0 && is_digit(text[i - 1])) continue;
    if (c == '.' && !fraction && i > 0 && i + 1 < text.size() && is_digit(text[i + 1])) {
      fraction = true;
      continue;
    }
    if (!is_digit(c)) break;
    if (++digits > 20) return std::nullopt;
    number.digits = number.digits * 10 + static_cast<unsigned>(c - '0');
    if (fraction) number.divisor *= 10;
  }
  if (digits == 0) return std::nullopt;
  number.length = i;
  return number;
}

std::optional<u64> read_hexadecimal(std::string_view text) {
  std::string digits(text.substr(2));
  std::erase(digits, '_');
  u64 value = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, value, 16);
  if (digits.empty() || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

}  // namespace

std::optional<u64> parse_quantity(std::string_view text, Quantity quantity) {
  if (text.starts_with("0x") || text.starts_with("0X")) {
    return quantity == Quantity::kTime ? std::nullopt : read_hexadecimal(text);
  }
  const auto number = read_decimal(text);
  if (!number) return std::nullopt;
  const std::string_view unit = text.substr(number->length);
  const auto suffixes = suffixes_of(quantity);
  const auto suffix = std::find_if(suffixes.begin(), suffixes.end(),
                                   [&](const Suffix& s) { return s.text == unit; });
  if (suffix == suffixes.end()) return std::nullopt;
  // 20 digits times 2^46 stay below 2^128.
  const u128 scaled = number->digits * suffix->factor;
  if (scaled % number->divisor != 0) return std::nullopt;
  const u128 value = scaled / number->divisor;
  if (value > std::numeric_limits<u64>::max()) return std::nullopt;
  return static_cast<u64>(value);
}

std::string format_quantity(u64 value, Quantity quantity) {
  std::string best;
  for (const Suffix& suffix : suffixes_of(quantity)) {
    // Up to three digits after the point, for decimal units: 2.6GHz rather than 2600MHz.
    const u64 divisor = quantity == Quantity::kSize || suffix.factor < 1000 ? 1 : 1000;
    const u64 step = suffix.factor / divisor;
    if (suffix.factor > 1 && (value < suffix.factor || value % step != 0)) continue;
    std::string text = std::to_string(value / suffix.factor);
    if (const u64 rest = value % suffix.factor / step; rest != 0) {
      std::string fraction = std::to_string(rest);
      fraction.insert(0, 3 - fraction.size(), '0');
      fraction.erase(fraction.find_last_not_of('0') + 1);
      text += "." + fraction;
    }
    text += suffix.text;
    if (quantity == Quantity::kTime && suffix.text == "min" && value % suffix.factor != 0) continue;
    if (best.empty() || text.size() < best.size()) best = text;
  }
  return best;
}

std::string_view example_of(Quantity quantity) {
  switch (quantity) {
    case Quantity::kCount:
      return "an integer such as 64 or 0x40";
    case Quantity::kSize:
      return "a size such as 2G or 512M";
    case Quantity::kTime:
      return "a time with its unit such as 10s or 70ns";
    case Quantity::kFrequency:
      return "a frequency such as 2.6GHz";
  }
  return "";
}

}  // namespace vtsim::config
