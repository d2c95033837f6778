// Convolutions by oneDNN as an XLA FFI handler, each split into parts that threads of XLA's pool compute.
//
// oneDNN's C functions (ABI version 3) are called through a table of addresses that Python fills, so this file is
// compiled and loaded without oneDNN. References: oneapi/dnnl/dnnl.h and dnnl_types.h of oneDNN 3; jax.ffi.

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

// What is used of dnnl_types.h.
typedef struct Opaque* Handle;
typedef int64_t Dims[12];
struct Argument {
  int name;
  Handle memory;
};
enum Type : int64_t { kBfloat16 = 2, kFloat32 = 3 };
enum Kind : int64_t { kForward, kTranspose, kKernelVjp };
enum { kSource = 1, kTarget = 17, kWeights = 33, kScratch = 80, kSourceDiff = 129, kTargetDiff = 145, kWeightsDiff = 161 };
enum { kQueryImplementation = 8, kQueryWeights = 131, kQueryWeightsDiff = 132, kQueryScratch = 136 };
constexpr int kCpu = 1, kInOrder = 1, kAny = 1, kUserScratch = 1, kInference = 96, kTraining = 64, kDirect = 1;

// The functions: result is a status, 0 for success, except for those at the end, which may also be missing.
#define FUNCTIONS(X)                                                                                            \
  X(engine_create, (Handle*, int, size_t))                                                                      \
  X(stream_create, (Handle*, Handle, unsigned))                                                                 \
  X(stream_destroy, (Handle))                                                                                   \
  X(stream_wait, (Handle))                                                                                      \
  X(memory_create, (Handle*, Handle, Handle, void*))                                                            \
  X(memory_destroy, (Handle))                                                                                   \
  X(memory_desc_create_with_strides, (Handle*, int, const Dims, int, const Dims))                               \
  X(memory_desc_create_with_tag, (Handle*, int, const Dims, int, int))                                          \
  X(memory_desc_clone, (Handle*, Handle))                                                                       \
  X(memory_desc_destroy, (Handle))                                                                              \
  X(memory_desc_equal, (Handle, Handle))                                                                        \
  X(primitive_attr_create, (Handle*))                                                                           \
  X(primitive_attr_destroy, (Handle))                                                                           \
  X(primitive_attr_set_scratchpad_mode, (Handle, int))                                                          \
  X(primitive_desc_query, (Handle, int, int, void*))                                                            \
  X(primitive_desc_destroy, (Handle))                                                                           \
  X(convolution_forward_primitive_desc_create, (Handle*, Handle, int, int, Handle, Handle, Handle, Handle,      \
                                                const Dims, const Dims, const Dims, const Dims, Handle))        \
  X(convolution_backward_data_primitive_desc_create,                                                            \
    (Handle*, Handle, int, Handle, Handle, Handle, const Dims, const Dims, const Dims, const Dims, Handle, Handle)) \
  X(convolution_backward_weights_primitive_desc_create,                                                         \
    (Handle*, Handle, int, Handle, Handle, Handle, Handle, const Dims, const Dims, const Dims, const Dims,      \
     Handle, Handle))                                                                                           \
  X(reorder_primitive_desc_create, (Handle*, Handle, Handle, Handle, Handle, Handle))                           \
  X(primitive_create, (Handle*, Handle))                                                                        \
  X(primitive_destroy, (Handle))                                                                                \
  X(primitive_execute, (Handle, Handle, int, const Argument*))

struct Library {
#define X(name, arguments) int(*name) arguments;
  FUNCTIONS(X)
#undef X
  Handle (*primitive_desc_query_md)(Handle, int, int);
  size_t (*memory_desc_get_size)(Handle);
  void (*omp_set_num_threads)(int);  // of the OpenMP runtime that the library uses, if any
  int (*omp_get_max_threads)();
  int (*threadpool_interop_set_max_concurrency)(int);  // of libraries that compute on a pool of their caller
} library;

Handle engine = nullptr;
bool splits = false;  // whether oneDNN can be kept in the calling thread, so that parts are computed side by side

