// Size classes as a template: each bin hands out slots of one size, cut from pages of the system's.
#pragma once
#include <cstddef>
#include <cstdint>

namespace heap {

struct Slot {
    Slot *next;
};

void *pages(std::size_t bytes);

template <std::size_t Size> class Bin
{
  public:
    void *take()
    {
        if (free_ == nullptr && !fill())
            return nullptr;
        Slot *slot = free_;
        free_ = slot->next;
        return slot;
    }

    void give(void *block)
    {
        auto *slot = static_cast<Slot *>(block);
        slot->next = free_;
        free_ = slot;
    }

  private:
    static constexpr std::size_t page = 16384;

    bool fill()
    {
        auto *memory = static_cast<char *>(pages(page));
        if (memory == nullptr)
            return false;
        for (std::size_t at = 0; at + Size <= page; at += Size)
            give(memory + at);
        return true;
    }

    Slot *free_ = nullptr;
};

} // namespace heap
