/* One line of output, put together without allocating. */

#ifndef HEAPSTER_REPORT_H
#define HEAPSTER_REPORT_H

struct line {
    char text[256];
    unsigned long length;
};

struct part {
    const char *text; /* NULL: the number */
    unsigned long number;
    unsigned base;
};

#define TEXT(string) {(string), 0, 0}
#define HEX(word) {0, (unsigned long)(word), 16}
#define DECIMAL(word) {0, (unsigned long)(word), 10}
#define SAY(to, ...)                                                                                                   \
    heapster_say((to), (const struct part[]){__VA_ARGS__},                                                             \
                 (int)(sizeof((const struct part[]){__VA_ARGS__}) / sizeof(struct part)))

/* Writes the parts as one line, by one write. */
__attribute__((visibility("hidden"))) void heapster_say(int to, const struct part *parts, int count);

#endif
