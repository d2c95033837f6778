// Convolutions by oneDNN as an XLA FFI handler, each split into parts that threads of XLA's pool compute.

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plan.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace jaxconv {

struct Part {
  Convolution c;
  int64_t x, y;  // first number of the part in x and y
  std::shared_ptr<Plan> plan;
};
typedef std::vector<Part> Parts;

int64_t ceil_div(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

// Some rows [first, end) of one map: of x for the transpose, of y otherwise. Returns false if it reads nothing.
bool set_rows(Part& part, const Convolution& whole, int64_t first, int64_t end) {
  Convolution& c = part.c;
  int64_t stride = whole.stride[0], low = whole.low[0], x = first, x_end = end, y = first, y_end = end;
  if (whole.kind == kTranspose) {
    y = std::max<int64_t>(0, ceil_div(first + low - whole.span() + 1, stride));
    y_end = std::min(whole.result[0], (end - 1 + low) / stride + 1);
  } else {
    x = std::max<int64_t>(0, first * stride - low);
    x_end = std::min(whole.size[0], (end - 1) * stride - low + whole.span());
  }
  if (x >= x_end || y >= y_end) return false;
  c.size[0] = x_end - x, c.result[0] = y_end - y;
  c.low[0] = x + low - y * stride;
  c.high[0] = std::max<int64_t>(0, (c.result[0] - 1) * stride + whole.span() - c.low[0] - c.size[0]);
  part.x += x * whole.x_row(), part.y += y * whole.y_row();
  return c.low[0] >= 0;
}

// Splits a batch into `parts` of whole maps, or every map into `rows` parts. Empty if that cannot be done.
Parts split(const Convolution& c, int64_t parts, int64_t rows) {
  Parts found;
  int64_t count = c.kind == kTranspose ? c.size[0] : c.result[0];
  for (int64_t i = 0; i < parts; ++i) {
    int64_t first = c.batch * i / parts, end = c.batch * (i + 1) / parts;
    Part part = {c, first * c.size[0] * c.x_row(), first * c.result[0] * c.y_row(), nullptr};
    part.c.batch = end - first;
    for (int64_t r = 0; r < rows; ++r) {
      Part piece = part;
      if (rows > 1 && !set_rows(piece, c, count * r / rows, count * (r + 1) / rows)) return {};
      auto same = std::find_if(found.begin(), found.end(), [&](Part& p) { return !std::memcmp(&p.c, &piece.c, sizeof c); });
      piece.plan = same != found.end() ? same->plan : std::make_shared<Plan>(piece.c);
      if (rows > 1 && piece.plan->is_slow()) return {};
      found.push_back(piece);
    }
  }
  return found;
}

// A part of the batch for each thread where that is even, rows otherwise; one part where threads cost more.
Parts split_for_threads(const Convolution& c) {
  int64_t threads = c.threads, positions = c.batch * c.result[0] * c.result[1] * c.result[2];
  int64_t products = positions * c.weights() / c.groups;
  constexpr int64_t kFew = 1 << 14;  // numbers read or 64 products: 5 us
  if (products / 64 + c.batch * (c.x_row() * c.size[0] + c.y_row() * c.result[0]) < kFew) threads = 1;
  constexpr int64_t kMostSums = 1 << 24;  // numbers in the sums of all parts, 64 MB
  if (c.kind == kKernelVjp) threads = std::min(threads, 1 + kMostSums / c.weights());
  if (threads == 1) return split(c, 1, 1);
  if (c.batch % threads && c.batch < 4 * threads) {
    int64_t rows = 2, most = (c.kind == kTranspose ? c.size : c.result)[0] / 2;
    while (c.batch * rows % threads && c.batch * rows < 4 * threads) ++rows;
    Parts parts = most > 1 ? split(c, c.batch, std::min(rows, most)) : Parts();
    if (!parts.empty()) return parts;
  }
  return split(c, std::min(c.batch, threads), 1);
}

std::shared_ptr<Parts> parts_of(const Convolution& c) {
  static std::mutex mutex;
  static auto& cache = *new std::map<Convolution, std::shared_ptr<Parts>>;  // never destroyed: threads may outlive it
  constexpr size_t kMost = 1024;
  {
    std::lock_guard<std::mutex> lock(mutex);
    auto found = cache.find(c);
    if (found != cache.end()) return found->second;
  }
  OneThread scope;
  auto made = std::make_shared<Parts>(split_for_threads(c));
  std::lock_guard<std::mutex> lock(mutex);
  if (cache.size() >= kMost) cache.clear();
  return cache.emplace(c, made).first->second;
}

// Fork and join on a pool that only takes tasks. The caller takes indices itself and waits only for tasks that
// have begun: a pool whose threads all wait for tasks that no thread takes would never go on.
struct Join {
  std::function<void(int64_t)> task;
  int64_t count;
  std::atomic<int64_t> next{0}, done{0};
  std::mutex mutex;
  std::condition_variable all_done;
  std::string failure;

  void work() {
    for (int64_t i; (i = next++) < count;) {
      std::string text;
      try {
        OneThread scope;
        task(i);
      } catch (const Failure& error) {
        text = error.text;
      } catch (const std::exception& error) {
        text = error.what();
      }
      if (!text.empty()) {
        std::lock_guard<std::mutex> lock(mutex);
        failure = text;
      }
      if (++done == count) {
        std::lock_guard<std::mutex> lock(mutex);
        all_done.notify_all();
      }
    }
  }
};

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

void for_each(ffi::ThreadPool& pool, int64_t threads, int64_t count, std::function<void(int64_t)> task) {
  auto join = std::make_shared<Join>();  // outlives this call in tasks that come too late
  join->task = std::move(task), join->count = count;
  try {
    for (int64_t t = 1; t < std::min(count, threads); ++t) pool.Schedule([join] { join->work(); });
  } catch (const std::exception&) {
    // Without memory for a task there are fewer; leaving here would take the operands from those that have begun.
  }
  join->work();
  for (int spin = 0; spin < 4000 && join->done < count; ++spin) pause();
  std::unique_lock<std::mutex> lock(join->mutex);
  join->all_done.wait(lock, [&] { return join->done == join->count; });
  if (!join->failure.empty()) throw Failure{join->failure};
}

// x or y: each part writes its own cells.
void compute_map(ffi::ThreadPool& pool, const Convolution& c, const Parts& parts, char* x, char* w, char* y) {
  std::vector<std::pair<Plan*, char*>> orders;  // the weights of each plan, in its order
  size_t size = 0;
  for (const Part& part : parts) {
    auto known = [&](auto& order) { return order.first == part.plan.get(); };
    if (std::any_of(orders.begin(), orders.end(), known)) continue;
    orders.emplace_back(part.plan.get(), w);
    if (part.plan->reorders()) size += part.plan->weights_size();
  }
  char* next = shared_weights.of_size(size);
  OneThread scope;
  for (auto& [plan, weights] : orders) {
    if (!plan->reorders()) continue;
    plan->reorder(w, next);
    weights = next, next += plan->weights_size();
  }
  for_each(pool, c.threads, parts.size(), [&](int64_t i) {
    const Part& part = parts[i];
    auto own = std::find_if(orders.begin(), orders.end(), [&](auto& o) { return o.first == part.plan.get(); });
    part.plan->run(x + part.x * kBytes, own->second, y + part.y * kBytes);
  });
}

// w: each part has a sum of its own, and these are added in the order of the parts.
void compute_weights(ffi::ThreadPool& pool, const Convolution& c, const Parts& parts, char* x, float* w, char* y) {
  int64_t size = c.weights(), count = parts.size();
  float* sums = reinterpret_cast<float*>(shared_weights.of_size((count - 1) * size * sizeof(float)));
  for_each(pool, c.threads, count, [&](int64_t i) {
    float* sum = i == 0 ? w : sums + (i - 1) * size;
    parts[i].plan->run(x + parts[i].x * kBytes, sum, y + parts[i].y * kBytes);
  });
  constexpr int64_t kBlock = 1 << 14;
  for_each(pool, count > 1 ? c.threads : 1, count > 1 ? (size + kBlock - 1) / kBlock : 0, [&](int64_t block) {
    int64_t end = std::min(size, (block + 1) * kBlock);
    for (int64_t part = 0; part < count - 1; ++part)
      for (int64_t i = block * kBlock; i < end; ++i) w[i] += sums[part * size + i];
  });
}

ffi::Error convolve(ffi::ThreadPool pool, ffi::AnyBuffer a, ffi::AnyBuffer b, ffi::Result<ffi::AnyBuffer> result,
                    int64_t kind, int64_t devices, ffi::Span<const int64_t> options) {
  if (!engine) return ffi::Error(ffi::ErrorCode::kInternal, "oneDNN was not loaded");
  const ffi::AnyBuffer &x = kind == kTranspose ? *result : a, &y = kind == kForward ? *result : kind == kTranspose ? a : b;
  const ffi::AnyBuffer& w = kind == kKernelVjp ? *result : b;
  for (const ffi::AnyBuffer& buffer : {a, b, *result})
    if (buffer.element_type() != ffi::DataType::F32)
      return ffi::Error(ffi::ErrorCode::kInvalidArgument, "a convolution by oneDNN computes in float32");
  size_t n = x.dimensions().size() - 2;
  if (n < 1 || n > 3 || options.size() != 1 + 4 * n || y.dimensions().size() != n + 2 || w.dimensions().size() != n + 2)
    return ffi::Error(ffi::ErrorCode::kInvalidArgument, "a convolution by oneDNN has one to three spatial axes");
  Convolution c;
  std::memset(&c, 0, sizeof c);
  c.kind = kind, c.type = kFloat32, c.ndim = n;
  c.threads = splits && devices > 0 ? std::max<int64_t>(1, pool.num_threads() / devices) : 1;
  c.batch = x.dimensions()[0], c.groups = options[0];
  c.inputs = x.dimensions()[n + 1], c.outputs = y.dimensions()[n + 1];
  c.size = c.result = c.taps = {1, 1, 1};
  for (size_t i = 0; i < n; ++i) {
    c.size[i] = x.dimensions()[1 + i], c.result[i] = y.dimensions()[1 + i], c.taps[i] = w.dimensions()[i];
    c.stride[i] = options[1 + i], c.dilation[i] = options[1 + n + i];
    c.low[i] = options[1 + 2 * n + i], c.high[i] = options[1 + 3 * n + i];
  }
  if (kind < kForward || kind > kKernelVjp || c.groups < 1 || y.dimensions()[0] != c.batch ||
      static_cast<int64_t>(w.element_count()) != c.weights())
    return ffi::Error(ffi::ErrorCode::kInvalidArgument, "the operands of a convolution by oneDNN disagree");
  auto data = [](const ffi::AnyBuffer& buffer) { return static_cast<char*>(buffer.untyped_data()); };
  if (c.batch == 0) {
    std::memset(data(*result), 0, result->size_bytes());
    return ffi::Error::Success();
  }
  try {
    auto parts = parts_of(c);
    if (kind == kKernelVjp)
      compute_weights(pool, c, *parts, data(x), reinterpret_cast<float*>(data(w)), data(y));
    else
      compute_map(pool, c, *parts, data(x), data(w), data(y));
  } catch (const Failure& error) {
    return ffi::Error(ffi::ErrorCode::kInternal, error.text);
  } catch (const std::exception& error) {
    return ffi::Error(ffi::ErrorCode::kInternal, error.what());
  }
  return ffi::Error::Success();
}

}  // namespace jaxconv

using namespace jaxconv;

#pragma GCC visibility push(default)

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxconv_convolution, convolve,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()
                                  .Attr<int64_t>("kind")
                                  .Attr<int64_t>("devices")
                                  .Attr<ffi::Span<const int64_t>>("options"));

