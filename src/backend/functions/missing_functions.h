// Hints for those who name something of the extension that the server does not find, or refuses.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises none: it runs while another error is reported
//
// The extension may be missing in this database only, or its schema in search_path, or an argument
// is a number of seconds instead of an interval. The same for its views, for functions that few may
// call, and for a parameter of a TVIEW without its prefix. The server's own hint says nothing of
// it.

#ifndef PG_TVIEWS_BACKEND_FUNCTIONS_MISSING_FUNCTIONS_H_
#define PG_TVIEWS_BACKEND_FUNCTIONS_MISSING_FUNCTIONS_H_

namespace tviews::backend {

// Called once, from _PG_init.
void RegisterMissingFunctionHint();

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_FUNCTIONS_MISSING_FUNCTIONS_H_
