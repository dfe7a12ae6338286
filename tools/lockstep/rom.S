# The read-only memory that starts an image on bochs and QEMU in place of a BIOS: 128 KBytes below
# 1 MByte, entered at F000:FFF0. It copies the image from its own lower part to 10000H and goes there,
# in the state in which vtsim starts a flat binary at that address.
# The image is put at its beginning (E000:0). PROTECTED: for an image of 32-bit code with flat segments.

        .code16
        .section .text
        .globl  _start
        .org    0
        .space  ROM_BYTES - 256, 0xFF
_start:
        cli
        cld
        .ifdef  PROTECTED               # to 32-bit code with flat segments
        lgdtl   %cs:rom_gdt_pointer - ROM_BYTES + 0x10000
        movl    $0x11, %eax
        movl    %eax, %cr0
        ljmpl   $0x08, $0x100000 - ROM_BYTES + flat
        .code32
flat:
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
# Bochs gives its memory in blocks of 128 KBytes to addresses in the order in which they are touched, and has
# put the payload where the first blocks will be.
        movl    $PAYLOAD, %esi
touch:
        movl    (%esi), %eax
        addl    $0x20000, %esi
        cmpl    $PAYLOAD_END, %esi
        jb      touch
        movl    $0x100000 - ROM_BYTES, %esi
        movl    $0x10000, %edi
        movl    $16384, %ecx
        rep movsl
        movl    $0x10000, %eax
        jmp     *%eax
        .code16
rom_gdt:
        .quad   0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
rom_gdt_pointer:
        .word   23
        .long   0x100000 - ROM_BYTES + rom_gdt
        .else
        movw    $0x1000, %ax
        movw    %ax, %es
        movw    $0xE000, %ax
        movw    %ax, %ds
        xorw    %si, %si
        xorw    %di, %di
        movw    $16384, %cx             # 64 KBytes: an image is at most that large
        rep movsl
        ljmp    $0x1000, $0
        .endif

        .org    ROM_BYTES - 16
        ljmp    $0xF000, $(0x10000 - 256)
        .org    ROM_BYTES
