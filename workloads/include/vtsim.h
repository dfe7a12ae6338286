/* Markers: how a guest talks to the simulator. A marker is the long NOP 0F 1F 80 disp32 with
 * disp32 = 56540000h | code: it does nothing on silicon, at any privilege, in 32- and 64-bit code.
 * RAX and RDX carry arguments. For C and for assembly (GNU as). */
#ifndef VTSIM_H
#define VTSIM_H

#define VTSIM_MARKER_BASE 0x56540000
#define VTSIM_REGION_BEGIN 1
#define VTSIM_REGION_END 2
#define VTSIM_TIMING_MODE 3
#define VTSIM_FUNCTIONAL_MODE 4
#define VTSIM_DUMP_STATISTICS 5
#define VTSIM_SAVE_CHECKPOINT 6
#define VTSIM_STOP 7

#ifdef __ASSEMBLER__

.macro vtsim_marker code.byte 0x0f, 0x1f, 0x80.long VTSIM_MARKER_BASE | \code.endm

#else

/* `code` must be a constant. */
#define VTSIM_MARKER(code, rax, rdx)                                             \
  __asm__ volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0"                         \
                   :                                                             \
                   : "i"(VTSIM_MARKER_BASE | (code)), "a"((unsigned long)(rax)), \
                     "d"((unsigned long)(rdx))                                   \
                   : "memory")

/* A region of interest; `id` tells regions apart in statistics. */
static inline void vtsim_region_begin(unsigned long id) { VTSIM_MARKER(VTSIM_REGION_BEGIN, id, 0); }
static inline void vtsim_region_end(unsigned long id) { VTSIM_MARKER(VTSIM_REGION_END, id, 0); }
static inline void vtsim_timing_mode(void) { VTSIM_MARKER(VTSIM_TIMING_MODE, 0, 0); }
static inline void vtsim_functional_mode(void) { VTSIM_MARKER(VTSIM_FUNCTIONAL_MODE, 0, 0); }
static inline void vtsim_dump_statistics(void) { VTSIM_MARKER(VTSIM_DUMP_STATISTICS, 0, 0); }
static inline void vtsim_save_checkpoint(void) { VTSIM_MARKER(VTSIM_SAVE_CHECKPOINT, 0, 0); }
static inline void vtsim_stop(void) { VTSIM_MARKER(VTSIM_STOP, 0, 0); }

#endif

#endif
