#ifndef LOCKSTEP_WORKER_BUFFER_H_
#define LOCKSTEP_WORKER_BUFFER_H_

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

namespace lockstep::worker {

/// A float array on a cache-line boundary that grows and never shrinks. Growing loses the contents;
/// new contents are not initialised. Pointers into it hold until the next growth.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size) { Require(size); }
  Buffer(Buffer&& other) noexcept
      : data_(std::move(other.data_)), capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    data_ = std::move(other.data_);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  /// Makes room for at least `size` floats.
  float* Require(size_t size) {
    if (size > capacity_) {
      constexpr size_t kAlignmentBytes = 64;
      const size_t bytes =
          (size * sizeof(float) + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
      data_.reset(static_cast<float*>(std::aligned_alloc(kAlignmentBytes, bytes)));
      if (!data_) throw std::bad_alloc();
      capacity_ = size;
    }
    return data_.get();
  }

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  size_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> data_;
  size_t capacity_ = 0;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_BUFFER_H_
