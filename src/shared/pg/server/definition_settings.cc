#include "shared/pg/server/definition_settings.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "shared/definition_clock.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/guc.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// docs/reference/configuration.md says what each is for; test/system/settings_classes_test.py finds
// settings of a server that nobody has thought about.
constexpr const char* kNames[] = {
    "array_nulls",
    "backslash_quote",
    "bytea_output",
    "DateStyle",
    "default_text_search_config",
    "extra_float_digits",
    "IntervalStyle",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "quote_all_identifiers",
    "standard_conforming_strings",
    "TimeZone",
    "timezone_abbreviations",
    "transform_null_equals",
    "xmlbinary",
    "xmloption",
};

// For every definition: any other value makes a GIN scan return a part of the rows.
constexpr const char* kSearchLimit = "gin_fuzzy_search_limit";

// With the rights of an ordinary user. Setting a value again would throw away what the server has
// derived from it.
void Set(const char* name, const char* value) {
  const char* const present = GetConfigOption(name, true, false);
  if (present == nullptr || strcmp(present, value) == 0) return;
  set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

}  // namespace

absl::StatusOr<DefinitionSettings> SettingsInForce() {
  DefinitionSettings settings;
  for (const char* const name : kNames) {
    TVIEWS_ASSIGN_OR_RETURN(const char* const value,
                            CallFor([name] { return GetConfigOption(name, true, false); }));
    if (value != nullptr) settings.push_back({.name = name, .value = value});
  }
  return settings;
}

const char* DefinitionSettingNamed(const std::string& name) {
  for (const char* const known : kNames) {
    if (absl::EqualsIgnoreCase(known, name)) return known;
  }
  return nullptr;
}

absl::StatusOr<DefinitionSettings> ChangeSetting(const DefinitionSettings& settings,
                                                 const std::string& name,
                                                 const std::string& value) {
  const int level = NewGUCNestLevel();
  const char* shown = nullptr;
  const absl::Status status = Call([&] {
    ApplySettings(settings);
    set_config_option(name.c_str(), value.c_str(), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                      true, 0, false);
    shown = pstrdup(GetConfigOption(name.c_str(), false, false));
  });
  AtEOXact_GUC(false, level);
  TVIEWS_RETURN_IF_ERROR(status);
  DefinitionSettings changed;
  for (const DefinitionSetting& setting : settings) {
    if (setting.name != name) changed.push_back(setting);
  }
  changed.push_back({.name = name, .value = shown});
  return changed;
}

void ApplySettings(const DefinitionSettings& settings) {
  Set(kSearchLimit, "0");
  for (const DefinitionSetting& setting : settings) {
    if (setting.name != kClockSetting) Set(setting.name.c_str(), setting.value.c_str());
  }
}

std::string SettingsColumns(const std::string& options) {
  std::string columns;
  for (const char* const name : kNames) {
    absl::StrAppend(&columns, "(", options, ") -> 'settings' ->> '", name, "', ");
  }
  return absl::StrCat(columns, "(", options, ") ->> 'clock'");
}

DefinitionSettings ReadSettings(RowReader* columns) {
  DefinitionSettings settings;
  for (const char* const name : kNames) {
    const SqlValue value = columns->OptionalText();
    if (value.has_value()) settings.push_back({.name = name, .value = *value});
  }
  const SqlValue clock = columns->OptionalText();
  if (clock.has_value()) settings.push_back({.name = kClockSetting, .value = *clock});
  return settings;
}

}  // namespace tviews::pg
