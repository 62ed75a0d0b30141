/* What malloc-lab solutions may expect of the lab's configuration. */
#ifndef CONFIG_H
#define CONFIG_H
#ifndef ALIGNMENT
#define ALIGNMENT 8
#endif
#ifndef MAX_HEAP
#define MAX_HEAP (20 * (1 << 20))
#endif
#endif
