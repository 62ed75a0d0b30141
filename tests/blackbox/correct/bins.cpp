// malloc on templates of C++, with an operator new of its own; large blocks are mapped each for itself.
#include "bins.hpp"

#include <cerrno>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace {

constexpr std::size_t head = 16, slots[] = {32, 128, 512, 2048};

struct Header {
    std::size_t size; // of the slot, or of the mapping
};

struct Bins {
    heap::Bin<32> tiny;
    heap::Bin<128> small;
    heap::Bin<512> medium;
    heap::Bin<2048> large;
};

alignas(Bins) unsigned char room[sizeof(Bins)];
Bins *bins = nullptr;

std::size_t rounded(std::size_t need)
{
    for (std::size_t size : slots)
        if (need <= size)
            return size;
    return (need + 4095) & ~std::size_t{4095};
}

void *taken(std::size_t size)
{
    if (bins == nullptr)
        bins = new (room) Bins;
    switch (size) {
    case 32:
        return bins->tiny.take();
    case 128:
        return bins->small.take();
    case 512:
        return bins->medium.take();
    case 2048:
        return bins->large.take();
    default:
        return heap::pages(size);
    }
}

void given(void *slot, std::size_t size)
{
    switch (size) {
    case 32:
        return bins->tiny.give(slot);
    case 128:
        return bins->small.give(slot);
    case 512:
        return bins->medium.give(slot);
    case 2048:
        return bins->large.give(slot);
    default:
        munmap(slot, size);
    }
}

} // namespace

extern "C" void *malloc(std::size_t size)
{
    if (size > PTRDIFF_MAX - 8192) {
        errno = ENOMEM;
        return nullptr;
    }
    std::size_t slot = rounded(size + head);
    auto *memory = static_cast<char *>(taken(slot));
    if (memory == nullptr) {
        errno = ENOMEM;
        return nullptr;
    }
    reinterpret_cast<Header *>(memory)->size = slot;
    return memory + head;
}

extern "C" void free(void *block)
{
    if (block == nullptr)
        return;
    char *memory = static_cast<char *>(block) - head;
    given(memory, reinterpret_cast<Header *>(memory)->size);
}

void *operator new(std::size_t size)
{
    void *block = malloc(size);
    if (block == nullptr)
        throw std::bad_alloc();
    return block;
}

void operator delete(void *block) noexcept { free(block); }
void operator delete(void *block, std::size_t) noexcept { free(block); }
