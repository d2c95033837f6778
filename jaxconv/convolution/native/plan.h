// One convolution as primitives of oneDNN, computed in the calling thread.

#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "dnnl.h"

namespace jaxconv {

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
inline thread_local Buffer scratch, own_weights, shared_weights;

// One convolution, or a part of one: some maps of a batch, or some rows of one map. All numbers, so it is a key.
struct Convolution {
  int64_t kind, type, threads, ndim, batch, groups, inputs, outputs;
  std::array<int64_t, 3> size, result, taps, stride, dilation, low, high;

  int64_t span() const { return dilation[0] * (taps[0] - 1) + 1; }
  int64_t x_row() const { return inputs * size[1] * size[2]; }
  int64_t y_row() const { return outputs * result[1] * result[2]; }
  int64_t weights() const { return taps[0] * taps[1] * taps[2] * inputs / groups * outputs; }
  bool operator<(const Convolution& other) const { return std::memcmp(this, &other, sizeof other) < 0; }
};

inline Owned map_desc(const Convolution& c, int64_t features, const std::array<int64_t, 3>& shape) {
  Dims dims = {c.batch, features}, strides = {0, 1};
  int64_t stride = features;
  for (int a = c.ndim - 1; a >= 0; stride *= shape[a--]) dims[2 + a] = shape[a], strides[2 + a] = stride;
  strides[0] = stride;
  Handle desc;
  CALL(memory_desc_create_with_strides, &desc, c.ndim + 2, dims, c.type, strides);
  return Owned(desc, library.memory_desc_destroy);
}

// (taps, inputs / groups, outputs) as oneDNN sees it: (groups, outputs / groups, inputs / groups, taps) by strides.
inline Owned weights_desc(const Convolution& c, bool any) {
  int64_t inputs = c.inputs / c.groups, outputs = c.outputs / c.groups;
  Dims dims = {c.groups, outputs, inputs}, strides = {outputs, 1, c.outputs};
  int first = c.groups > 1 ? 0 : 1;
  for (int64_t a = c.ndim - 1, stride = inputs * c.outputs; a >= 0; stride *= c.taps[a--])
    dims[3 + a] = c.taps[a], strides[3 + a] = stride;
  Handle desc;
  if (any) CALL(memory_desc_create_with_tag, &desc, 3 + c.ndim - first, dims + first, c.type, kAny);
  else CALL(memory_desc_create_with_strides, &desc, 3 + c.ndim - first, dims + first, c.type, strides + first);
  return Owned(desc, library.memory_desc_destroy);
}

inline Owned convolution_desc(const Convolution& c) {
  Owned x = map_desc(c, c.inputs, c.size), y = map_desc(c, c.outputs, c.result), w = weights_desc(c, true);
  Dims stride, dilation, low, high;
  for (int a = 0; a < c.ndim; ++a)
    stride[a] = c.stride[a], dilation[a] = c.dilation[a] - 1, low[a] = c.low[a], high[a] = c.high[a];
  Handle attr, forward, desc;
  CALL(primitive_attr_create, &attr);
  Owned keeps_attr(attr, library.primitive_attr_destroy);
  CALL(primitive_attr_set_scratchpad_mode, attr, kUserScratch);
  CALL(convolution_forward_primitive_desc_create, &forward, engine, c.kind == kForward ? kInference : kTraining,
       kDirect, x.get(), w.get(), nullptr, y.get(), stride, dilation, low, high, attr);
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

inline std::string implementation(Handle desc) {
  const char* name = nullptr;
  CALL(primitive_desc_query, desc, kQueryImplementation, 0, &name);
  return name ? name : "";
}

inline Owned primitive(Handle desc) {
  Handle made;
  CALL(primitive_create, &made, desc);
  return Owned(made, library.primitive_destroy);
}

inline Owned clone(Handle desc) {
  Handle copy;
  CALL(memory_desc_clone, &copy, desc);
  return Owned(copy, library.memory_desc_destroy);
}

struct Operand {
  int name;
  Handle desc;
  const void* data;
};

inline void execute(const Owned& primitive, std::initializer_list<Operand> operands) {
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

}  // namespace jaxconv
