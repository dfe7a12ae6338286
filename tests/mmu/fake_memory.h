#pragma once
// A small physical memory behind an EntryPort, with a journal of what the walk changed, a log of
// what it read, and a hook that lets another processor interfere.

#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "model/mmu/entry_port.h"

namespace vtsim::mmu::test {

struct Reference {
  RefKind kind;
  unsigned level;
  u64 address;
  bool operator==(const Reference&) const = default;
};

class FakeMemory : public EntryPort {
 public:
  explicit FakeMemory(std::size_t bytes = 1 << 20) : ram_(bytes) {}

  u64 peek64(u64 address) const { return get<u64>(address); }
  u32 peek32(u64 address) const { return get<u32>(address); }
  void poke64(u64 address, u64 value) { put(address, value); }
  void poke32(u64 address, u32 value) { put(address, value); }

  // The walker's side.
  std::optional<u32> read32(Hpa address, RefKind kind, unsigned level) override {
    note(kind, level, address);
    return get<u32>(address.value);
  }
  std::optional<u64> read64(Hpa address, RefKind kind, unsigned level) override {
    note(kind, level, address);
    return get<u64>(address.value);
  }
  bool cas32(Hpa address, u32 expected, u32 desired) override {
    return exchange(address.value, expected, desired);
  }
  bool cas64(Hpa address, u64 expected, u64 desired) override {
    return exchange(address.value, expected, desired);
  }
  bool pml_has_room() override { return pml_room > 0; }
  void pml_log(Gpa page) override {
    --pml_room;
    pml.push_back(page.value);
  }

  // Addresses (of the aligned 4 bytes or 8 bytes that were exchanged) and the values before.
  const std::vector<std::pair<u64, u64>>& journal() const { return journal_; }
  void rollback() {
    for (auto it = journal_.rbegin(); it != journal_.rend(); ++it) {
      if (narrow_) {
        put(it->first, static_cast<u32>(it->second));
      } else {
        put(it->first, it->second);
      }
    }
    journal_.clear();
  }

  bool logging = false;
  std::vector<Reference> references;
  std::function<void(u64 address)> before_exchange;
  unsigned exchanges = 0;
  unsigned pml_room = 512;
  std::vector<u64> pml;

 private:
  template <class T>
  T get(u64 address) const {
    if (address + sizeof(T) > ram_.size()) return static_cast<T>(~T{0});
    T value;
    std::memcpy(&value, &ram_[address], sizeof value);
    return value;
  }
  template <class T>
  void put(u64 address, T value) {
    if (address + sizeof(T) <= ram_.size()) std::memcpy(&ram_[address], &value, sizeof value);
  }
  template <class T>
  bool exchange(u64 address, T expected, T desired) {
    ++exchanges;
    narrow_ = sizeof(T) == 4;
    if (before_exchange) before_exchange(address);
    if (get<T>(address) != expected) return false;
    journal_.emplace_back(address, expected);
    put(address, desired);
    return true;
  }
  void note(RefKind kind, unsigned level, Hpa address) {
    if (logging) references.push_back({kind, level, address.value});
  }

  std::vector<u8> ram_;
  std::vector<std::pair<u64, u64>> journal_;
  bool narrow_ = false;
};

}  // namespace vtsim::mmu::test
