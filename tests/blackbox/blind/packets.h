/* A pool of packets: descriptors in front, buffers behind; free ones are linked by index. */
#include <stddef.h>
#include <stdint.h>

struct packets {
    uint16_t count, first;
    unsigned char *buffers;
    uint16_t follows[1000];
};

struct packets *packets_open(void *memory, size_t bytes);
void *packet_get(struct packets *pool, size_t bytes);
void packet_put(struct packets *pool, void *packet);
