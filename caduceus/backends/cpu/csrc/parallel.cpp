#include "parallel.h"

#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#if defined(__SSE2__)
#include <immintrin.h>
#endif
#if defined(_OPENMP)
#include <omp.h>
#else
#include <exception>
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

void relax() {
#if defined(__SSE2__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

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

    // Whether there are that many bytes at `data()`.
    bool reserve(size_t bytes) {
#if defined(CADUCEUS_POISON)
        size = 0;
#endif
        if (bytes <= size) return true;
        free(memory);
        size = (bytes + 63) / 64 * 64;
        memory = aligned_alloc(64, size);
        if (memory == nullptr) size = 0;
#if defined(CADUCEUS_POISON)
        if (memory != nullptr) memset(memory, 0xff, bytes);
#endif
        return memory != nullptr;
    }

    void* data() const { return memory; }

    void* get(size_t bytes) {
        if (!reserve(bytes)) throw OutOfMemory{bytes};
        return memory;
    }
};

thread_local Scratch scratch, workspace;
constexpr size_t KEPT = size_t(1) << 30;

struct Stage {
    Task task;
    const void* context;
    int64_t tasks;
    size_t bytes;
};

// Threads that take the tasks of one stage after the other. A thread that is kept from running by other programs delays
// a stage only if it holds a task; waiting, it is awake for some microseconds and asleep after that. (OpenMP's barriers
// wait for every thread, and awake for milliseconds: on a busy machine, most of the time.)
class Team {
    static constexpr int PATIENCE = 2000, INDEX_BITS = 40;

    std::mutex mutex;
    std::condition_variable published, finished;
    Stage stage{};
    std::atomic<int64_t> number{0};  // of the stage; -1 at the end
    std::atomic<int64_t> next{0};    // number of the stage, and index of its next task in the lower bits
    std::atomic<int64_t> done{0};

    template <class F>
    static bool soon(F condition) {
        for (int i = 0; i < PATIENCE; i++) {
            if (condition()) return true;
            relax();
        }
        return false;
    }

    void take_tasks(const Stage& own, int64_t of, void* memory) {
        for (;;) {
            int64_t claim = next;
            const int64_t index = claim & ((int64_t(1) << INDEX_BITS) - 1);
            if (claim >> INDEX_BITS != of || index >= own.tasks) return;
            if (!next.compare_exchange_weak(claim, claim + 1)) continue;
            own.task(own.context, index, memory);
            if (++done < own.tasks) continue;
            const std::lock_guard<std::mutex> lock(mutex);
            finished.notify_all();
        }
    }

    void publish(const Stage& following, int64_t as) {
        const std::lock_guard<std::mutex> lock(mutex);
        stage = following;
        done = 0;
        next = as * (int64_t(1) << INDEX_BITS);
        number = as;
        published.notify_all();
    }

  public:
    static thread_local Team* current;  // that of the thread which runs the body

    void run(const Stage& following) {
        void* memory = scratch.get(following.bytes);
        const int64_t as = number + 1;
        publish(following, as);
        take_tasks(following, as, memory);
        const auto complete = [&] { return done >= following.tasks; };
        if (soon(complete)) return;
        std::unique_lock<std::mutex> lock(mutex);
        finished.wait(lock, complete);
    }

    void dismiss() { publish(Stage{}, -1); }

    void work() {
        for (int64_t seen = 0;;) {
            const auto fresh = [&] { return number != seen; };
            soon(fresh);
            std::unique_lock<std::mutex> lock(mutex);
            published.wait(lock, fresh);
            seen = number;
            const Stage own = stage;
            lock.unlock();
            if (seen < 0) return;
            // Without memory it leaves the stage to the others: the thread that runs the body has what it needs.
            if (scratch.reserve(own.bytes)) take_tasks(own, seen, scratch.data());
        }
    }
};

thread_local Team* Team::current = nullptr;

}  // namespace

Workspace::Workspace(size_t bytes) : data(workspace.get(bytes)) {}
Workspace::~Workspace() { workspace.keep_at_most(KEPT); }

static void run(const Stage& stage) {
    if (Team::current != nullptr) return Team::current->run(stage);
    void* memory = scratch.get(stage.bytes);
    for (int64_t i = 0; i < stage.tasks; i++) stage.task(stage.context, i, memory);
}

void with_threads(int threads, void (*body)(const void*), const void* context) {
    FlushDenormals guard;
    if (threads <= 1 || Team::current != nullptr) return body(context);
    Team team;
    Team::current = &team;
    size_t lacking = 0;
    const auto lead = [&] {
        try {
            body(context);
        } catch (const OutOfMemory& error) {  // which may not pass where threads end
            lacking = error.bytes;
        }
        team.dismiss();
    };
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads)
    {
        if (omp_get_thread_num() == 0) {
            lead();
        } else {
            FlushDenormals guard;
            team.work();
        }
    }
#else
    std::vector<std::thread> others;
    try {
        for (int i = 1; i < threads; i++) {
            others.emplace_back([&] {
                FlushDenormals guard;
                team.work();
            });
        }
    } catch (const std::exception&) {  // the system gives no more: the work is that of fewer
    }
    lead();
    for (auto& other : others) other.join();
#endif
    Team::current = nullptr;
    if (lacking > 0) throw OutOfMemory{lacking};
}

void parallel(int64_t tasks, int threads, size_t bytes, Task task, const void* context) {
    const Stage stage{task, context, tasks, bytes};
    const int count = int(std::max<int64_t>(1, std::min<int64_t>(threads, tasks)));
    with_threads(count, [](const void* s) { run(*static_cast<const Stage*>(s)); }, &stage);
}

}  // namespace caduceus
