// The instructions under test, each followed by INT3. The bytes mean the same in 64-, 32- and 16-bit
// code: operands are 32-bit registers without prefix, or memory by ModRM (mod 0, r/m 3), which is
// [RBX] or [EBX], and [BP+DI] in 16-bit code.

#include "privilege.h"

    .code32
#define SNIPPET(name, ...) \
    .balign 16; .global code_##name; code_##name: __VA_ARGS__; int3;

    .section .rodata
INSTRUCTIONS(SNIPPET)
