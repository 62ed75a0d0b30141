/* What a target takes of the system, kept account of so that it can be taken back: mappings that it gives back are
   only put out of its reach until nobody wants them back. */
#ifndef HEAPSTER_CLOSING_H
#define HEAPSTER_CLOSING_H

#include <stdint.h>

#define MOST_MAPPINGS 48

struct mapping {
    uintptr_t start, end;
    int gone; /* given back, as far as the target knows */
};

struct mappings {
    unsigned count;
    struct mapping at[MOST_MAPPINGS];
};

const struct mappings *closing_mappings(void);
uintptr_t closing_first_break(void);
int closing_lost_track(void); /* it did what is not accounted for */
int closing_put_back(const struct mappings *before, uintptr_t brk);

/* snapshot.c */
void snapshot_add_static(uintptr_t start, uintptr_t end, int keeps);
unsigned snapshot_statics(void);

#endif