struct Failure {
  std::string text;
};

void check(int status, const char* what) {
  if (status != 0) throw Failure{std::string("oneDNN's ") + what + " returned status " + std::to_string(status)};
}
#define CALL(name, ...) check(library.name(__VA_ARGS__), #name)

typedef std::unique_ptr<Opaque, int (*)(Handle)> Owned;

// Keeps oneDNN in the calling thread: teams of OpenMP wait for threads that other work has displaced.
class OneThread {
 public:
  OneThread() {
    if (library.omp_set_num_threads) before_ = library.omp_get_max_threads(), library.omp_set_num_threads(1);
    if (library.threadpool_interop_set_max_concurrency) library.threadpool_interop_set_max_concurrency(1);
  }
  ~OneThread() {
    if (library.omp_set_num_threads) library.omp_set_num_threads(before_);
  }

 private:
  int before_ = 1;
};

// Memory of one thread, which grows and is used again: oneDNN's own scratch memory is not safe between threads.
class Buffer {
 public:
  ~Buffer() { std::free(data_); }
  char* of_size(size_t size) {
    if (size > size_) {
      std::free(data_);
      size_ = (size + 63) / 64 * 64;
      if (!(data_ = std::aligned_alloc(64, size_))) size_ = 0, throw std::bad_alloc();
    }
    return static_cast<char*>(data_);
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};
thread_local Buffer scratch, own_weights, shared_weights;

// One convolution, or a part of one: some maps of a batch, or some rows of one map. All numbers, so it is a key.
struct Convolution {
  int64_t kind, type, threads, ndim, batch, groups, inputs, outputs;
  std::array<int64_t, 3> size, result, taps, stride, dilation, low, high;

