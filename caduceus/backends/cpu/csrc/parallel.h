// Tasks on threads; compiled once, for any processor.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace caduceus {

// Thrown by what follows, before any task that needs the memory, where the system does not give it.
struct OutOfMemory {
    size_t bytes;
};

typedef void (*Task)(const void* context, int64_t index, void* scratch);

// Run task(context, i, scratch) for every i below `tasks`, on at most `threads` threads. Each thread has its own
// `scratch`, of `bytes` bytes with unspecified content, aligned to 64. Denormal numbers are flushed to zero inside: a
// state decays through them, and they are a hundred times slower.
void parallel(int64_t tasks, int threads, size_t bytes, Task task, const void* context);

// Run body(context) with `threads` threads at hand, which every `parallel` inside it takes instead of starting its own.
void with_threads(int threads, void (*body)(const void* context), const void* context);

// Memory of one call, aligned to 64, with unspecified content: one at a time on a thread. The thread keeps it for its
// next call, unless it is more than a gigabyte.
class Workspace {
  public:
    void* const data;
    explicit Workspace(size_t bytes);
    ~Workspace();
    Workspace(const Workspace&) = delete;
};

}  // namespace caduceus
