/* account.cc - what a guest's memory is counted by: the pages and buffers that V8 asks for.
 *
 * Runs in:  template (the accounts start), cell.
 * Threads:  the engine's thread only.
 */
#include "engine/account.h"

#include "base/huge.h"
#include "base/limits.h"

#include <algorithm>
#include <cstdlib>
#include <map>

struct account account;

static bool
fits(uint64_t bytes)
{
    uint64_t limit = eng.config.memory_limit_bytes;
    uint64_t used = account.heap + account.malloced + account_outside();

    /* Before there is an isolate, V8 starts itself. */
    return limit == 0 || (used <= limit && bytes <= limit - used);
}

/* Notes that V8 was refused memory, upon which it collects garbage and may ask
 * near_heap_limit() for what isn't the heap's to give. */
static void
refused(void)
{
    account.refused_at = account.collections;
    account.refused = true;
}

/* What the guest's memory may be for a moment: a collection copies before it frees. */
static bool
under_ceiling(uint64_t bytes)
{
    uint64_t limit = eng.config.memory_limit_bytes;
    uint64_t ceiling = limit + limit / 4 + MEMORY_SLACK_BYTES_MAX;

    return limit == 0 || account.heap_pages + account_outside() + bytes <= ceiling;
}

static void
charged(void)
{
    account.peak = std::max(account.peak, account.buffers + account.pages);
    if (eng.isolate != nullptr)
        memory_grows(account.heap_pages + account_outside());
}

bool
account_taken(size_t length)
{
    if (!fits(length)) {
        refused();
        return false;
    }
    account.buffers += length;
    charged();
    return true;
}

void
account_returned(size_t length)
{
    account.buffers -= length;
}

namespace
{

/* V8's pages, of which there are three kinds.
 *
 * Wasm memories and buffers that can grow are reserved whole without access and made accessible
 * from the start as they grow: what is accessible counts as outside of the heap, and with it the
 * page tables that it takes, or a guest would touch a page here and there. What is reserved is
 * bounded, too: V8 cannot go on where its heap finds no addresses. V8's heap asks for accessible
 * pages at once. V8 watches it itself, but lets one large object pass whatever
 * its size, so here is the ceiling above which even that is refused. Code asks for another kind
 * of no access, and all of its addresses are few. */
class counted_pages final : public v8::PageAllocator
{
    struct page_range {
        size_t length;
        uintptr_t from, to; /* accessible */
        uint64_t *account;
    };
    v8::PageAllocator *base;
    std::map<uintptr_t, struct page_range> regions;
    uint64_t reserved = 0;     /* bytes of the regions that count in account.pages */
    uint32_t reservations = 0; /* how many they are */

    struct page_range *holder(uintptr_t address)
    {
        auto after = regions.upper_bound(address);

        if (after == regions.begin())
            return nullptr;
        auto found = std::prev(after);
        return address - found->first < found->second.length ? &found->second : nullptr;
    }

    static bool accessible(Permission permission)
    {
        return permission != kNoAccess && permission != kNoAccessWillJitLater;
    }

    static bool is_reservation(const struct page_range &range)
    {
        return range.account == &account.pages;
    }

    /* The page tables for a region's accessible part. */
    static uint64_t tables(const struct page_range &range, uintptr_t from, uintptr_t to)
    {
        return from == to || !is_reservation(range)
                   ? 0
                   : ((to - 1) / PAGE_TABLE_SPAN - from / PAGE_TABLE_SPAN + 1) *
                         PAGE_TABLE_BYTES;
    }

    static void set_accessible(struct page_range *range, uintptr_t from, uintptr_t to)
    {
        *range->account += (to - from) - (range->to - range->from);
        account.tables += tables(*range, from, to) - tables(*range, range->from, range->to);
        range->from = from;
        range->to = to;
    }

    bool may_reserve(size_t length) const
    {
        return length <= RESERVED_BYTES_MAX && reserved <= RESERVED_BYTES_MAX - length &&
               reservations < RESERVATIONS_MAX;
    }

    /* V8 grows and shrinks at the end, so one range per region says it all. */
    static bool grow(struct page_range *grown, uintptr_t from, uintptr_t to)
    {
        uintptr_t low = grown->from == grown->to ? from : std::min(grown->from, from);
        uintptr_t high = grown->from == grown->to ? to : std::max(grown->to, to);
        uint64_t more = (high - low) - (grown->to - grown->from) + tables(*grown, low, high) -
                        tables(*grown, grown->from, grown->to);

        if (is_reservation(*grown) && !fits(more)) {
            refused();
            return false;
        }
        set_accessible(grown, low, high);
        charged();
        return true;
    }

