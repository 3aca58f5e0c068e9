// Nobody adds a connector that the contracts don't know.
#include <gtest/gtest.h>

#include <tranche/api/job.h>

#include "base/temporary_folder.h"
#include "contracts/system.h"

namespace tranche::contracts {
namespace {

using Registry = TemporaryFolder;

TEST_F(Registry, HasAFixtureForEachConnector) {
  for (const Connector& connector : connectors()) {
    EXPECT_TRUE(make_system(connector.name, folder_))
        << "Connector " << connector.name
        << " is registered and has no fixture: write one in tests/contracts, and name it in "
           "make_system.";
    EXPECT_EQ(connector.make_source == nullptr, connector.read_options.empty());
    EXPECT_EQ(connector.make_sink == nullptr, connector.write_options.empty());
  }
}

}  // namespace
}  // namespace tranche::contracts
