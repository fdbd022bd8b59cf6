// The statements that compare a group state with what its source says.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail
//
// A state is compared in slices of its key, whose ends the state itself says: so a slice finds
// groups that only the source has, too. Where the key is made of texts a slice would read all of
// the tables, so there is one only. Values are compared as text: 2.0 is not 2.00.

#ifndef PG_TVIEWS_SHARED_GROUP_COMPARISON_H_
#define PG_TVIEWS_SHARED_GROUP_COMPARISON_H_

#include <string>
#include <vector>

namespace tviews {

struct ComparedState {
  int id = 0;
  std::string rows;                  // the table that holds them
  std::vector<std::string> sources;  // the tables it is made of; all qualified and quoted
  std::string spec;                  // the query of the state's rows
  std::string valued = {};           // that of the distinct values that it counts, if any
  std::string key_type;
  std::string places = {};  // the other columns of its rows, each after a comma
};

// The groups that are compared: those after $1 if there is a beginning, up to $2 (or $1) if there
// is an end. Groups without a key come before all others.
struct GroupSlice {
  bool has_begin = false;
  bool has_end = false;
};

bool HasSlices(const ComparedState& state);

// The end of the next slice, as text; no row: it has none.
std::string SliceEnd(const ComparedState& state, bool has_begin);

// Groups that differ: the key as text, and as JSON what is stored and what is expected.
std::string GroupDifferences(const ComparedState& state, GroupSlice slice);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_GROUP_COMPARISON_H_
