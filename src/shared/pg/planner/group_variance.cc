#include "shared/pg/planner/group_variance.h"

#include <cstdint>

#include "shared/pg/boundary/postgres_begin.h"
#include <nodes/primnodes.h>
#include <utils/fmgroids.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

enum class Divisor : std::uint8_t { kAll, kAllButOne };

// The root of `square` with as many digits as it has: the server's function may give more, and what
// is rounded twice may have been rounded up once too often.
char* RootOf(const char* square) {
  const char* const root = psprintf("round(sqrt(%s), scale(%s))", square, square);
  const char* const half = psprintf("('5e-' || scale(%s) + 1)::numeric", square);
  const char* const unit = psprintf("('1e-' || scale(%s))::numeric", square);
  return psprintf("CASE WHEN (%s - %s) * (%s - %s) > %s THEN %s - %s ELSE %s END", root, half, root,
                  half, square, root, unit, root);
}

// As the server computes them of the same sums.
char* Computed(const SumPlaces& places, Divisor divisor, bool is_root) {
  const bool is_sample = divisor == Divisor::kAllButOne;
  const char* const n = psprintf("sum(s.p[%d])", places.count);
  const char* const sum = psprintf("sum(s.p[%d])", places.sum);
  const char* const deviation =
      psprintf("(%s * sum(s.p[%d]) - %s * %s)", n, places.squares, sum, sum);
  const char* const variance = psprintf("(%s / (%s * (%s - %d)))", deviation, n, n, is_sample);
  const char* const no_numbers =
      places.kind == 0 ? "false"
                       : psprintf("bool_or(s.c[%d] BETWEEN -3 AND -1 AND s.p[%d] > 0)", places.kind,
                                  places.count);
  return psprintf(
      "CASE WHEN %s > %d THEN CASE WHEN %s THEN 'NaN'::numeric WHEN %s <= 0 THEN 0::numeric ELSE %s"
      " END END",
      n, is_sample, no_numbers, deviation, is_root ? RootOf(variance) : variance);
}

}  // namespace

bool IsVariance(const Aggref* aggregate) {
  switch (aggregate->aggfnoid) {
    case F_VAR_POP_INT2:
    case F_VAR_POP_INT4:
    case F_VAR_POP_INT8:
    case F_VAR_POP_NUMERIC:
    case F_VAR_SAMP_INT2:
    case F_VAR_SAMP_INT4:
    case F_VAR_SAMP_INT8:
    case F_VAR_SAMP_NUMERIC:
    case F_VARIANCE_INT2:
    case F_VARIANCE_INT4:
    case F_VARIANCE_INT8:
    case F_VARIANCE_NUMERIC:
    case F_STDDEV_POP_INT2:
    case F_STDDEV_POP_INT4:
    case F_STDDEV_POP_INT8:
    case F_STDDEV_POP_NUMERIC:
    case F_STDDEV_SAMP_INT2:
    case F_STDDEV_SAMP_INT4:
    case F_STDDEV_SAMP_INT8:
    case F_STDDEV_SAMP_NUMERIC:
    case F_STDDEV_INT2:
    case F_STDDEV_INT4:
    case F_STDDEV_INT8:
    case F_STDDEV_NUMERIC:
      return true;
    default:
      return false;
  }
}

char* VarianceOf(const Aggref* aggregate, GroupParts* parts) {
  const SumPlaces places = SumPlacesOf(aggregate, true, parts);
  switch (aggregate->aggfnoid) {
    case F_VAR_POP_INT2:
    case F_VAR_POP_INT4:
    case F_VAR_POP_INT8:
    case F_VAR_POP_NUMERIC:
      return Computed(places, Divisor::kAll, false);
    case F_STDDEV_POP_INT2:
    case F_STDDEV_POP_INT4:
    case F_STDDEV_POP_INT8:
    case F_STDDEV_POP_NUMERIC:
      return Computed(places, Divisor::kAll, true);
    case F_STDDEV_SAMP_INT2:
    case F_STDDEV_SAMP_INT4:
    case F_STDDEV_SAMP_INT8:
    case F_STDDEV_SAMP_NUMERIC:
    case F_STDDEV_INT2:
    case F_STDDEV_INT4:
    case F_STDDEV_INT8:
    case F_STDDEV_NUMERIC:
      return Computed(places, Divisor::kAllButOne, true);
    default:
      return Computed(places, Divisor::kAllButOne, false);
  }
}

}  // namespace tviews::pg
