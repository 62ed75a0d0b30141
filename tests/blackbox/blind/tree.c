/* Best fit: free extents in a binary tree by size and address; used ones know their size. Nothing is merged; what is
   left over of a split stays in the tree. */
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>

struct extent {
	size_t size;			/* with this head */
	size_t spare;
	struct extent *smaller, *larger;
};

#define HEAD	16
#define LEAST	sizeof(struct extent)
#define GROW	(1 << 20)

static struct extent *root;

static int
is_before(const struct extent *a, const struct extent *b)
{
	return a->size != b->size ? a->size < b->size : a < b;
}

static void
add(struct extent *e)
{
	struct extent **where = &root;

	while (*where)
		where = is_before(e, *where) ? &(*where)->smaller : &(*where)->larger;
	e->smaller = e->larger = NULL;
	*where = e;
}

static struct extent **
best(size_t size)
{
	struct extent **where = &root, **found = NULL;

	while (*where) {
		if ((*where)->size >= size) {
			found = where;
			where = &(*where)->smaller;
		} else {
			where = &(*where)->larger;
		}
	}
	return found;
}

static struct extent *
detach(struct extent **where)
{
	struct extent *e = *where, **last = &e->smaller;

	if (!e->smaller) {
		*where = e->larger;
		return e;
	}
	while ((*last)->larger)
		last = &(*last)->larger;
	struct extent *up = *last;
	*last = up->smaller;
	up->smaller = e->smaller;
	up->larger = e->larger;
	*where = up;
	return e;
}

void *
malloc(size_t size)
{
	struct extent **where, *e, *rest;

	if (size > PTRDIFF_MAX - GROW)
		return errno = ENOMEM, NULL;
	size = (size + HEAD + 15) & ~(size_t)15;
	if (size < LEAST)
		size = LEAST;
	if (!(where = best(size))) {
		size_t bytes = size > GROW ? (size + 4095) & ~(size_t)4095 : GROW;
		e = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (e == MAP_FAILED)
			return errno = ENOMEM, NULL;
		e->size = bytes;
	} else {
		e = detach(where);
	}
	if (e->size - size >= 1024) {
		rest = (struct extent *)((char *)e + size);
		rest->size = e->size - size;
		e->size = size;
		add(rest);
	}
	return (char *)e + HEAD;
}

void
free(void *p)
{
	if (p)
		add((struct extent *)((char *)p - HEAD));
}

void *
realloc(void *p, size_t size)
{
	void *q;
	size_t room;

	if (!p)
		return malloc(size);
	room = ((struct extent *)((char *)p - HEAD))->size - HEAD;
	if (size <= room)
		return p;
	if (!(q = malloc(size)))
		return NULL;
	memcpy(q, p, room);
	free(p);
	return q;
}
