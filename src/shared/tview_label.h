// The label of a TVIEW's table: what a dump carries of a TVIEW besides its table and its view.
//
// Layer:   core
// Sharing: immutable
// Errors:  returns InvalidArgument that says what is wrong; a label may come from anybody
//
// {"entity" : "post", "key" : "pk_post", "view" : "public.v_post"}, and perhaps "options", an
// object of the options that a TVIEW can have. A key of several columns is an array of their names.

#ifndef PG_TVIEWS_SHARED_TVIEW_LABEL_H_
#define PG_TVIEWS_SHARED_TVIEW_LABEL_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tviews {

struct TviewLabel {
  std::string entity;
  std::vector<std::string> key;
  std::string view;     // as SQL writes it
  std::string options;  // members of a JSON object, with commas between; may be empty
};

absl::StatusOr<TviewLabel> ParseTviewLabel(std::string_view text);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_TVIEW_LABEL_H_
