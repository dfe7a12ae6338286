// From the PVH entry (32-bit, paging off, EBX = hvm_start_info) to 64-bit C; and the same way for
// the other cores from their real-mode start.

#include "layout.h"

#define CR0_PE 0x00000001
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define EFER 0xc0000080
#define EFER_LME 0x100
#define PAGE_PRESENT_WRITABLE 0x3
#define PAGE_LARGE 0x80

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18              // name size, value size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long pvh_start

    .text
    .code32
    .global pvh_start
pvh_start:
    cld
    mov $boot_stack_end, %esp
    call build_identity_map
    lgdt gdt_pointer
    call enter_long_mode
    ljmp $CODE64, $boot_64

// The low 4 GiB map to themselves in 2 MiB pages: PML4 -> PDPT -> four page directories.
build_identity_map:
    movl $pdpt + PAGE_PRESENT_WRITABLE, pml4
    mov $page_directories + PAGE_PRESENT_WRITABLE, %eax
    xor %ecx, %ecx
1:  mov %eax, pdpt(, %ecx, 8)
    add $4096, %eax
    inc %ecx
    cmp $4, %ecx
    jb 1b
    mov $PAGE_LARGE + PAGE_PRESENT_WRITABLE, %eax
    xor %ecx, %ecx
2:  mov %eax, page_directories(, %ecx, 8)
    add $0x200000, %eax
    inc %ecx
    cmp $2048, %ecx
    jb 2b
    ret

// PAE, CR3, EFER.LME, then paging. Returns in compatibility mode; keeps EBX.
enter_long_mode:
    mov %cr4, %eax
    or $CR4_PAE, %eax
    mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov %cr0, %eax
    or $CR0_PG + CR0_WP + CR0_PE, %eax
    mov %eax, %cr0
    ret

    .code64
boot_64:
    mov $DATA64, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    mov $boot_stack_end, %rsp
    mov %ebx, %edi
    xor %ebp, %ebp
    call boot_main
1:  cli
    hlt
    jmp 1b

// Copied to TRAMPOLINE, where a start-up IPI sends the other cores, in real mode.
    .code16
    .global trampoline, trampoline_end
trampoline:
    cli
    cld
    xor %ax, %ax
    mov %ax, %ds
    lgdtl TRAMPOLINE + (trampoline_gdt_pointer - trampoline)
    mov %cr0, %eax
    or $CR0_PE, %al
    mov %eax, %cr0
    ljmpl $CODE32, $other_core_32
    .balign 4
trampoline_gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
trampoline_end:

    .code32
other_core_32:
    mov $DATA64, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $other_stack_end, %esp
    call enter_long_mode
    ljmp $CODE64, $other_core_64

    .code64
other_core_64:
    mov $other_stack_end, %rsp
    xor %ebp, %ebp
    call other_core_main
1:  cli
    hlt
    jmp 1b

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff    // CODE32
    .quad 0x00af9b000000ffff    // CODE64
    .quad 0x00cf93000000ffff    // DATA64
gdt_end:
    .global gdt_pointer
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

    .bss
    .balign 4096
    .global pml4
pml4:
    .skip 4096
pdpt:
    .skip 4096
page_directories:
    .skip 4 * 4096
    .skip 16384
boot_stack_end:
    .skip 16384
other_stack_end:
