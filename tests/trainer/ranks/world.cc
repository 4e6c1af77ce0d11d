#include "tests/trainer/ranks/world.h"

#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {

Communicator* world = nullptr;

namespace {

// Ranks other than 0 say only what went wrong.
class FailuresOnly : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "rank %d: %s:%d: %s\n", world->rank(), result.file_name(),
                 result.line_number(), result.message());
  }
};

}  // namespace
}  // namespace lockstep::trainer

int main(int argc, char** argv) {
  using namespace lockstep::trainer;
  testing::InitGoogleMock(&argc, argv);
  Communicator communicator;
  world = &communicator;
  if (!communicator.is_root()) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailuresOnly);
  }
  const int failed = RUN_ALL_TESTS();
  communicator.Finalize();
  return failed;
}