// Names of the functions in the order of the table, for Python; the last three may be missing.
extern "C" const char* const jaxconv_function_names[] = {
#define X(name, arguments) "dnnl_" #name,
    FUNCTIONS(X)
#undef X
    "dnnl_primitive_desc_query_md", "dnnl_memory_desc_get_size", "omp_set_num_threads", "omp_get_max_threads",
    "dnnl_threadpool_interop_set_max_concurrency"};
extern "C" const int jaxconv_function_count = sizeof jaxconv_function_names / sizeof(char*);

// Takes the addresses of the functions. Returns a status of oneDNN, 0 for success.
extern "C" int jaxconv_start(void* const* addresses, int can_split) {
  static_assert(sizeof(Library) == sizeof jaxconv_function_names, "a name for each function");
  std::memcpy(&library, addresses, sizeof library);
  splits = can_split;
  return library.engine_create(&engine, kCpu, 0);
}

// Writes the name of the implementation that oneDNN has for a convolution. Returns 0 if it has one.
extern "C" int jaxconv_implementation(const int64_t* numbers, char* text, size_t size) {
  if (!engine) return 1;
  Convolution c;
  std::memcpy(&c, numbers, sizeof c);
  std::string name;
  int failed = 0;
  try {
    OneThread scope;
    name = implementation(convolution_desc(c).get());
  } catch (const Failure& error) {
    name = error.text, failed = 1;
  }
  std::strncpy(text, name.c_str(), size - 1);
  return failed;
}

#pragma GCC visibility pop
