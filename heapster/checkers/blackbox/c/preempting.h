#ifndef PREEMPTING_H
#define PREEMPTING_H

/* The calling thread rests a moment now and then, wherever it is, until it stops; where the system has no timer for it,
   it does not. */
void start_resting(void);
void stop_resting(void);

#endif