    static void shrink(struct page_range *shrunk, uintptr_t from, uintptr_t to)
    {
        if (from <= shrunk->from && to >= shrunk->to)
            set_accessible(shrunk, shrunk->from, shrunk->from);
        else if (from > shrunk->from && from < shrunk->to && to >= shrunk->to)
            set_accessible(shrunk, shrunk->from, from);
    }

  public:
    explicit counted_pages(v8::PageAllocator *allocator) : base(allocator)
    {
    }
    size_t AllocatePageSize() override
    {
        return base->AllocatePageSize();
    }
    size_t CommitPageSize() override
    {
        return base->CommitPageSize();
    }
    void SetRandomMmapSeed(int64_t seed) override
    {
        base->SetRandomMmapSeed(seed);
    }
    /* Anywhere: then the kernel packs what V8 maps. Scattered, as V8 would have it, every chunk
     * takes page tables of its own: 270 KiB a cell in place of 150, copied at each fork. What
     * random addresses inside one process would hide, its siblings know anyway. */
    void *GetRandomMmapAddr() override
    {
        return nullptr;
    }

    void *AllocatePages(
        void *hint, size_t length, size_t alignment, Permission permission) override
    {
        if (accessible(permission) && !under_ceiling(length))
            return nullptr;
        bool reserves = permission == kNoAccess;
        void *p = reserves && !may_reserve(length)
                      ? nullptr
                      : base->AllocatePages(hint, length, alignment, permission);
        if (p == nullptr) {
            refused();
        } else if (permission != kNoAccessWillJitLater) {
            auto start = reinterpret_cast<uintptr_t>(p);
            struct page_range *made = &regions[start];
            *made = { length, start, start, reserves ? &account.pages : &account.heap_pages };
            reserved += reserves ? length : 0;
            reservations += reserves;
            if (!reserves)
                (void)grow(made, start, start + length);
        }
        return p;
    }

    bool FreePages(void *address, size_t length) override
    {
        auto found = regions.find(reinterpret_cast<uintptr_t>(address));

        if (found != regions.end()) {
            struct page_range *freed = &found->second;
            set_accessible(freed, freed->from, freed->from);
            reserved -= is_reservation(*freed) ? freed->length : 0;
            reservations -= is_reservation(*freed);
            regions.erase(found);
        }
        return base->FreePages(address, length);
    }

    bool ReleasePages(void *address, size_t length, size_t new_length) override
    {
        auto start = reinterpret_cast<uintptr_t>(address);
        struct page_range *region = holder(start);

        if (region != nullptr) {
            shrink(region, start + new_length, start + length);
            reserved -= is_reservation(*region) ? length - new_length : 0;
            region->length = new_length;
        }
        return base->ReleasePages(address, length, new_length);
    }

    bool SetPermissions(void *address, size_t length, Permission permission) override
    {
        auto start = reinterpret_cast<uintptr_t>(address);
        struct page_range *region = holder(start);

        if (region != nullptr && accessible(permission) && !grow(region, start, start + length))
            return false;
        if (!base->SetPermissions(address, length, permission))
            return false;
        if (region != nullptr && !accessible(permission))
            shrink(region, start, start + length);
        return true;
    }

    bool RecommitPages(void *address, size_t length, Permission permission) override
    {
        return base->RecommitPages(address, length, permission);
    }

    bool DiscardSystemPages(void *address, size_t size) override
    {
        return base->DiscardSystemPages(address, size);
    }

    bool DecommitPages(void *address, size_t size) override
    {
        auto start = reinterpret_cast<uintptr_t>(address);
        struct page_range *region = holder(start);

        if (region != nullptr)
            shrink(region, start, start + size);
        return base->DecommitPages(address, size);
    }
};

class buffer_allocator final : public v8::ArrayBuffer::Allocator
{
    template <typename Allocation> static void *charge(size_t length, Allocation allocation)
    {
        void *p = fits(length) ? allocation() : nullptr;

        if (p == nullptr) {
            refused();
            return nullptr;
        }
        huge_advise(p, length);
        account.buffers += length;
        charged();
        return p;
    }

  public:
    void *Allocate(size_t length) override
    {
        return charge(length, [=] { return calloc(1, length); });
    }
    void *AllocateUninitialized(size_t length) override
    {
        return charge(length, [=] { return malloc(length); });
    }
    void Free(void *data, size_t length) override
    {
        account_returned(length);
        free(data);
    }
};

} /* namespace */

v8::PageAllocator *
account_pages(v8::PageAllocator *base)
{
    static counted_pages *const pages = new counted_pages(base);

    return pages;
}

v8::ArrayBuffer::Allocator *
account_allocator(void)
{
    /* Never freed: buffers may outlive anything, and the process ends by _exit. */
    static buffer_allocator *const allocator = new buffer_allocator;

    return allocator;
}