  int64_t span() const { return dilation[0] * (taps[0] - 1) + 1; }
  int64_t x_row() const { return inputs * size[1] * size[2]; }
  int64_t y_row() const { return outputs * result[1] * result[2]; }
  int64_t weights() const { return taps[0] * taps[1] * taps[2] * inputs / groups * outputs; }
  int64_t bytes() const { return type == kBfloat16 ? 2 : 4; }
  bool operator<(const Convolution& other) const { return std::memcmp(this, &other, sizeof other) < 0; }
};

Owned map_desc(const Convolution& c, int64_t features, const std::array<int64_t, 3>& shape) {
  Dims dims = {c.batch, features}, strides = {0, 1};
  int64_t stride = features;
  for (int a = c.ndim - 1; a >= 0; stride *= shape[a--]) dims[2 + a] = shape[a], strides[2 + a] = stride;
  strides[0] = stride;
  Handle desc;
  CALL(memory_desc_create_with_strides, &desc, c.ndim + 2, dims, c.type, strides);
  return Owned(desc, library.memory_desc_destroy);
}

// (taps, inputs / groups, outputs) as oneDNN sees it: (groups, outputs / groups, inputs / groups, taps) by strides.
Owned weights_desc(const Convolution& c, bool any) {
  int64_t inputs = c.inputs / c.groups, outputs = c.outputs / c.groups;
  int64_t type = c.kind == kKernelVjp ? kFloat32 : c.type;
  Dims dims = {c.groups, outputs, inputs}, strides = {outputs, 1, c.outputs};
  int first = c.groups > 1 ? 0 : 1;
  for (int64_t a = c.ndim - 1, stride = inputs * c.outputs; a >= 0; stride *= c.taps[a--])
    dims[3 + a] = c.taps[a], strides[3 + a] = stride;
  Handle desc;
  if (any) CALL(memory_desc_create_with_tag, &desc, 3 + c.ndim - first, dims + first, type, kAny);
  else CALL(memory_desc_create_with_strides, &desc, 3 + c.ndim - first, dims + first, type, strides + first);
  return Owned(desc, library.memory_desc_destroy);
}

Owned convolution_desc(const Convolution& c) {
  Owned x = map_desc(c, c.inputs, c.size), y = map_desc(c, c.outputs, c.result), w = weights_desc(c, true);
  Dims stride, dilation, low, high;
  for (int a = 0; a < c.ndim; ++a)
    stride[a] = c.stride[a], dilation[a] = c.dilation[a] - 1, low[a] = c.low[a], high[a] = c.high[a];
  Handle attr, forward, desc;
  CALL(primitive_attr_create, &attr);
  Owned keeps_attr(attr, library.primitive_attr_destroy);
  CALL(primitive_attr_set_scratchpad_mode, attr, kUserScratch);
  Convolution typed = c;
  if (c.kind == kKernelVjp) typed.kind = kForward;  // the hint has one type
  Owned hint_w = weights_desc(typed, true);
  CALL(convolution_forward_primitive_desc_create, &forward, engine, c.kind == kForward ? kInference : kTraining,
       kDirect, x.get(), hint_w.get(), nullptr, y.get(), stride, dilation, low, high, attr);
  Owned hint(forward, library.primitive_desc_destroy);
  if (c.kind == kForward) return hint;
  if (c.kind == kTranspose)
    CALL(convolution_backward_data_primitive_desc_create, &desc, engine, kDirect, x.get(), w.get(), y.get(),
         stride, dilation, low, high, forward, attr);
  else
    CALL(convolution_backward_weights_primitive_desc_create, &desc, engine, kDirect, x.get(), w.get(), nullptr,
         y.get(), stride, dilation, low, high, forward, attr);
  return Owned(desc, library.primitive_desc_destroy);
}

std::string implementation(Handle desc) {
  const char* name = nullptr;
  CALL(primitive_desc_query, desc, kQueryImplementation, 0, &name);
  return name ? name : "";
}

Owned primitive(Handle desc) {
  Handle made;
  CALL(primitive_create, &made, desc);
  return Owned(made, library.primitive_destroy);
}

Owned clone(Handle desc) {
  Handle copy;
  CALL(memory_desc_clone, &copy, desc);
  return Owned(copy, library.memory_desc_destroy);
}

struct Operand {
  int name;
  Handle desc;
  const void* data;
};

void execute(const Owned& primitive, std::initializer_list<Operand> operands) {
  struct Stream {
    Owned owned{nullptr, nullptr};
    Stream() {
      Handle stream;
      CALL(stream_create, &stream, engine, kInOrder);
      owned = Owned(stream, library.stream_destroy);
    }
  };
  thread_local Stream stream;
  std::vector<Owned> memories;
  std::vector<Argument> arguments;
  for (const Operand& operand : operands) {
    Handle memory;
    CALL(memory_create, &memory, operand.desc, engine, const_cast<void*>(operand.data));
    memories.emplace_back(memory, library.memory_destroy);
    arguments.push_back({operand.name, memory});
  }
  CALL(primitive_execute, primitive.get(), stream.owned.get(), arguments.size(), arguments.data());
  CALL(stream_wait, stream.owned.get());
}

// The primitives of a part. Maps keep their order of cells; only weights have one of oneDNN's choice.
class Plan {
 public:
  explicit Plan(const Convolution& c)
      : kind_(c.kind), desc_(convolution_desc(c)), x_(map_desc(c, c.inputs, c.size)),
        y_(map_desc(c, c.outputs, c.result)), plain_(weights_desc(c, false)),
        weights_(clone(library.primitive_desc_query_md(
            desc_.get(), c.kind == kKernelVjp ? kQueryWeightsDiff : kQueryWeights, 0))),
        scratch_(library.primitive_desc_query_md(desc_.get(), kQueryScratch, 0)),
        convolution_(primitive(desc_.get())), reorder_(nullptr, library.primitive_destroy) {
    if (library.memory_desc_equal(weights_.get(), plain_.get())) return;
    Handle reorder, from = plain_.get(), to = weights_.get();
    if (kind_ == kKernelVjp) std::swap(from, to);
    CALL(reorder_primitive_desc_create, &reorder, from, engine, to, engine, nullptr);
    reorder_ = primitive(Owned(reorder, library.primitive_desc_destroy).get());
  }

