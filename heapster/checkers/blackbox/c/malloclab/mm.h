/* What a malloc-lab solution defines. */
#ifndef MM_H
#define MM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

extern int mm_init(void);
extern void *mm_malloc(size_t size);
extern void mm_free(void *pointer);
extern void *mm_realloc(void *pointer, size_t size);

/* Students wrote down their names in the variable `team`. */
typedef struct {
    char *teamname;
    char *name1;
    char *id1;
    char *name2;
    char *id2;
} team_t;
extern team_t team;
#endif
