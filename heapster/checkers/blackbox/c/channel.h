/* What a case tells the judge, so that no target can say it in its place.

   A target shares its addresses with the case that runs it: what lies in memory that the judge reads too may be
   anybody's words. So a case works on a header of its own. On the board, which is shared, it only leaves word of where
   it is, should it die; the operations that it was given cannot be written there. At its end it tells the rest through
   a pipe, with a word that only it and the judge know, and with digests of what it has left on the board. */
#ifndef HEAPSTER_CHANNEL_H
#define HEAPSTER_CHANNEL_H

#include "judge.h"

enum heard { NOTHING_HEARD, TOLD, CONTRADICTED };

#define TOLD_ALL 73 /* exit status of a case that told */

void channel_map(int fd); /* the board, which nobody can map again */

/* The judge. */
void channel_order(void);      /* what it is to run next stands on the board */
void channel_begin(void);      /* before a case is forked */
void channel_begun(void);      /* after that */
void channel_glance(void);     /* what a case has left on the board so far */
enum heard channel_hear(void); /* what a case told that is over */
void channel_answer(void);     /* onto the board, where no case is left that could write there */

/* The case. */
void channel_enter(void);          /* it was forked */
_Noreturn void channel_tell(void); /* it ends as it should */

#endif