  bool is_slow() const { return implementation(desc_.get()).compare(0, 3, "ref") == 0; }
  bool reorders() const { return reorder_ != nullptr; }
  size_t weights_size() const { return (library.memory_desc_get_size(weights_.get()) + 63) / 64 * 64; }

  void reorder(const void* from, void* to) const {
    bool back = kind_ == kKernelVjp;
    execute(reorder_, {{kSource, (back ? weights_ : plain_).get(), from},
                       {kTarget, (back ? plain_ : weights_).get(), to}});
  }

  // Computes y, x or w from the other two; w in oneDNN's order in the first two cases.
  void run(const void* x, const void* w, const void* y) const {
    char* space = scratch.of_size(library.memory_desc_get_size(scratch_));
    Operand free = {kScratch, scratch_, space};
    if (kind_ == kForward) {
      execute(convolution_, {{kSource, x_.get(), x}, {kWeights, weights_.get(), w}, {kTarget, y_.get(), y}, free});
    } else if (kind_ == kTranspose) {
      execute(convolution_,
              {{kSourceDiff, x_.get(), x}, {kWeights, weights_.get(), w}, {kTargetDiff, y_.get(), y}, free});
    } else {
      void* inner = reorders() ? own_weights.of_size(weights_size()) : const_cast<void*>(w);
      execute(convolution_,
              {{kSource, x_.get(), x}, {kWeightsDiff, weights_.get(), inner}, {kTargetDiff, y_.get(), y}, free});
      if (reorders()) reorder(inner, const_cast<void*>(w));
    }
  }

 private:
  int64_t kind_;
  Owned desc_, x_, y_, plain_, weights_;
  Handle scratch_;  // owned by desc_
  Owned convolution_, reorder_;
};

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
  for (int64_t t = 1; t < std::min(count, threads); ++t) pool.Schedule([join] { join->work(); });
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
    part.plan->run(x + part.x * c.bytes(), own->second, y + part.y * c.bytes());
  });
}

// w: each part has a sum of its own, and these are added in the order of the parts.
void compute_weights(ffi::ThreadPool& pool, const Convolution& c, const Parts& parts, char* x, float* w, char* y) {
  int64_t size = c.weights(), count = parts.size();
  float* sums = reinterpret_cast<float*>(shared_weights.of_size((count - 1) * size * sizeof(float)));
  for_each(pool, c.threads, count, [&](int64_t i) {
    float* sum = i == 0 ? w : sums + (i - 1) * size;
    parts[i].plan->run(x + parts[i].x * c.bytes(), sum, y + parts[i].y * c.bytes());
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
  size_t n = x.dimensions().size() - 2;
  if (n < 1 || n > 3 || options.size() != 1 + 4 * n || y.dimensions().size() != n + 2 || w.dimensions().size() != n + 2)
    return ffi::Error(ffi::ErrorCode::kInvalidArgument, "a convolution by oneDNN has one to three spatial axes");
  Convolution c;
  std::memset(&c, 0, sizeof c);
  c.kind = kind, c.type = a.element_type() == ffi::DataType::BF16 ? kBfloat16 : kFloat32, c.ndim = n;
  c.threads = splits ? std::max<int64_t>(1, pool.num_threads() / devices) : 1;
  c.batch = x.dimensions()[0], c.groups = options[0];
  c.inputs = x.dimensions()[n + 1], c.outputs = y.dimensions()[n + 1];
  c.size = c.result = c.taps = {1, 1, 1};
  for (size_t i = 0; i < n; ++i) {
    c.size[i] = x.dimensions()[1 + i], c.result[i] = y.dimensions()[1 + i], c.taps[i] = w.dimensions()[i];
    c.stride[i] = options[1 + i], c.dilation[i] = options[1 + n + i];
    c.low[i] = options[1 + 2 * n + i], c.high[i] = options[1 + 3 * n + i];
  }
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

}  // namespace

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
