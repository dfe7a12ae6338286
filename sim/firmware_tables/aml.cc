#include "sim/firmware_tables/aml.h"

#include <algorithm>

#include "model/base/bits.h"
#include "model/base/check.h"

namespace vtsim::firmware_tables {
namespace {

// ACPI "AML Byte Stream Byte Values".
enum Opcode : u8 {
  kZero = 0x00,
  kOne = 0x01,
  kName = 0x08,
  kBytePrefix = 0x0a,
  kWordPrefix = 0x0b,
  kDWordPrefix = 0x0c,
  kStringPrefix = 0x0d,
  kQWordPrefix = 0x0e,
  kScope = 0x10,
  kPackage = 0x12,
  kDualName = 0x2e,
  kMultiName = 0x2f,
  kExtended = 0x5b,
  kDevice = 0x82,  // after kExtended
};

void append(Aml& to, const Aml& from) { to.insert(to.end(), from.begin(), from.end()); }

// PkgLength counts itself. One byte holds 6 bits; otherwise bits 7:6 of the first count the bytes
// that follow and its bits 3:0 are the lowest four.
Aml with_package_length(const Aml& body) {
  std::size_t following = 0;
  if (body.size() + 1 > low_mask(6)) {
    following = 1;
    while (body.size() + 1 + following > low_mask(static_cast<unsigned>(4 + 8 * following))) {
      ++following;
    }
  }
  SIM_CHECK(following <= 3);
  const u64 length = body.size() + 1 + following;
  Aml out;
  if (following == 0) {
    out.push_back(static_cast<u8>(length));
  } else {
    out.push_back(static_cast<u8>(Field{7, 6}.put(bits(length, 3, 0), following)));
    for (unsigned i = 0; i < following; ++i) {
      out.push_back(static_cast<u8>(bits(length, 11 + 8 * i, 4 + 8 * i)));
    }
  }
  append(out, body);
  return out;
}

}  // namespace

Aml aml_path(std::string_view path) {
  Aml out;
  if (path.starts_with('\\')) {
    out.push_back('\\');
    path.remove_prefix(1);
  }
  const auto segments = static_cast<u8>(1 + std::count(path.begin(), path.end(), '.'));
  if (segments == 2) out.push_back(kDualName);
  if (segments > 2) append(out, {kMultiName, segments});
  for (unsigned i = 0; i < segments; ++i) {
    const std::string_view segment = path.substr(0, path.find('.'));
    SIM_CHECK(!segment.empty() && segment.size() <= 4);
    for (std::size_t c = 0; c < 4; ++c) {
      out.push_back(static_cast<u8>(c < segment.size() ? segment[c] : '_'));
    }
    path.remove_prefix(std::min(path.size(), segment.size() + 1));
  }
  return out;
}

Aml aml_integer(u64 value) {
  struct Form {
    u8 prefix;
    unsigned bytes;
  };
  static constexpr Form kForms[] = {
      {kBytePrefix, 1}, {kWordPrefix, 2}, {kDWordPrefix, 4}, {kQWordPrefix, 8}};
  if (value == 0) return {kZero};
  if (value == 1) return {kOne};
  const Form* form = kForms;
  while (value > low_mask(8 * form->bytes)) ++form;
  Aml out{form->prefix};
  for (unsigned i = 0; i < form->bytes; ++i) {
    out.push_back(static_cast<u8>(bits(value, 8 * i + 7, 8 * i)));
  }
  return out;
}

Aml aml_string(std::string_view text) {
  Aml out{kStringPrefix};
  for (char c : text) out.push_back(static_cast<u8>(c));
  out.push_back(0);
  return out;
}

Aml aml_name(std::string_view path, const Aml& value) {
  return aml_join({{kName}, aml_path(path), value});
}

Aml aml_package(const std::vector<Aml>& elements) {
  SIM_CHECK(elements.size() <= low_mask(8));
  Aml body{static_cast<u8>(elements.size())};
  for (const Aml& element : elements) append(body, element);
  return aml_join({{kPackage}, with_package_length(body)});
}

Aml aml_scope(std::string_view path, const Aml& body) {
  return aml_join({{kScope}, with_package_length(aml_join({aml_path(path), body}))});
}

Aml aml_device(std::string_view path, const Aml& body) {
  return aml_join({{kExtended, kDevice}, with_package_length(aml_join({aml_path(path), body}))});
}

Aml aml_join(std::initializer_list<Aml> terms) {
  Aml out;
  for (const Aml& term : terms) append(out, term);
  return out;
}

}  // namespace vtsim::firmware_tables
