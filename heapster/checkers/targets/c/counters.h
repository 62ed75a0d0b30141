/* What a target compiled with --coverage is linked with: its counters of lines and branches, told when we say so.

   A case ends by _exit, a signal or a kill, so that nothing is told by itself; and its malloc may be the very one that
   is broken, so that telling must not ask for memory. */
#ifndef HEAPSTER_COUNTERS_H
#define HEAPSTER_COUNTERS_H

#define TELL_COUNTERS "heapster_tell_counters"
void heapster_tell_counters(void); /* adds all counters to what their files hold; once */

#endif
