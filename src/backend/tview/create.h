// Creating a TVIEW: backing view, table, triggers, metadata, in this transaction.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  returns Status; nothing is left behind, because the (sub)transaction is rolled back
//
// Names and the query are checked first; then the sources are locked; under the locks the view and
// the table are created and filled, and only the commit lets writers go on. Whoever wrote a source
// before has then finished and is in the fill; whoever writes after captures what the TVIEW needs.

#ifndef PG_TVIEWS_BACKEND_TVIEW_CREATE_H_
#define PG_TVIEWS_BACKEND_TVIEW_CREATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/tview/names.h"
#include "shared/definition_settings.h"
#include "shared/types.h"

namespace tviews::backend {

// What CREATE TABLE says about the table itself.
struct TableStorage {
  std::string access_method;
  std::vector<std::string> options;  // "name = value", as SQL
  bool has_fillfactor = false;       // among the options
  std::string tablespace;
};

struct TviewRequest {
  TviewName name;
  std::string query;
  std::string key;                        // empty: by the names of the columns
  std::vector<std::string> column_names;  // replace those of the query, from the first on
  TableStorage storage;
  // The columns of the table; an empty name is a gap, as a column leaves that was dropped. Empty:
  // as in the query.
  std::vector<std::string> places = {};
  std::string options;               // members of a JSON object (tview/options.h)
  DefinitionSettings settings = {};  // that differ from those of the session
  bool with_no_data = false;         // the applier fills it
};

struct CreatedTview {
  RelationId tview = 0;
  std::string name;  // as the server prints it
  std::uint64_t rows = 0;
};

absl::StatusOr<CreatedTview> CreateTview(TviewRequest request);

// Makes `view` go with `table`: DROP TABLE tv_x then removes v_x, DROP VIEW v_x is refused in
// favour of tv_x, and a cascade that reaches v_x takes tv_x along.
absl::Status BindView(RelationId view, RelationId table);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_CREATE_H_
