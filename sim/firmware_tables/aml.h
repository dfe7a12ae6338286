#pragma once
// The few ACPI Machine Language terms that the generated SSDT needs, as bytes that nest by value:
//   aml_scope("\\_SB", aml_device("C000", aml_name("_UID", aml_integer(0))))
// ACPI "ACPI Machine Language (AML) Specification > AML Grammar Definition".

#include <initializer_list>
#include <string_view>
#include <vector>

#include "model/base/types.h"

namespace vtsim::firmware_tables {

using Aml = std::vector<u8>;

// "\\_SB.PCI0.LNKA": an optional root character, then four-character segments; shorter segments are
// filled up with '_'.
Aml aml_path(std::string_view path);
Aml aml_integer(u64 value);
Aml aml_string(std::string_view text);
Aml aml_name(std::string_view path, const Aml& value);
Aml aml_package(const std::vector<Aml>& elements);  // at most 255
Aml aml_scope(std::string_view path, const Aml& body);
Aml aml_device(std::string_view path, const Aml& body);
Aml aml_join(std::initializer_list<Aml> terms);

}  // namespace vtsim::firmware_tables
