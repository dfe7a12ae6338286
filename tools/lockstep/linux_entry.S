# From 32-bit code with flat segments at 10000H to the 64-bit entry of a Linux kernel at 1000000H, with the
# state that its boot protocol asks for ("64-bit BOOT PROTOCOL") and every other register zero.

        .set    BASE, 0x10000
        .set    KERNEL, 0x1000000
        .code32
        .section .text
        .globl  _start
_start:
        cli
        lgdtl   BASE + gdt_pointer
        movb    $0xFF, %al              # no interrupts of devices
        outb    %al, $0x21
        outb    %al, $0xA1
        movl    $0x20, %eax             # PAE
        movl    %eax, %cr4
        movl    $BASE + tables, %eax
        movl    %eax, %cr3
        movl    $0xC0000080, %ecx       # EFER.LME
        movl    $0x100, %eax
        xorl    %edx, %edx
        wrmsr
        movl    $0x80000011, %eax
        movl    %eax, %cr0
        ljmpl   $0x10, $BASE + long_mode
        .code64
long_mode:
        movl    $0x18, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %eax, %fs
        movl    %eax, %gs
        .irp    register, eax, ecx, edx, ebx, ebp, edi, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d
        xorl    %\register, %\register
        .endr
        movl    $BASE + 0x3000, %esp
        movl    $BASE + boot_params, %esi
        cmpl    %eax, %eax
        .globl  lockstep_start
lockstep_start:
        movl    $KERNEL + 0x200, %edi
        jmp     *%rdi

        .balign 8
gdt:
        .quad   0, 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF
gdt_pointer:
        .word   31
        .long   BASE + gdt

        .org    0x4000
tables:                                 # 4 GBytes, each address its own
        .long   BASE + tables + 0x1000 + 3, 0
        .org    0x5000
        .set    n, 0
        .rept   4
        .long   BASE + tables + 0x2000 + 0x1000 * n + 3, 0
        .set    n, n + 1
        .endr
        .org    0x6000
        .set    n, 0
        .rept   2048
        .quad   (n << 21) + 0x83
        .set    n, n + 1
        .endr
        .org    0xA000
        .globl  boot_params
boot_params:
        .org    0xB000
        .globl  command_line
command_line:
        .org    0x10000
