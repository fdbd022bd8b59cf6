// The settings that a TVIEW's documents are computed with, as its definition keeps them.
//
// Layer:   core
// Sharing: private to one process
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_DEFINITION_SETTINGS_H_
#define PG_TVIEWS_SHARED_DEFINITION_SETTINGS_H_

#include <string>
#include <vector>

namespace tviews {

struct DefinitionSetting {
  std::string name;  // as the server spells it
  std::string value;
};

// Empty for a TVIEW of before there were any: the process's own values are used.
using DefinitionSettings = std::vector<DefinitionSetting>;

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_DEFINITION_SETTINGS_H_
