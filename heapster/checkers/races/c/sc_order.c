/* The order of what is sequentially consistent: whether RC11's partial order of it has a cycle.

   Lahav and others, PLDI 2017, section 3 and figure 1, as machine/sc_order.py: sb, sequenced before; hb, happens before;
   mo, modification order; rf, reads from; fr, from-read; eco, extended coherence order. A relation has for each act
   the set of those that lead to it. */
#include <string.h>

#include "weak.h"

typedef unsigned __int128 set;
typedef struct {
    set of[MOST_ACTS];
} relation;

static const struct act *acts;
static int count;

static set one(int i) { return (set)1 << i; }

static int lowest(set from)
{
    uint64_t low = (uint64_t)from;
    return low != 0 ? __builtin_ctzll(low) : 64 + __builtin_ctzll((uint64_t)(from >> 64));
}

/* What leads to any of these. */
static set image(const relation *relation, set of)
{
    set reached = 0;
    for (; of != 0; of &= of - 1)
        reached |= relation->of[lowest(of)];
    return reached;
}

/* Add, for each act, one step of the first and then one of the second. */
static void add_then(relation *to, const relation *first, const relation *second)
{
    for (int i = 0; i < count; i++)
        to->of[i] |= image(first, second->of[i]);
}

static void add(relation *to, const relation *other)
{
    for (int i = 0; i < count; i++)
        to->of[i] |= other->of[i];
}

static struct {
    relation sb, hb, alike, mo, rf, fr;
} found;

static void order(int i)
{
    for (int j = 0; j < count; j++) {
        if (acts[j].thread == acts[i].thread)
            found.sb.of[i] |= j < i ? one(j) : 0;
        else if (acts[j].epoch <= acts[i].knows[acts[j].thread])
            found.hb.of[i] |= one(j);
    }
    found.hb.of[i] |= found.sb.of[i];
}

/* Of what an act writes; 0: nothing. Later writes may have moved it. */
static uint32_t time_made(const struct act *act) { return act->writes != NULL ? act->writes->time : act->made; }

static void cohere(int i)
{
    const struct act *mine = &acts[i];
    const uint32_t made = time_made(mine);
    for (int j = 0; j < count; j++) {
        const struct act *other = &acts[j];
        if (j == i || other->location != mine->location)
            continue;
        found.alike.of[i] |= one(j);
        if (made != 0 && time_made(other) != 0 && time_made(other) < made)
            found.mo.of[i] |= one(j);
        if (mine->reads != NULL && other->writes == mine->reads)
            found.rf.of[i] |= one(j);
        if (made != 0 && other->reads != NULL && other->reads->time < made)
            found.fr.of[i] |= one(j);
    }
}

static void relate(void)
{
    memset(&found, 0, sizeof found);
    for (int i = 0; i < count; i++) {
        order(i);
        if (acts[i].location != NULL)
            cohere(i);
    }
}

static void add_scb(relation *scb)
{
    relation apart, further = {0};
    memset(&apart, 0, sizeof apart);
    for (int i = 0; i < count; i++) {
        apart.of[i] = found.sb.of[i] & ~found.alike.of[i];
        scb->of[i] = found.sb.of[i] | (found.hb.of[i] & found.alike.of[i]);
    }
    add_then(&further, &apart, &found.hb);
    add_then(scb, &further, &apart);
    add(scb, &found.mo), add(scb, &found.fr);
}

static void add_eco(relation *eco)
{
    add(eco, &found.rf), add(eco, &found.mo), add(eco, &found.fr);
    add_then(eco, &found.mo, &found.rf), add_then(eco, &found.fr, &found.rf);
}

/* What must come earlier in the order than act `i`: psc, the union of psc-base and psc-F. */
static set earlier(int i, const relation *scb, const relation *eco, set fences)
{
    const set hb = found.hb.of[i];
    int is_fence = (fences & one(i)) != 0;
    set reached = image(scb, one(i) | (is_fence ? hb : 0));
    set psc = reached | (image(&found.hb, reached) & fences);
    return is_fence ? psc | ((hb | image(&found.hb, image(eco, hb))) & fences) : psc;
}

int has_cycle(const struct act *of, int number)
{
    set ordered = 0, fences = 0;
    acts = of, count = number;
    for (int i = 0; i < count; i++)
        if (acts[i].in_order)
            ordered |= one(i), fences |= acts[i].location == NULL ? one(i) : 0;
    if ((ordered & (ordered - 1)) == 0)
        return 0;
    relation scb, eco = {0}, psc;
    relate();
    add_scb(&scb);
    if (fences != 0)
        add_eco(&eco);
    for (set left = ordered; left != 0; left &= left - 1)
        psc.of[lowest(left)] = earlier(lowest(left), &scb, &eco, fences);
    for (set left = ordered, done; left != 0; left &= ~done) {
        done = 0;
        for (set each = left; each != 0; each &= each - 1)
            done |= (psc.of[lowest(each)] & left) == 0 ? one(lowest(each)) : 0;
        if (done == 0)
            return 1;
    }
    return 0;
}
