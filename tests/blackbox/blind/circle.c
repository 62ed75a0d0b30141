/* After Kernighan and Ritchie, section 8.7: a circular list by address, of headers that are counted in headers. */
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <sys/mman.h>

typedef union header {
    struct {
        union header *ptr;
        size_t size;
    } s;
    max_align_t x;
} Header;

static Header base;
static Header *freep = NULL;

void free(void *ap)
{
    Header *bp, *p;
    if (ap == NULL)
        return;
    bp = (Header *)ap - 1;
    for (p = freep; !(bp > p && bp < p->s.ptr); p = p->s.ptr)
        if (p >= p->s.ptr && (bp > p || bp < p->s.ptr))
            break;
    if (bp + bp->s.size == p->s.ptr) {
        bp->s.size += p->s.ptr->s.size;
        bp->s.ptr = p->s.ptr->s.ptr;
    } else
        bp->s.ptr = p->s.ptr;
    if (p + p->s.size == bp) {
        p->s.size += bp->s.size;
        p->s.ptr = bp->s.ptr;
    } else
        p->s.ptr = bp;
    freep = p;
}

static Header *morecore(size_t nu)
{
    void *cp;
    Header *up;
    if (nu < 8192)
        nu = 8192;
    cp = mmap(NULL, nu * sizeof(Header), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (cp == MAP_FAILED)
        return NULL;
    up = cp;
    up->s.size = nu;
    free(up + 1);
    return freep;
}

void *malloc(size_t nbytes)
{
    Header *p, *prevp;
    size_t nunits;
    if (nbytes > PTRDIFF_MAX - 4096)
        return NULL;
    nunits = (nbytes + sizeof(Header) - 1) / sizeof(Header) + 1;
    if ((prevp = freep) == NULL) {
        base.s.ptr = freep = prevp = &base;
        base.s.size = 0;
    }
    for (p = prevp->s.ptr;; prevp = p, p = p->s.ptr) {
        if (p->s.size >= nunits) {
            if (p->s.size == nunits)
                prevp->s.ptr = p->s.ptr;
            else {
                p->s.size -= nunits;
                p += p->s.size;
                p->s.size = nunits;
            }
            freep = prevp;
            return p + 1;
        }
        if (p == freep)
            if ((p = morecore(nunits)) == NULL)
                return NULL;
    }
}
