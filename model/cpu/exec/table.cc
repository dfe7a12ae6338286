// All groups in one array, indexed by mnemonic.

#include <array>
#include <string>
#include <vector>

#include "model/base/check.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

std::vector<Rows> all_groups() {
  return {data_transfer_rows(),   stack_rows(),          conditional_rows(),
          arithmetic_rows(),      logic_rows(),          shift_rows(),
          multiply_rows(),        exchange_rows(),       bit_rows(),            bmi_rows(),
          bcd_rows(),             string_rows(),         flag_control_rows(),
          miscellaneous_rows(),   branch_rows(),         interrupt_flag_rows(),
          interrupt_rows(),       segment_rows(),        descriptor_table_rows(),
          system_call_rows(),     control_register_rows(), processor_rows(),
          msr_rows(),             io_rows(),             state_save_rows(),
          mmx_move_rows(),        vector_move_rows(),    vector_integer_rows(),
          vector_shuffle_rows(),  vector_shift_rows(),   vector_float_rows(),
          vector_compare_rows(),  vector_convert_rows(), vector_crypto_rows(),
          vector_string_rows(),   vector_avx_rows(),     vector_fma_rows(), x87_transfer_rows(),
          x87_arithmetic_rows(),  x87_compare_rows(),    x87_control_rows(),
          x87_function_rows(),    x87_environment_rows(), vmx_rows()};
}

struct Table {
  std::vector<InstructionRow> rows;
  std::array<const InstructionRow*, kMnemonicCount> by_mnemonic{};

  Table() {
    for (const Rows group : all_groups()) rows.insert(rows.end(), group.begin(), group.end());
    for (const InstructionRow& row : rows) {
      SIM_CHECK(by_mnemonic[row.mnemonic] == nullptr,
                "two rows of mnemonic " + std::to_string(row.mnemonic));
      by_mnemonic[row.mnemonic] = &row;
    }
  }
};

const Table& table() {
  static const Table built;
  return built;
}

}  // namespace

const InstructionRow* find_row(Mnemonic mnemonic) { return table().by_mnemonic[mnemonic]; }
std::span<const InstructionRow> all_rows() { return table().rows; }

}  // namespace vtsim::cpu
