#include "packets.h"

enum { PACKET = 256, NONE = 0xffff };

struct packets *packets_open(void *memory, size_t bytes)
{
    struct packets *pool = memory;
    size_t head = (sizeof *pool + 63) / 64 * 64, count = (bytes - head) / PACKET;
    pool->count = (uint16_t)(count < 1000 ? count : 1000);
    pool->buffers = (unsigned char *)memory + head;
    pool->first = 0;
    for (uint16_t i = 0; i < pool->count; i++)
        pool->follows[i] = i + 1 < pool->count ? (uint16_t)(i + 1) : NONE;
    return pool;
}

void *packet_get(struct packets *pool, size_t bytes)
{
    uint16_t at = pool->first;
    if (bytes > PACKET || at == NONE)
        return NULL;
    pool->first = pool->follows[at];
    return pool->buffers + (size_t)at * PACKET;
}

void packet_put(struct packets *pool, void *packet)
{
    if (packet == NULL)
        return;
    size_t at = (size_t)((unsigned char *)packet - pool->buffers) / PACKET;
    pool->follows[at] = pool->first;
    pool->first = (uint16_t)at;
}
