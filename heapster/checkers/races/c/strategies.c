/* Strategies: which thread goes on at a switch point, and which write an atomic meets. See scheduler.h. */
#include "scheduler.h"

static uint32_t next_segment, next_old;
static uint64_t random_state;
static int priority[MOST_THREADS], lowest, changes_left;
static uint32_t changes[32];

uint64_t draw(void)
{
    uint64_t z = random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static int follow(int me, uint32_t enabled)
{
    if (me >= 0 && enabled >> me & 1 && steps != stop)
        return me;
    stop = STEP_LIMIT;
    if (next_segment == shared->segments_in)
        return me >= 0 && enabled >> me & 1 ? me : first_of(enabled);
    const struct segment *asked = &shared->asked[next_segment++];
    if (asked->points != 0)
        stop = steps + asked->points;
    return enabled >> asked->thread & 1 ? (int)asked->thread : first_of(enabled);
}

static int by_chance(uint32_t enabled)
{
    stop = steps + 1 + (uint32_t)(draw() % (2 * shared->gap));
    int nth = (int)(draw() % (uint64_t)__builtin_popcount(enabled));
    while (nth-- > 0)
        enabled &= enabled - 1;
    return first_of(enabled);
}

static int by_priority(int me, uint32_t enabled)
{
    while (changes_left > 0 && changes[changes_left - 1] <= steps) {
        changes_left--;
        if (me >= 0)
            priority[me] = --lowest;
    }
    stop = changes_left > 0 ? changes[changes_left - 1] : STEP_LIMIT;
    int best = first_of(enabled);
    for (int i = 0; i < MOST_THREADS; i++)
        if (enabled >> i & 1 && priority[i] > priority[best])
            best = i;
    return best;
}

/* Burckhardt and others, ASPLOS 2010, section 3: random priorities, and `depth` - 1 places where the runner's sinks. */
static void draw_priorities(void)
{
    lowest = 32;
    for (int i = 0; i < MOST_THREADS; i++)
        priority[i] = 64 + i;
    for (int i = MOST_THREADS - 1; i > 0; i--) {
        int other = (int)(draw() % (uint64_t)(i + 1)), was = priority[i];
        priority[i] = priority[other], priority[other] = was;
    }
    changes_left = 0;
    for (uint64_t n = 1; n < shared->depth && n < 32; n++) {
        uint32_t at = (uint32_t)(draw() % (shared->length + 1));
        int place = changes_left++;
        for (; place > 0 && changes[place - 1] < at; place--)
            changes[place] = changes[place - 1];
        changes[place] = at;
    }
}

int choose_thread(int me, uint32_t enabled)
{
    switch (shared->strategy) {
    case BY_CHANCE:
        return by_chance(enabled);
    case BY_PRIORITY:
        return by_priority(me, enabled);
    default:
        return follow(me, enabled);
    }
}

static unsigned asked_write(void)
{
    const struct old *asked = &shared->asked_old[next_old];
    if (next_old == shared->old_in || asked->question != shared->questions)
        return 0;
    next_old++;
    return asked->back;
}

unsigned prefer_write(unsigned number)
{
    unsigned chosen = shared->strategy == FOLLOW ? asked_write() : draw() % 2 ? (unsigned)(draw() % number) : 0;
    return chosen < number ? chosen : number - 1;
}

void begin_strategy(void)
{
    random_state = shared->seed * 0x9E3779B97F4A7C15u;
    stop = STEP_LIMIT;
    next_segment = next_old = 0;
    if (shared->strategy == BY_PRIORITY)
        draw_priorities();
}
