#include "sim/config/quantity.h"

#include <catch2/catch.hpp>

#include "sim/config/nearest_name.h"

using namespace vtsim;
using namespace vtsim::config;

TEST_CASE("quantities are read with their units") {
  struct Row {
    const char* text;
    Quantity quantity;
    u64 value;
  };
  const Row rows[] = {
      {"2G", Quantity::kSize, u64{2} << 30},
      {"1.5M", Quantity::kSize, 1'572'864},
      {"512KiB", Quantity::kSize, 524'288},
      {"4096", Quantity::kSize, 4096},
      {"0x1000", Quantity::kSize, 4096},
      {"10s", Quantity::kTime, 10'000'000'000'000},
      {"330ns", Quantity::kTime, 330'000},
      {"0.5us", Quantity::kTime, 500'000},
      {"1min", Quantity::kTime, 60'000'000'000'000},
      {"2.6GHz", Quantity::kFrequency, 2'600'000'000},
      {"133333333Hz", Quantity::kFrequency, 133'333'333},
      {"1_000", Quantity::kCount, 1000},
      {"0xffffffffffffffff", Quantity::kCount, ~u64{0}},
      {"18446744073709551615", Quantity::kCount, ~u64{0}},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    CHECK(parse_quantity(row.text, row.quantity) == row.value);
  }
}

TEST_CASE("what is not a whole number of the base unit, or does not fit, is refused") {
  struct Row {
    const char* text;
    Quantity quantity;
  };
  const Row rows[] = {
      {"", Quantity::kCount},          {"-1", Quantity::kCount},
      {"1.5", Quantity::kCount},       {"18446744073709551616", Quantity::kCount},
      {"0x", Quantity::kCount},        {"0x10000000000000000", Quantity::kCount},
      {"12a", Quantity::kCount},       {"1e3", Quantity::kCount},
      {"G", Quantity::kSize},          {"2 G", Quantity::kSize},
      {"0.3", Quantity::kSize},        {"99999999999T", Quantity::kSize},
      {"10", Quantity::kTime},         {"10 s", Quantity::kTime},
      {"0.1ps", Quantity::kTime},      {"3.", Quantity::kFrequency},
      {".5GHz", Quantity::kFrequency}, {"123456789012345678901234567890", Quantity::kSize},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    CHECK_FALSE(parse_quantity(row.text, row.quantity).has_value());
  }
}

TEST_CASE("a printed quantity reads back as the same value") {
  const u64 values[] = {0,
                        1,
                        999,
                        1000,
                        1024,
                        1500,
                        4096,
                        1'000'000,
                        1'048'576,
                        60'000'000'000'000,
                        90'000'000'000'000,
                        2'600'000'000,
                        133'333'333,
                        2'100'000'000,
                        ~u64{0}};
  for (const Quantity quantity :
       {Quantity::kCount, Quantity::kSize, Quantity::kTime, Quantity::kFrequency}) {
    for (const u64 value : values) {
      const std::string text = format_quantity(value, quantity);
      INFO(text);
      CHECK(parse_quantity(text, quantity) == value);
    }
  }
  CHECK(format_quantity(2'600'000'000, Quantity::kFrequency) == "2.6GHz");
  CHECK(format_quantity(u64{2} << 30, Quantity::kSize) == "2G");
  CHECK(format_quantity(330'000, Quantity::kTime) == "330ns");
}

TEST_CASE("edit distance counts insertions, deletions, substitutions and swaps") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("stlb", "stlb") == 0);
  CHECK(edit_distance("slb", "stlb") == 1);
  CHECK(edit_distance("sttlb", "stlb") == 1);
  CHECK(edit_distance("stlp", "stlb") == 1);
  CHECK(edit_distance("tslb", "stlb") == 1);
  CHECK(edit_distance("abc", "") == 3);
}

TEST_CASE("the nearest name is a likely slip, or nothing") {
  const std::vector<std::string> names = {"entries", "ways", "latency_cycles", "replacement"};
  CHECK(nearest_name("entires", names) == "entries");
  CHECK(nearest_name("way", names) == "ways");
  CHECK(nearest_name("latency", names) == "latency_cycles");
  CHECK(nearest_name("Latency-Cycles", names) == "latency_cycles");
  CHECK_FALSE(nearest_name("zzzz", names).has_value());
  CHECK_FALSE(nearest_name("", names).has_value());
  CHECK_FALSE(nearest_name(std::string(100'000, 'a'), names).has_value());
}
