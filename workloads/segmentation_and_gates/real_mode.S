// Protected mode, 16-bit protected mode, real mode, and back. Copied to REAL_CODE, so that 16-bit
// offsets reach it. What real mode does is told in the bytes at REAL_RESULTS.

#include "layout.h"
#include "segmentation.h"

#define AT(label) (REAL_CODE + (label - real_mode_trip))
#define CR0_PE 1

    .section .rodata
    .global real_mode_trip, real_mode_trip_end
    .code32
real_mode_trip:
    ljmp $CODE16, $AT(protected_16)
    .code16
protected_16:
    mov $DATA16, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %fs
    mov %ax, %gs
    mov %ax, %ss
    mov $REAL_STACK, %sp
    lidtl AT(real_idt)
    mov %cr0, %eax
    and $~CR0_PE, %eax
    mov %eax, %cr0
    ljmp $0, $AT(real)
real:
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    smsw %ax
    mov %ax, REAL_RESULTS               // MSW: PE clear
    movw $AT(handler), 4 * 0x60         // the interrupt table at 0: offset, segment
    movw $0, 4 * 0x60 + 2
    mov 4 * 13, %ebp
    movw $AT(fault), 4 * 13
    movw $0, 4 * 13 + 2
    mov $0x1200, %ax
    mov %ax, %es                        // base 12000h
    movb $0x5a, %es:0x34
    int $0x60
after_int:
    mov %sp, REAL_RESULTS + 8           // balanced again
    mov %es:0xffff, %ax                 // a word that ends beyond the limit
after_fault:
    mov %ebp, 4 * 13
    pushf
    pop %ax
    mov %ax, REAL_RESULTS + 14
    lidtl AT(protected_idt)
    mov %cr0, %eax
    or $CR0_PE, %eax
    mov %eax, %cr0
    ljmpl $CODE32, $AT(protected_32)
handler:                                // three words: IP, CS, FLAGS
    mov %sp, REAL_RESULTS + 2
    mov %sp, %bx
    mov (%bx), %ax
    sub $AT(after_int), %ax
    mov %ax, REAL_RESULTS + 4           // 0: it points behind INT
    pushf
    pop %ax
    mov %ax, REAL_RESULTS + 6           // IF clear
    iret
fault:                                  // no error code in real mode
    mov %sp, REAL_RESULTS + 10
    incw REAL_RESULTS + 12
    add $6, %sp
    jmp after_fault
    .code32
protected_32:
    mov $DATA64, %eax
    mov %eax, %ds
    mov %eax, %ss
    mov $outer_stack + 4096, %esp
    int3
    .balign 8
real_idt:
    .word 0x3ff
    .long 0
    .balign 8
protected_idt:
    .word 64 * 8 - 1
    .long legacy_idt
real_mode_trip_end:
