// Which settings of the server change what a definition's query returns: taken, stored and read.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  SettingsInForce and ChangeSetting return a Status; ApplySettings raises, only for use
//          inside Call
//
// A TVIEW keeps the values that its creator's session had. Everything that runs its query, fill,
// refresh, helpers, verify and audit, runs with these (UserScope::AsDefinitionOwner). Stored values
// come from labels too, which a table's owner can write: only the names that are listed here are
// read, and they are set with the rights of an ordinary user.

#ifndef PG_TVIEWS_SHARED_PG_SERVER_DEFINITION_SETTINGS_H_
#define PG_TVIEWS_SHARED_PG_SERVER_DEFINITION_SETTINGS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "shared/definition_settings.h"
#include "shared/pg/boundary/row_reader.h"

namespace tviews::pg {

// As this process has them now.
absl::StatusOr<DefinitionSettings> SettingsInForce();

// The server's spelling of the setting if it is one of these, in whatever case; or null.
const char* DefinitionSettingNamed(const std::string& name);

// `settings` with `name` changed to `value`, as the server then shows it; refused if it is invalid.
absl::StatusOr<DefinitionSettings> ChangeSetting(const DefinitionSettings& settings,
                                                 const std::string& name, const std::string& value);

// Sets what differs, until the current nesting level of settings ends.
void ApplySettings(const DefinitionSettings& settings);

// The columns of a SELECT list, without a leading comma, that read the settings, and the period of
// the clock, out of the expression `options`; and both from a row of which these are the next
// columns.
std::string SettingsColumns(const std::string& options);
DefinitionSettings ReadSettings(RowReader* columns);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SERVER_DEFINITION_SETTINGS_H_
