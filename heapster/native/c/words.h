/* The compiled allocator's entry points, over words; see heapster/native/entries.py. */

#ifndef HEAPSTER_WORDS_H
#define HEAPSTER_WORDS_H

#pragma GCC visibility push(hidden)

typedef long word;
_Static_assert(sizeof(word) == 8 && sizeof(void *) == 8, "a word holds an address");

word heapster_word_malloc(word request);
void heapster_word_free(word p);
word heapster_word_calloc(word count, word each);
word heapster_word_realloc(word p, word request);
word heapster_word_reallocarray(word p, word count, word each);
word heapster_word_aligned_alloc(word alignment, word request);
word heapster_word_posix_memalign(word out, word alignment, word request);
word heapster_word_memalign(word alignment, word request);
word heapster_word_valloc(word request);
word heapster_word_pvalloc(word request);
word heapster_word_usable_size(word p);
word heapster_word_init(word arena_size, word policy);
word heapster_word_finalize(void);
void heapster_word_after_fork_in_child(void);
void heapster_word_thread_end(void);
word heapster_word_get_cache(void);
void heapster_word_set_cache(word most);
word heapster_word_get_keep(void);
void heapster_word_set_keep(word most);
word heapster_word_trim(word pad);
word heapster_word_get_policy(void);
word heapster_word_set_policy(word policy);
word heapster_word_get_threshold(void);
void heapster_word_set_threshold(word threshold);
word heapster_word_get_growth(void);
void heapster_word_set_arenas(word count);
void heapster_word_stats(word which, word out);
void heapster_word_status(void);
void heapster_word_verify(void);
word heapster_word_statics(void);
word heapster_word_thread(void);

#pragma GCC visibility pop

#endif
