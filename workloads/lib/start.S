// From the PVH or multiboot 2 entry (32-bit, paging off; EBX = what the loader tells) to 64-bit C;
// and the same way for the other cores from their real-mode start.

#include "layout.h"

#define CR0_PE 0x00000001
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define EFER 0xc0000080
#define EFER_LME_NXE 0x900
#define PAGE_PRESENT_WRITABLE 0x3
#define PAGE_USER 0x4
#define PAGE_LARGE 0x80

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18              // name size, value size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long pvh_start

    .text
    .code32
    .global pvh_start, multiboot2_start
pvh_start:
    xor %eax, %eax
multiboot2_start:               // EAX = 36D76289h
    cld
    mov $boot_stack_end, %esp
    mov %eax, %ebp
    call build_identity_map
    lgdt gdt_pointer
    call enter_long_mode
    ljmp $CODE64, $boot_64

// Four page directories of 2 MiB pages, which allow the user everything; the entries above them tell
// what the user may reach (layout.h).
build_identity_map:
    movl $pdpt + PAGE_PRESENT_WRITABLE + PAGE_USER, pml4
    movl $page_directory_0 + PAGE_PRESENT_WRITABLE, pdpt
    movl $page_directory_0 + PAGE_PRESENT_WRITABLE + PAGE_USER, pdpt + 8
    movl $page_directory_window + PAGE_PRESENT_WRITABLE + PAGE_USER, pdpt + 16
    movl $page_directory_3 + PAGE_PRESENT_WRITABLE, pdpt + 24
    xor %ecx, %ecx
    mov $PAGE_LARGE + PAGE_PRESENT_WRITABLE + PAGE_USER, %eax
1:  mov %eax, page_directory_0(, %ecx, 8)
    lea 0xc0000000(%eax), %edx
    mov %edx, page_directory_3(, %ecx, 8)
    add $0x200000, %eax
    inc %ecx
    cmp $512, %ecx
    jb 1b
    ret

// PAE, CR3, EFER.LME and NXE, then paging. Returns in compatibility mode; keeps EBX.
enter_long_mode:
    mov %cr4, %eax
    or $CR4_PAE, %eax
    mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    rdmsr
    or $EFER_LME_NXE, %eax
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
    mov %ebp, %edi
    mov %ebx, %esi
    xor %ebp, %ebp
    call start_guest
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
    .word GDT_ENTRIES * 8 - 1
    .long gdt
trampoline_end:

// Each core takes the next number, and with it a stack.
    .code32
other_core_32:
    mov $DATA64, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $1, %ebp
    lock xadd %ebp, cores_started
    mov %ebp, %esp
    imul $STACK_BYTES, %esp
    add $other_stacks, %esp
    call enter_long_mode
    ljmp $CODE64, $other_core_64

    .code64
other_core_64:
    mov %esp, %esp
    mov %ebp, %edi
    xor %ebp, %ebp
    call start_other_core
1:  cli
    hlt
    jmp 1b

    .data
    .balign 8
    .global gdt, cores_started
gdt:
    .quad 0
    .irpc dpl, 0123
    .quad 0x00cf9b000000ffff + (\dpl << 45)    // CODE32_OF
    .quad 0x00af9b000000ffff + (\dpl << 45)    // CODE64_OF
    .quad 0x00cf93000000ffff + (\dpl << 45)    // DATA_OF
    .endr
    .quad 0, 0, 0                              // TSS64, TSS32: contexts.c
    .quad 0x00009b000000ffff                   // CODE16
    .quad 0x000093000000ffff                   // DATA16
    .skip GDT_ENTRIES * 8 - (. - gdt)
    .global gdt_pointer
gdt_pointer:
    .word GDT_ENTRIES * 8 - 1
    .quad gdt
    .balign 4
cores_started:                  // the first core is number 0
    .long 1

    .bss
    .balign 4096
    .global pml4, page_directory_window
pml4:
    .skip 4096
pdpt:
    .skip 4096
page_directory_0:
    .skip 4096
page_directory_window:
    .skip 4096
page_directory_3:
    .skip 4096
    .skip STACK_BYTES
boot_stack_end:
other_stacks:                   // of core 1, 2...: number n's ends n * STACK_BYTES on
    .skip STACK_BYTES * (MAX_CORES - 1)
