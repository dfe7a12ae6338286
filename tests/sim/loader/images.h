#pragma once
// Small images of every kind that the loader knows, built field by field. Each is valid as built; a
// test spoils what it is about.

#include <string>
#include <vector>

#include "model/base/types.h"

namespace vtsim::test {

using Bytes = std::vector<u8>;

void put(Bytes& bytes, u64 offset, u64 value, unsigned size);
u64 get(const Bytes& bytes, u64 offset, unsigned size);

// Boot protocol 2.15: 4 setup sectors, a kernel of 64 KiB that prefers 16 MiB and asks for 128 KiB.
Bytes bzimage();

struct ElfSpec {
  struct Segment {
    u64 physical = 0;
    u64 virtual_address = 0;
    Bytes bytes;
    u64 memory_bytes = 0;
  };
  unsigned bits = 32;
  u64 entry = 0;
  std::vector<Segment> segments;
  Bytes note;    // content of a PT_NOTE segment; empty: none
  Bytes prefix;  // right after the headers, inside no segment: where a multiboot header may stand
};
Bytes elf(const ElfSpec& spec);
// One segment of 4 KiB of code at 2 MiB with 8 KiB of memory, entered at 2 MiB + 16.
ElfSpec one_segment(unsigned bits);

Bytes pvh_note(u32 entry);
// A header without addresses, with `flags`.
Bytes multiboot1_header(u32 flags = 0);
// 4 KiB of image with a header at 64 whose addresses put the file at 1 MiB, entered at 1 MiB + 256.
Bytes multiboot1_flat();
// A header of the given tags; the end tag is added.
Bytes multiboot2_header(const Bytes& tags = {});
Bytes multiboot2_tag(u16 type, u16 flags, const std::vector<u32>& values);

}  // namespace vtsim::test
