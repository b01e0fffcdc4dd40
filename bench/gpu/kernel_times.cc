#include "bench/gpu/kernel_times.h"

#include <cuda_runtime_api.h>
#include <cupti.h>
#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Span {
  std::uint64_t start, end;
  std::string name, asks;  // what of the GPU
};
std::vector<Span> spans;
std::mutex mutex;

void give_buffer(std::uint8_t** buffer, std::size_t* size, std::size_t* records) {
  *size = 8 << 20;
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(8, *size));
  *records = 0;
}

void take_buffer(CUcontext, std::uint32_t, std::uint8_t* buffer, std::size_t, std::size_t valid) {
  const std::lock_guard lock(mutex);
  CUpti_Activity* record = nullptr;
  while (cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
    std::string name, asks;
    std::uint64_t start = 0, end = 0;
    if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
      const auto* kernel = reinterpret_cast<const CUpti_ActivityKernel9*>(record);
      int status = 0;
      char* readable = abi::__cxa_demangle(kernel->name, nullptr, nullptr, &status);
      name = status == 0 ? readable : kernel->name;
      std::free(readable);
      start = kernel->start, end = kernel->end;
      const int blocks = kernel->gridX * kernel->gridY * kernel->gridZ,
                threads = kernel->blockX * kernel->blockY * kernel->blockZ,
                shared = kernel->staticSharedMemory + kernel->dynamicSharedMemory;
      char text[100];
      std::snprintf(text, sizeof text, "%d blocks, each %d threads of %d registers, %.1f KiB",
                    blocks, threads, kernel->registersPerThread, shared / 1024.0);
      asks = text;
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMSET) {
      const auto* set = reinterpret_cast<const CUpti_ActivityMemset4*>(record);
      name = "memset", start = set->start, end = set->end;
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
      const auto* copy = reinterpret_cast<const CUpti_ActivityMemcpy5*>(record);
      name = "memcpy", start = copy->start, end = copy->end;
    } else {
      continue;
    }
    if (name.size() > 110) name = name.substr(0, 110);
    spans.push_back({start, end, name, asks});
  }
  std::free(buffer);
}

}  // namespace

void print_kernel_times(int steps, bool in_order, const std::function<void()>& work) {
  cuptiActivityRegisterCallbacks(give_buffer, take_buffer);
  for (const CUpti_ActivityKind kind : {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
                                        CUPTI_ACTIVITY_KIND_MEMSET, CUPTI_ACTIVITY_KIND_MEMCPY})
    cuptiActivityEnable(kind);
  work();
  cudaDeviceSynchronize();
  cuptiActivityFlushAll(1);
  if (spans.empty())
    throw std::runtime_error("CUPTI saw no kernel; profiling may need rights that you lack here");
  // Time in which several kernels run is shared evenly among them.
  struct Sum {
    double alone = 0, share = 0;
    long launches = 0;
  };
  std::map<std::string, Sum> sums;
  struct Edge {
    std::uint64_t at;
    bool begins;
    std::size_t span;
  };
  std::vector<Edge> edges;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    edges.push_back({spans[i].start, true, i});
    edges.push_back({spans[i].end, false, i});
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.at < b.at; });
  std::set<std::size_t> open;
  double busy = 0;
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    if (edges[i].begins)
      open.insert(edges[i].span);
    else
      open.erase(edges[i].span);
    const auto time = static_cast<double>(edges[i + 1].at - edges[i].at);
    if (!open.empty()) busy += time;
    for (const std::size_t span : open)
      sums[spans[span].name].share += time / static_cast<double>(open.size());
  }
  double total = 0;
  for (const Span& span : spans) {
    Sum& sum = sums[span.name];
    sum.alone += static_cast<double>(span.end - span.start);
    total += static_cast<double>(span.end - span.start);
    ++sum.launches;
  }
  std::vector<std::pair<std::string, Sum>> all(sums.begin(), sums.end());
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.second.share > b.second.share; });
  if (in_order) {
    std::sort(spans.begin(), spans.end(),
              [](const Span& one, const Span& other) { return one.start < other.start; });
    const std::size_t last = spans.size() - spans.size() / static_cast<std::size_t>(steps);
    for (std::size_t i = last; i < spans.size(); ++i)
      std::printf("%8.1f us for %6.1f us: %-60s %s\n",
                  static_cast<double>(spans[i].start - spans[last].start) / 1e3,
                  static_cast<double>(spans[i].end - spans[i].start) / 1e3, spans[i].asks.c_str(),
                  spans[i].name.c_str());
  }
  const auto span_of_all = static_cast<double>(edges.back().at - edges.front().at);
  std::printf(
      "a step: %.1f us, %.0f launches; busy %.3f of the time with %.2f kernels on average\n",
      span_of_all / steps / 1e3, static_cast<double>(spans.size()) / steps, busy / span_of_all,
      total / busy);
  std::printf("   share   each's duration, summed\n");
  for (std::size_t i = 0; i < std::min<std::size_t>(all.size(), 48); ++i)
    std::printf("%8.1f us %8.1f us %5.1f x %s\n", all[i].second.share / steps / 1e3,
                all[i].second.alone / steps / 1e3,
                static_cast<double>(all[i].second.launches) / steps, all[i].first.c_str());
}
