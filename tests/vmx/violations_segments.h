#pragma once
// SDM 3C "Checks on Guest Segment Registers"

#include "tests/vmx/violations.h"

namespace vtsim::vmx::test {

namespace segments_detail {

using F = VmcsField;
using B = Bench;

inline constexpr u64 kNowhere = 0x8000'0000'0000'0000;

inline void unrestricted(B& b) { b.secondary(Secondary::EPT, Secondary::UNRESTRICTED_GUEST); }
// CPL 3 with code that fits.
inline void user(B& b) {
  b.set(F::GUEST_CS_SELECTOR, 0x23);
  b.set(F::GUEST_SS_SELECTOR, 0x2B);
  b.or_in(F::GUEST_CS_RIGHTS, 0x60);
  b.or_in(F::GUEST_SS_RIGHTS, 0x60);
}

inline constexpr SpoiledEntry kSegments[] = {
    {"TI of the TR", [](B& b) { b.or_in(F::GUEST_TR_SELECTOR, 4); }, F::GUEST_TR_SELECTOR, 4},
    {"TI of the LDTR", [](B& b) { b.or_in(F::GUEST_LDTR_SELECTOR, 4); }, F::GUEST_LDTR_SELECTOR, 4},
    {"RPL of the SS selector", [](B& b) { b.or_in(F::GUEST_SS_SELECTOR, 3); }, F::GUEST_SS_SELECTOR,
     3},
    {"RPL of the SS selector", [](B& b) { b.or_in(F::GUEST_CS_SELECTOR, 1); }, F::GUEST_SS_SELECTOR,
     3, Guest::k32},

    {"the base address is the selector", [](B& b) { b.or_in(F::GUEST_CS_BASE, 8); },
     F::GUEST_CS_BASE, kAll64, Guest::kV86},
    {"the base address is the selector", [](B& b) { b.set(F::GUEST_GS_BASE, 0); }, F::GUEST_GS_BASE,
     kAll64, Guest::kV86},
    {"the base addresses of TR", [](B& b) { b.set(F::GUEST_TR_BASE, kNowhere); }, F::GUEST_TR_BASE,
     kNowhere},
    {"the base addresses of TR", [](B& b) { b.set(F::GUEST_FS_BASE, kNowhere); }, F::GUEST_FS_BASE,
     kNowhere},
    {"the base addresses of TR",
     [](B& b) {  // usable or not
       b.set(F::GUEST_GS_RIGHTS, 0x1'0000);
       b.set(F::GUEST_GS_BASE, kNowhere);
     },
     F::GUEST_GS_BASE, kNowhere},
    {"the base address of LDTR", [](B& b) { b.set(F::GUEST_LDTR_BASE, kNowhere); },
     F::GUEST_LDTR_BASE, kNowhere},
    {"bits 63:32 of the base address of CS", [](B& b) { b.set(F::GUEST_CS_BASE, u64{1} << 32); },
     F::GUEST_CS_BASE, u64{1} << 32},
    {"bits 63:32 of the base address of SS", [](B& b) { b.set(F::GUEST_SS_BASE, u64{1} << 63); },
     F::GUEST_SS_BASE, u64{1} << 63},
    {"bits 63:32 of the base address of SS", [](B& b) { b.set(F::GUEST_DS_BASE, u64{1} << 32); },
     F::GUEST_DS_BASE, u64{1} << 32},
    {"bits 63:32 of the base address of SS", [](B& b) { b.set(F::GUEST_ES_BASE, u64{1} << 40); },
     F::GUEST_ES_BASE, u64{1} << 40, Guest::k32},

    {"the limit is FFFFH", [](B& b) { b.set(F::GUEST_SS_LIMIT, 0xFFFE); }, F::GUEST_SS_LIMIT,
     kAll32, Guest::kV86},
    {"the limit is FFFFH", [](B& b) { b.set(F::GUEST_FS_LIMIT, kAll32); }, F::GUEST_FS_LIMIT,
     kAll32, Guest::kV86},
    {"the access rights are F3H", [](B& b) { b.set(F::GUEST_CS_RIGHTS, 0xFB); }, F::GUEST_CS_RIGHTS,
     0x08, Guest::kV86},
    {"the access rights are F3H", [](B& b) { b.set(F::GUEST_ES_RIGHTS, 0x1'0093); },
     F::GUEST_ES_RIGHTS, 0x1'0060, Guest::kV86},

    {"the type of CS", [](B& b) { b.set(F::GUEST_CS_RIGHTS, 0xA09A); }, F::GUEST_CS_RIGHTS, 0xF},
    {"the type of CS", [](B& b) { b.set(F::GUEST_CS_RIGHTS, 0xC093); }, F::GUEST_CS_RIGHTS, 0xF,
     Guest::k32},
    {"the type of CS", [](B& b) { b.set(F::GUEST_CS_RIGHTS, 0x91); }, F::GUEST_CS_RIGHTS, 0xF,
     Guest::kReal},
    {"the type of SS", [](B& b) { b.set(F::GUEST_SS_RIGHTS, 0xC091); }, F::GUEST_SS_RIGHTS, 0xF},
    {"the type of SS", [](B& b) { b.set(F::GUEST_SS_RIGHTS, 0x9B); }, F::GUEST_SS_RIGHTS, 0xF,
     Guest::kReal},
    {"DS, ES, FS and GS are accessed", [](B& b) { b.set(F::GUEST_DS_RIGHTS, 0xC092); },
     F::GUEST_DS_RIGHTS, 0x1},
    {"DS, ES, FS and GS are accessed", [](B& b) { b.set(F::GUEST_GS_RIGHTS, 0xC09A); },
     F::GUEST_GS_RIGHTS, 0x1},
    {"DS, ES, FS and GS are readable", [](B& b) { b.set(F::GUEST_ES_RIGHTS, 0xC099); },
     F::GUEST_ES_RIGHTS, 0x2},
    {"S is 1", [](B& b) { b.clear(F::GUEST_CS_RIGHTS, 0x10); }, F::GUEST_CS_RIGHTS, 0x10},
    {"S is 1", [](B& b) { b.clear(F::GUEST_FS_RIGHTS, 0x10); }, F::GUEST_FS_RIGHTS, 0x10},
    {"DPL of CS is 0", [](B& b) { b.set(F::GUEST_CS_RIGHTS, 0xB3); }, F::GUEST_CS_RIGHTS, 0x60,
     Guest::kReal},
    {"DPL of CS equals", [](B& b) { b.or_in(F::GUEST_CS_RIGHTS, 0x60); }, F::GUEST_CS_RIGHTS, 0x60},
    {"DPL of CS equals",
     [](B& b) {  // DPL of SS counts even where SS is unusable
       b.set(F::GUEST_SS_RIGHTS, 0x1'0060);
       b.set(F::GUEST_SS_SELECTOR, 0);
     },
     F::GUEST_CS_RIGHTS, 0x60},
    {"DPL of CS is at most", [](B& b) { b.set(F::GUEST_CS_RIGHTS, 0xC0BF); }, F::GUEST_CS_RIGHTS,
     0x60, Guest::k32},
    {"DPL of SS equals",
     [](B& b) {
       b.or_in(F::GUEST_CS_RIGHTS, 0x60);
       b.or_in(F::GUEST_SS_RIGHTS, 0x60);
     },
     F::GUEST_SS_RIGHTS, 0x60},
    {"DPL of SS is 0",
     [](B& b) {
       b.or_in(F::GUEST_CS_RIGHTS, 0x20);
       b.or_in(F::GUEST_SS_RIGHTS, 0x20);
     },
     F::GUEST_SS_RIGHTS, 0x60, Guest::kReal},
    {"DPL of SS is 0",
     [](B& b) {  // protected mode, before the far jump
       unrestricted(b);
       b.set(F::GUEST_CS_RIGHTS, 0x93);
       b.set(F::GUEST_CS_LIMIT, 0xFFFF);
       b.or_in(F::GUEST_SS_RIGHTS, 0x40);
     },
     F::GUEST_SS_RIGHTS, 0x60, Guest::k32},
    {"DPL of DS", [](B& b) { b.or_in(F::GUEST_DS_SELECTOR, 1); }, F::GUEST_DS_RIGHTS, 0x60},
    {"DPL of DS",
     [](B& b) {
       user(b);
       b.or_in(F::GUEST_GS_SELECTOR, 3);
       b.or_in(F::GUEST_GS_RIGHTS, 0x40);
     },
     F::GUEST_GS_RIGHTS, 0x60},
    {"P is 1", [](B& b) { b.clear(F::GUEST_CS_RIGHTS, 0x80); }, F::GUEST_CS_RIGHTS, 0x80},
    {"P is 1", [](B& b) { b.clear(F::GUEST_ES_RIGHTS, 0x80); }, F::GUEST_ES_RIGHTS, 0x80},
    {"bits 11:8 of the access rights are", [](B& b) { b.or_in(F::GUEST_SS_RIGHTS, 0x900); },
     F::GUEST_SS_RIGHTS, 0x900},
    {"D/B of CS", [](B& b) { b.or_in(F::GUEST_CS_RIGHTS, 0x4000); }, F::GUEST_CS_RIGHTS, 0x4000},
    {"G is 0", [](B& b) { b.set(F::GUEST_DS_LIMIT, 0xFFFF'FFFE); }, F::GUEST_DS_RIGHTS, 0x8000},
    {"G is 1", [](B& b) { b.clear(F::GUEST_FS_RIGHTS, 0x8000); }, F::GUEST_FS_RIGHTS, 0x8000},
    {"bits 31:17 of the access rights are", [](B& b) { b.or_in(F::GUEST_CS_RIGHTS, 0x2'0000); },
     F::GUEST_CS_RIGHTS, 0x2'0000},

    {"the type of TR is 3", [](B& b) { b.set(F::GUEST_TR_RIGHTS, 0x89); }, F::GUEST_TR_RIGHTS, 0xF,
     Guest::k32},
    {"the type of TR is 11", [](B& b) { b.set(F::GUEST_TR_RIGHTS, 0x83); }, F::GUEST_TR_RIGHTS,
     0xF},
    {"S of TR", [](B& b) { b.or_in(F::GUEST_TR_RIGHTS, 0x10); }, F::GUEST_TR_RIGHTS, 0x10},
    {"P of TR", [](B& b) { b.clear(F::GUEST_TR_RIGHTS, 0x80); }, F::GUEST_TR_RIGHTS, 0x80},
    {"bits 11:8 of the access rights of TR", [](B& b) { b.or_in(F::GUEST_TR_RIGHTS, 0x400); },
     F::GUEST_TR_RIGHTS, 0x400},
    {"G of TR is 0", [](B& b) { b.or_in(F::GUEST_TR_RIGHTS, 0x8000); }, F::GUEST_TR_RIGHTS, 0x8000},
    {"G of TR is 1", [](B& b) { b.set(F::GUEST_TR_LIMIT, 0x10'0000); }, F::GUEST_TR_RIGHTS, 0x8000},
    {"TR is usable", [](B& b) { b.or_in(F::GUEST_TR_RIGHTS, 0x1'0000); }, F::GUEST_TR_RIGHTS,
     0x1'0000, Guest::kV86},
    {"bits 31:17 of the access rights of TR", [](B& b) { b.or_in(F::GUEST_TR_RIGHTS, 0x10'0000); },
     F::GUEST_TR_RIGHTS, 0x10'0000},

    {"the type of LDTR", [](B& b) { b.set(F::GUEST_LDTR_RIGHTS, 0x83); }, F::GUEST_LDTR_RIGHTS,
     0xF},
    {"S of LDTR", [](B& b) { b.or_in(F::GUEST_LDTR_RIGHTS, 0x10); }, F::GUEST_LDTR_RIGHTS, 0x10},
    {"P of LDTR", [](B& b) { b.clear(F::GUEST_LDTR_RIGHTS, 0x80); }, F::GUEST_LDTR_RIGHTS, 0x80},
    {"bits 11:8 of the access rights of LDTR", [](B& b) { b.or_in(F::GUEST_LDTR_RIGHTS, 0xF00); },
     F::GUEST_LDTR_RIGHTS, 0xF00},
    {"G of LDTR is 0",
     [](B& b) {
       b.or_in(F::GUEST_LDTR_RIGHTS, 0x8000);
       b.set(F::GUEST_LDTR_LIMIT, 0xFF7FF);
     },
     F::GUEST_LDTR_RIGHTS, 0x8000},
    {"G of LDTR is 1", [](B& b) { b.set(F::GUEST_LDTR_LIMIT, 0x8000'0FFF); }, F::GUEST_LDTR_RIGHTS,
     0x8000},
    {"bits 31:17 of the access rights of LDTR",
     [](B& b) { b.or_in(F::GUEST_LDTR_RIGHTS, 0x8000'0000); }, F::GUEST_LDTR_RIGHTS, 0x8000'0000},
};

}  // namespace segments_detail

inline constexpr SpoiledSection kSpoiledSegments[] = {
    {EntryPhase::kGuestState, "Checks on Guest Segment Registers", segments_detail::kSegments},
};

}  // namespace vtsim::vmx::test
