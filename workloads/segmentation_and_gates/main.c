/* Segments, gates, task switches and changes of mode: SDM 3A "Protection", "Interrupt and Exception
 * Handling", "Task Management", "Processor Management and Initialization > Mode Switching". */
#include "segmentation.h"

const char guest_name[] = "segmentation_and_gates";

void guest_main(void) {
  contexts_init();
  check_access();
  check_loads();
  check_inspection();
  check_transfers();
  check_call_gates();
  check_far_returns();
  check_legacy_interrupts();
  check_tasks();
  check_long_mode();
  check_round_trips();
}
