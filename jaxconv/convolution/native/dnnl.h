// The part of oneDNN's C interface, ABI version 3, that is used here, called through a table of addresses that Python
// fills: nothing of oneDNN is needed to compile or load it. Reference: oneapi/dnnl/dnnl.h and dnnl_types.h.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace jaxconv {

// What is used of dnnl_types.h.
typedef struct Opaque* Handle;
typedef int64_t Dims[12];
struct Argument {
  int name;
  Handle memory;
};
enum Kind : int64_t { kForward, kTranspose, kKernelVjp };
enum { kSource = 1, kTarget = 17, kWeights = 33, kScratch = 80, kSourceDiff = 129, kTargetDiff = 145, kWeightsDiff = 161 };
enum { kQueryImplementation = 8, kQueryWeights = 131, kQueryWeightsDiff = 132, kQueryScratch = 136 };
constexpr int64_t kFloat32 = 3, kBytes = 4;
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
};

inline Library library;

inline Handle engine = nullptr;
inline bool splits = false;  // whether oneDNN can be kept in the calling thread, so that parts are computed side by side

struct Failure {
  std::string text;
};

inline void check(int status, const char* what) {
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

}  // namespace jaxconv
