#include "orchestrator/node.h"

#include <gtest/gtest.h>

namespace occam {
namespace {

TEST(VisibleGpus, AreIndicesIdsAndSlices) {
  EXPECT_EQ(gpus_in("0"), 1);
  EXPECT_EQ(gpus_in("3,1,2"), 3);
  EXPECT_EQ(gpus_in("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"), 1);
  EXPECT_EQ(gpus_in("MIG-GPU-8932f937/1/2,MIG-7e1a"), 2);
}

TEST(VisibleGpus, EndWhereCudaStopsReading) {
  EXPECT_EQ(gpus_in(""), 0);
  EXPECT_EQ(gpus_in("-1"), 0);
  EXPECT_EQ(gpus_in("NoDevFiles"), 0);
  EXPECT_EQ(gpus_in("0,1,-1,2"), 2);
}

}  // namespace
}  // namespace occam
