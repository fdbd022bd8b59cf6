#!/bin/bash
# Usage: tools/tviews_report.sh [PSQL_ARGUMENT...] >report.html       DOT=none draws without Graphviz
# One page about the TVIEWs of a database: what is not well, which source leads to which TVIEW and how, lag and refresh times,
# and what costs most. It needs nothing beside it, and names relations, but no values of rows.
set -euo pipefail
ask() { PGCLIENTENCODING=UTF8 psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

# Rows of COPY, each with its kind first. Names show their schema unless it is public. What is asked is looked up in pg_catalog
# and, by its full name, in the extension's schema: elsewhere a function of anybody might be found.
collect() { # SCHEMA PSQL_ARGUMENT...
  local schema=$1 name="CASE pg_namespace.nspname WHEN 'public' THEN quote_ident(pg_class.relname)
    ELSE format('%I.%I', pg_namespace.nspname, pg_class.relname) END"
  shift
  ask "$@" <<SQL
SET search_path = pg_catalog, pg_temp;
SET pg_tviews.read_consistency = 'eventual'; -- the page shows what waits, it does not wait
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
COPY (SELECT 'server', current_database(), now()::timestamptz(0), current_setting('server_version'), $schema.pg_tviews_version(),
             CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END) TO STDOUT;
COPY (SELECT 'lag', extract(epoch FROM age) * 1000, records, last_batch_at::timestamptz(0), last_batch_records, last_batch_ms
      FROM $schema.pg_tviews_lag WHERE database = current_database() AND lane = 'main') TO STDOUT;
COPY (SELECT 'finding', severity, component, message FROM $schema.pg_tviews_health_check()) TO STDOUT;
COPY (SELECT 'relation', pg_class.oid, $name,
             (length($name) + octet_length(convert_to($name, 'UTF8'))) / 2, tviews.state, coalesce(meta.options ->> 'lane', 'main')
      FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace LEFT JOIN $schema.tviews ON tviews.name = pg_class.oid
      LEFT JOIN $schema.pg_tview_meta AS meta ON meta.tview = pg_class.oid
      WHERE tviews.name IS NOT NULL OR pg_class.oid IN (SELECT source FROM $schema.pg_tview_lineage) ORDER BY 3) TO STDOUT;
COPY (SELECT 'path', source::oid, tview::oid, strategy, description FROM $schema.pg_tview_lineage
      ORDER BY tview::oid, array_position(ARRAY['full', 'lookup', 'direct'], strategy), source::oid, path) TO STDOUT;
COPY (SELECT 'tview', tviews.name::oid, tviews.state, tviews.rows, tviews.size, tviews.strategy, extract(epoch FROM tviews.lag) * 1000,
             summary.p50_lag_ms, summary.p99_lag_ms, summary.total_refreshes, summary.avg_refresh_ms, summary.p99_refresh_ms,
             summary.rows_inserted + summary.rows_updated + summary.rows_deleted, summary.rows_unchanged, summary.errors,
             summary.full_refreshes
      FROM $schema.tviews LEFT JOIN $schema.pg_tviews_performance_summary AS summary ON summary.tview = tviews.name
      ORDER BY tviews.name::text) TO STDOUT;
COPY (SELECT 'progress', entity, operation, phase, rows_done, rows_total, percent, started_at::timestamptz(0) FROM $schema.pg_tviews_progress
      WHERE database = current_database() ORDER BY started_at) TO STDOUT;
COPY (SELECT 'lane', lane, tviews, state, extract(epoch FROM age) * 1000, extract(epoch FROM lag_target) * 1000, batches_behind
      FROM $schema.pg_tviews_lanes ORDER BY lane <> 'main', lane) TO STDOUT;
COPY (SELECT 'cost', tview::oid, batch_ms, batch_share, waits, p99_wait_ms, held_up, held_up_ms FROM $schema.pg_tviews_waits
      WHERE batch_ms > 0 ORDER BY batch_ms DESC LIMIT 10) TO STDOUT;
COPY (SELECT 'slow', tview::oid, logged_at::timestamptz(0), refresh_duration_ms, keys, rows_inserted + rows_updated + rows_deleted, full_refresh
      FROM $schema.pg_tview_performance_log ORDER BY refresh_duration_ms DESC LIMIT 10) TO STDOUT;
COMMIT;
SQL
}

# Graphviz says where boxes and lines go. It gets numbers and widths, never a name.
lay_out() {
  awk -F '\t' '
    BEGIN { print "digraph g { rankdir = LR; ranksep = 0.9; nodesep = 0.24; node [shape = box, fixedsize = true, height = 0.36]; edge [arrowhead = none];" }
    $1 == "relation" { printf "%d [width = %.2f];\n", $2, (($4 > 40 ? 40 : $4) * 7.4 + 24) / 72 }
    $1 == "path" && !(($2, $3) in drawn) { drawn[$2, $3]; printf "%d -> %d;\n", $2, $3 }
    END { print "}" }' | timeout 20 "${DOT:-dot}" -Tplain
}

# What a field of COPY is in a page.
PROGRAM=$(cat <<'AWK'
function text(field,   shown, at, letter) {
  if (field == "\\N") return ""
  while ((at = index(field, "\\"))) {
    letter = substr(field, at + 1, 1)
    shown = shown substr(field, 1, at - 1) (letter == "\\" ? letter : " ")
    field = substr(field, at + 2)
  }
  field = shown field
  gsub(/[[:cntrl:]]/, "\357\277\275", field)
  gsub(/&/, "\\&amp;", field); gsub(/</, "\\&lt;", field); gsub(/>/, "\\&gt;", field); gsub(/"/, "\\&quot;", field)
  return field
}
function is_known(field) { return field != "\\N" && field != "" }
function duration(ms) {
  if (!is_known(ms)) return "&#8211;"
  if (ms < 10) return ms + 0 ? sprintf("%.2f ms", ms) : "0"
  if (ms < 1000) return sprintf("%.0f ms", ms)
  return ms < 60000 ? sprintf("%.1f s", ms / 1000) : sprintf("%.1f min", ms / 60000)
}
function number(count,   shown) {
  if (!is_known(count)) return "&#8211;"
  shown = sprintf("%.0f", count)
  while (match(shown, /[0-9][0-9][0-9][0-9](&#8201;|$)/)) shown = substr(shown, 1, RSTART) "&#8201;" substr(shown, RSTART + 1)
  return shown
}
function tview(oid) { return oid in name ? "<a href=\"#t" oid "\">" text(name[oid]) "</a>" : text(oid) }

# A table whose rows become cards where the screen is narrow. The first column is text, and so are those named in LEFT.
function begin_table(heads, lefts,   i, word) {
  columns = split(heads, head, "|"); split("", is_left)
  word = split(lefts, left, "|")
  for (i = 1; i <= word; i++) is_left[left[i]] = 1
  printf "<div class=\"scroll\"><table><thead><tr>"
  for (i = 1; i <= columns; i++) printf "<th%s>%s</th>", i == 1 || head[i] in is_left ? " class=\"left\"" : "", head[i]
  print "</tr></thead><tbody>"
}
function row(attributes, cells,   i, cell) {
  split(cells, cell, "\t")
  printf "<tr%s>", attributes
  for (i = 1; i <= columns; i++)
    printf "<td data-label=\"%s\"%s>%s</td>", head[i], i == 1 || head[i] in is_left ? " class=\"left\"" : "", cell[i]
  print "</tr>"
}
function end_table() { print "</tbody></table></div>" }

$1 == "server" { database = text($2); at = $3; server = text($4); version = text($5); role = $6 }
$1 == "lag" { lag_ms = $2; waiting = $3; last_at = $4; last_records = $5; last_ms = $6 }
$1 == "finding" { severity[++findings] = $2; component[findings] = text($3); message[findings] = text($4); found[$2]++ }
$1 == "relation" { oid[++relations] = $2; name[$2] = $3; width[$2] = ($4 > 40 ? 40 : $4) * 7.4 + 24; chars[$2] = $4; state[$2] = $5; lane[$2] = $6 }
$1 == "path" {
  if (!($2 SUBSEP $3 in strategy)) { from[++edges] = $2; to[edges] = $3; strategy[$2, $3] = $4 }
  how[$2, $3] = how[$2, $3] $4 ": " text($5) "\n"
  paths[++all_paths] = $3 "\t" $2 "\t" $4 "\t" text($5)
}
$1 == "tview" { rows[++tviews] = $0 }
$1 == "lane" { lanes[++all_lanes] = $0 }
$1 == "progress" { progress[++all_progress] = $0 }
$1 == "cost" { costs[++all_costs] = $0 }
$1 == "slow" { slow[++all_slow] = $0 }
$1 == "graph" { is_laid_out = 1; across = $3 * 72; down = $4 * 72 }
$1 == "node" { x[$2] = $3 * 72; y[$2] = down - $4 * 72 }
$1 == "edge" {
  line[$2, $3] = "M"
  for (i = 0; i < $4; i++) line[$2, $3] = line[$2, $3] sprintf("%s%.1f,%.1f", i == 1 ? " C" : " ", $(5 + 2 * i) * 72, down - $(6 + 2 * i) * 72)
}

# Without Graphviz: a column for each step from the sources, and in it first what comes from the top of the column before.
function lay_out(   i, e, round, sweep, changed) {
  for (round = 1; round <= relations; round++) {
    changed = 0
    for (e = 1; e <= edges; e++) if (layer[to[e]] <= layer[from[e]]) { layer[to[e]] = layer[from[e]] + 1; changed = 1 }
    if (!changed) break
  }
  for (i = 1; i <= relations; i++) {
    place[oid[i]] = ++size[layer[oid[i]] + 0]
    member[layer[oid[i]] + 0, size[layer[oid[i]] + 0]] = oid[i]
    if (layer[oid[i]] > last_layer) last_layer = layer[oid[i]]
  }
  for (sweep = 1; sweep <= 3; sweep++) {
    for (i = 1; i <= last_layer; i++) arrange(i, from, to)
    for (i = last_layer - 1; i >= 0; i--) arrange(i, to, from)
  }
  put_into_places()
}
function arrange(which, neighbour, of,   i, j, e, sum, count, moved) {
  for (e = 1; e <= edges; e++) if (layer[of[e]] + 0 == which) { sum[of[e]] += place[neighbour[e]]; count[of[e]]++ }
  for (i = 1; i <= size[which]; i++) {
    moved = member[which, i]
    weight[moved] = count[moved] ? sum[moved] / count[moved] : place[moved]
    for (j = i; j > 1 && weight[member[which, j - 1]] > weight[moved]; j--) member[which, j] = member[which, j - 1]
    member[which, j] = moved
  }
  for (i = 1; i <= size[which]; i++) place[member[which, i]] = i
}
function put_into_places(   i, j, e, widest, one, other, middle) {
  for (i = 0; i <= last_layer; i++) if (size[i] * 40 > down) down = size[i] * 40
  for (i = 0; i <= last_layer; i++) {
    widest = 0
    for (j = 1; j <= size[i]; j++) if (width[member[i, j]] > widest) widest = width[member[i, j]]
    for (j = 1; j <= size[i]; j++) { x[member[i, j]] = across + widest / 2; y[member[i, j]] = down * (j - 0.5) / size[i] }
    across += widest + (i < last_layer ? 100 : 0)
  }
  for (e = 1; e <= edges; e++) {
    one = x[from[e]] + width[from[e]] / 2; other = x[to[e]] - width[to[e]] / 2; middle = (one + other) / 2
    line[from[e], to[e]] = sprintf("M%.1f,%.1f C%.1f,%.1f %.1f,%.1f %.1f,%.1f", one, y[from[e]], middle, y[from[e]], middle, y[to[e]], other, y[to[e]])
  }
}
function draw(   i, e, kind, n, words) {
  if (!is_laid_out) lay_out()
  printf "<div class=\"wide\"><svg width=\"%.0f\" height=\"%.0f\" viewBox=\"-4 -16 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", \
    across + 8, down + 20, across + 8, down + 20, "Sources on the left, TVIEWs to the right of what they read"
  n = split("direct lookup full", words, " ")
  print "<defs>"
  for (i = 1; i <= n; i++) printf "<marker id=\"%s\" class=\"%s\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\"/></marker>\n", words[i], words[i]
  print "</defs>"
  for (e = 1; e <= edges; e++) {
    kind = strategy[from[e], to[e]]
    printf "<path class=\"edge %s\" marker-end=\"url(#%s)\" d=\"%s\"><title>%s &#8594; %s\n%s</title></path>\n", \
      kind, kind, line[from[e], to[e]], text(name[from[e]]), text(name[to[e]]), how[from[e], to[e]]
  }
  for (i = 1; i <= relations; i++) box(oid[i])
  print "</svg></div>"
  print "<p class=\"legend\"><span class=\"direct\">direct</span> the changed row names the documents; <span class=\"lookup\">lookup</span> a query finds them;"
  print "<span class=\"full\">full</span> the whole TVIEW is compared with its query.</p>"
}
function box(id,   kind, shown) {
  kind = state[id] == "\\N" ? "source" : state[id] == "active" ? "tview" : "tview unwell"
  shown = text(name[id])
  if (kind != "source" && lane[id] != "main")
    printf "<text class=\"lane\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x[id], y[id] - 16, text(lane[id])
  if (kind != "source") printf "<a href=\"#t%s\">", id
  printf "<g class=\"%s\"><title>%s%s</title><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"26\" rx=\"%d\"/>", \
    kind, shown, kind ~ /tview/ ? ": " text(state[id]) ", lane " text(lane[id]) : "", x[id] - width[id] / 2, y[id] - 13, width[id], kind == "source" ? 2 : 9
  printf "<text x=\"%.1f\" y=\"%.1f\"%s>%s</text></g>%s\n", x[id], y[id] + 4.5, \
    (chars[id] > 40 ? sprintf(" textLength=\"%.0f\" lengthAdjust=\"spacingAndGlyphs\"", width[id] - 14) : ""), shown, kind != "source" ? "</a>" : ""
}

function show_findings(   i, bad) {
  bad = found["error"] + found["warning"]
  print "<h2>Health</h2>"
  if (!bad) print "<p class=\"good\">Nothing is wrong.</p>"
  for (i = 1; i <= findings; i++) if (severity[i] != "info")
    printf "<p class=\"finding %s\"><strong>%s</strong> <em>%s</em> %s</p>\n", severity[i], severity[i], component[i], message[i]
  print "<details><summary>What was looked at, and is well</summary><dl>"
  for (i = 1; i <= findings; i++) if (severity[i] == "info") printf "<dt>%s</dt><dd>%s</dd>\n", component[i], message[i]
  print "</dl></details>"
}
function show_tviews(   i, f) {
  print "<h2>TVIEWs</h2>"
  begin_table("TVIEW|state|rows|size|strategy|behind now|lag p50|lag p99|refreshes|mean|p99|written|unchanged|compared as a whole|errors", "state|strategy")
  for (i = 1; i <= tviews; i++) {
    split(rows[i], f, "\t")
    row(" id=\"t" f[2] "\"" (f[3] == "active" ? "" : " class=\"unwell\""), (f[2] in name ? text(name[f[2]]) : text(f[2])) "\t" text(f[3]) "\t" number(f[4]) "\t" text(f[5]) "\t" text(f[6]) "\t" \
      duration(f[7]) "\t" duration(f[8]) "\t" duration(f[9]) "\t" number(f[10]) "\t" duration(f[11]) "\t" duration(f[12]) "\t" \
      number(f[13]) "\t" number(f[14]) "\t" number(f[16]) "\t" number(f[15]))
  }
  end_table()
  print "<p class=\"note\">Lag is the time from a commit until its documents show it. Mean and p99 are of refreshes, each one TVIEW&#8217;s part of a batch.</p>"
}
function show_lanes(   i, f) {
  if (all_lanes < 2) return
  print "<h2>Lanes</h2>"
  begin_table("lane|TVIEWs|applier|behind now|may be|batches to apply", "applier")
  for (i = 1; i <= all_lanes; i++) {
    split(lanes[i], f, "\t")
    row("", text(f[2]) "\t" number(f[3]) "\t" text(f[4]) "\t" duration(f[5]) "\t" duration(f[6]) "\t" number(f[7]))
  }
  end_table()
}
function show_progress(   i, f) {
  if (!all_progress) return
  print "<h2>Under way</h2>"
  begin_table("entity|what|phase|rows done|of about|percent|since", "what|phase|since")
  for (i = 1; i <= all_progress; i++) {
    split(progress[i], f, "\t")
    row("", text(f[2]) "\t" text(f[3]) "\t" text(f[4]) "\t" number(f[5]) "\t" number(f[6]) "\t" number(f[7]) "\t" text(f[8]))
  }
  end_table()
}
function show_costs(   i, f) {
  if (all_costs) {
    print "<h2>What costs most</h2>"
    begin_table("TVIEW|share of batches|time in batches|readers waited|p99 of a wait|held up others|for", "share of batches")
    for (i = 1; i <= all_costs; i++) {
      split(costs[i], f, "\t")
      row("", tview(f[2]) "\t" sprintf("<span class=\"bar\"><i style=\"width:%.1f%%\"></i></span> %.0f %%", f[4] * 100, f[4] * 100) "\t" \
        duration(f[3]) "\t" number(f[5]) "\t" duration(f[6]) "\t" number(f[7]) "\t" duration(f[8]))
    }
    end_table()
  }
  if (all_slow) {
    print "<h2>Slowest refreshes on record</h2>"
    begin_table("TVIEW|when|took|keys|rows written|how", "when|how")
    for (i = 1; i <= all_slow; i++) {
      split(slow[i], f, "\t")
      row("", tview(f[2]) "\t" text(f[3]) "\t" duration(f[4]) "\t" number(f[5]) "\t" number(f[6]) "\t" (f[7] == "t" ? "compared as a whole" : "keys"))
    }
    end_table()
  }
}
function show_paths(   i, f) {
  print "<details><summary>How a change of a source finds its documents</summary>"
  begin_table("TVIEW|source|strategy|path", "source|strategy|path")
  for (i = 1; i <= all_paths; i++) {
    split(paths[i], f, "\t")
    row("", tview(f[1]) "\t" text(name[f[2]]) "\t<span class=\"" f[3] "\">" f[3] "</span>\t" f[4])
  }
  end_table(); print "</details>"
}
function tile(head, value, below) { printf "<div class=\"tile\"><span>%s</span><b>%s</b><small>%s</small></div>\n", head, value, below }
END {
  print "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head><meta charset=\"utf-8\"/>"
  print "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
  print "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>"
  print "<title>TVIEWs of " database "</title>\n<style>" STYLE "</style></head><body>"
  printf "<header><h1>TVIEWs of %s</h1><p>%s, PostgreSQL %s (%s), pg_tviews %s</p></header>\n<section class=\"tiles\">\n", database, at, server, role, version
  tile("health", found["error"] + found["warning"] ? found["error"] + found["warning"] : "well", found["error"] ? "errors and warnings" : found["warning"] ? "warnings" : "no finding")
  tile("TVIEWs", tviews + 0, "sources: " (relations - tviews))
  tile("waiting", number(waiting + 0), is_known(lag_ms) ? "changes, the oldest for " duration(lag_ms) : "changes")
  tile("last batch", duration(last_ms), is_known(last_at) ? text(last_at) : "none yet")
  print "</section>"
  show_findings()
  show_progress()
  if (!tviews) print "<h2>TVIEWs</h2><p class=\"note\">There are none yet: <code>CREATE TABLE tv_example AS SELECT &#8230;</code> makes one.</p>"
  else { print "<h2>From source to document</h2>"; draw(); show_paths(); show_tviews(); show_lanes(); show_costs() }
  print "</body></html>"
}
AWK
)

STYLE=$(tr '\n' ' ' <<'CSS'
:root { color-scheme: light dark; --page: #fbfaf8; --card: #fff; --ink: #1d2430; --quiet: #5d6675; --rule: #dcdfe4;
--direct: #2f7d4f; --lookup: #2b62b0; --full: #b5561a; --bad: #b3261e; --warn: #8a5a00; --tint: #e6eefb; }
@media (prefers-color-scheme: dark) { :root { --page: #14171c; --card: #1c2027; --ink: #e6e9ee; --quiet: #9aa4b2; --rule: #343a45;
--direct: #6cc58f; --lookup: #82b1ff; --full: #f0a06a; --bad: #ff8a80; --warn: #f0c060; --tint: #223250; } }
* { box-sizing: border-box; } body { margin: 0 auto; max-width: 1200px; padding: 24px 16px 64px; background: var(--page); color: var(--ink);
font: 15px/1.5 system-ui, sans-serif; overflow-wrap: break-word; } h1 { margin: 0; font-size: 26px; } h2 { margin: 36px 0 10px; font-size: 19px; }
header p, .note, .legend, small { color: var(--quiet); } header p { margin: 4px 0 20px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 12px 14px; } .tile > * { display: block; }
.tile span { color: var(--quiet); font-size: 13px; } .tile b { font-size: 24px; line-height: 1.3; }
.finding, .good { margin: 8px 0; padding: 10px 14px; background: var(--card); border: 1px solid var(--rule); border-left: 4px solid var(--warn); border-radius: 8px; }
.finding.error { border-left-color: var(--bad); } .finding strong { color: var(--warn); } .finding.error strong { color: var(--bad); } .good { border-left-color: var(--direct); }
details { margin: 10px 0; } summary { cursor: pointer; color: var(--quiet); } dl { display: grid; grid-template-columns: minmax(110px, max-content) 1fr; gap: 4px 16px; } dd { margin: 0; color: var(--quiet); }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 12px; } svg { display: block; margin: auto; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; text-anchor: middle; } svg text.lane { fill: var(--quiet); font-size: 10.5px; } svg rect { fill: var(--card); stroke: var(--quiet); } .tview rect { fill: var(--tint); stroke: var(--lookup); }
.unwell rect { stroke: var(--bad); stroke-width: 2.5; stroke-dasharray: 4 2; } .edge { fill: none; stroke-width: 1.6; } .edge.full { stroke-dasharray: 6 4; }
.edge.direct { stroke: var(--direct); } .edge.lookup { stroke: var(--lookup); } .edge.full { stroke: var(--full); } marker.direct { fill: var(--direct); } marker.lookup { fill: var(--lookup); } marker.full { fill: var(--full); }
span.direct { color: var(--direct); } span.lookup { color: var(--lookup); } span.full { color: var(--full); } span.direct, span.lookup, span.full { font-weight: 600; }
.scroll { overflow-x: auto; } table { width: 100%; border-collapse: collapse; font-size: 13.5px; background: var(--card); } th { color: var(--quiet); font-weight: 500; } th, td { padding: 6px 8px; text-align: right; border-bottom: 1px solid var(--rule); font-variant-numeric: tabular-nums; vertical-align: top; }
.left { text-align: left; } a { color: inherit; } td:first-child { min-width: 120px; overflow-wrap: anywhere; } td:not(:first-child):not([data-label=path]) { white-space: nowrap; } tr.unwell td:nth-child(2) { color: var(--bad); font-weight: 600; } tr:target { outline: 2px solid var(--lookup); }
.bar { display: inline-block; width: 90px; height: 9px; background: var(--rule); border-radius: 4px; overflow: hidden; } .bar i { display: block; height: 100%; background: var(--lookup); }
@media (max-width: 760px) { thead { display: none; } table, tbody, tr, td { display: block; } tr { padding: 8px 0; border-bottom: 2px solid var(--rule); }
td { display: flex; justify-content: space-between; gap: 16px; border: 0; padding: 2px 10px; text-align: right; } td::before { content: attr(data-label); color: var(--quiet); text-align: left; flex: none; } td:first-child { font-weight: 600; } td:first-child::before { content: none; } td { overflow-wrap: anywhere; } }
CSS
)

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}
place=$(ask "$@" -c "SET search_path = pg_catalog, pg_temp" -c "SELECT has_schema_privilege(pg_namespace.oid, 'USAGE'), quote_ident(nspname)
  FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = pg_extension.extnamespace WHERE pg_extension.extname = 'pg_tviews'")
[ -n "$place" ] || fail 'this database has no extension pg_tviews; -d DATABASE chooses another one'
schema=${place#*|}
[ "${place%%|*}" = t ] || fail "the extension's schema is closed to this role: GRANT USAGE ON SCHEMA $schema TO it"
data=$(collect "$schema" "$@")
places=$(lay_out <<<"$data" 2>/dev/null | tr ' ' '\t') || places=''
# The places first: the page is written when everything is known.
printf '%s\n%s\n' "$places" "$data" | LC_ALL=C awk -F '\t' -v STYLE="$STYLE" "$PROGRAM"
