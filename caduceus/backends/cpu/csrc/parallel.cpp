#include "parallel.h"

#include <stdlib.h>
#include <string.h>

#include <algorithm>
#if defined(__SSE2__)
#include <immintrin.h>
#endif
#if !defined(_OPENMP)
#include <atomic>
#include <thread>
#include <vector>
#endif

namespace caduceus {
namespace {

class FlushDenormals {
#if defined(__SSE2__)
    unsigned before = _mm_getcsr();

  public:
    FlushDenormals() { _mm_setcsr(before | 0x8040); }
    ~FlushDenormals() { _mm_setcsr(before); }
#elif defined(__aarch64__)
    uint64_t before;

  public:
    FlushDenormals() {
        asm volatile("mrs %0, fpcr" : "=r"(before));
        asm volatile("msr fpcr, %0" ::"r"(before | (uint64_t(1) << 24)));
    }
    ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(before)); }
#else
  public:
    FlushDenormals() {}
#endif
    FlushDenormals(const FlushDenormals&) = delete;
};

// Kept from call to call: fresh memory costs a page fault per 4 KB. With CADUCEUS_POISON it is fresh, of the exact size
// and full of NaN, so that a sanitizer sees what is written behind it and a test what is read before it is written.
class Scratch {
    void* memory = nullptr;
    size_t size = 0;

  public:
    ~Scratch() { free(memory); }

    void keep_at_most(size_t bytes) {
        if (size <= bytes) return;
        free(memory);
        memory = nullptr;
        size = 0;
    }

    void* get(size_t bytes) {
#if defined(CADUCEUS_POISON)
        size = 0;
#endif
        if (bytes > size) {
            free(memory);
            size = (bytes + 63) / 64 * 64;
            memory = aligned_alloc(64, size);
            if (memory == nullptr) abort();
#if defined(CADUCEUS_POISON)
            memset(memory, 0xff, bytes);
#endif
        }
        return memory;
    }
};

void* scratch(size_t bytes) {
    static thread_local Scratch own;
    return own.get(bytes);
}

thread_local Scratch workspace;
constexpr size_t KEPT = size_t(1) << 30;

}  // namespace

Workspace::Workspace(size_t bytes) : data(workspace.get(bytes)) {}
Workspace::~Workspace() { workspace.keep_at_most(KEPT); }

void parallel(int64_t tasks, int threads, size_t bytes, Task task, const void* context) {
    const int count = int(std::max<int64_t>(1, std::min<int64_t>(threads, tasks)));
    if (count == 1) {
        FlushDenormals guard;
        void* own = scratch(bytes);
        for (int64_t i = 0; i < tasks; i++) task(context, i, own);
        return;
    }
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads)
    {
        FlushDenormals guard;
        void* own = scratch(bytes);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < tasks; i++) task(context, i, own);
    }
#else
    std::atomic<int64_t> next{0};
    auto work = [&] {
        FlushDenormals guard;
        void* own = scratch(bytes);
        for (int64_t i; (i = next++) < tasks;) task(context, i, own);
    };
    std::vector<std::thread> others;
    for (int i = 1; i < count; i++) others.emplace_back(work);
    work();
    for (auto& other : others) other.join();
#endif
}

}  // namespace caduceus
