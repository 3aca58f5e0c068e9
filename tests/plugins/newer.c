/* A plugin of an interface to come. For tests. */
#include <tranche/plugin.h>

TRANCHE_PLUGIN_EXPORT const struct TranchePlugin* tranche_plugin(void) {
  static const struct TranchePlugin plugin = {TRANCHE_PLUGIN_ABI + 1, 0, NULL};
  return &plugin;
}
