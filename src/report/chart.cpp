#include "report/chart.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <tranche/core/value.h>
#include "base/json.h"
#include "base/text.h"
#include "report/cell_text.h"

namespace tranche::reporting {
namespace {

bool is_time(Type type) {
  return type.id == TypeId::date || type.id == TypeId::timestamp || type.id == TypeId::timestamptz;
}

// Of a column, as Vega-Lite reads it: dots and brackets are no paths into the value.
std::string field_name(const std::string& column) {
  std::string name;
  for (const char c : column) {
    if (c == '.' || c == '[' || c == ']' || c == '\\' || c == '\'' || c == '"') name += '\\';
    name += c;
  }
  return name;
}

Result<const Field*> find_column(const Schema& schema, const std::string& name,
                                 std::string_view place) {
  if (const auto found = schema.find(name)) return &schema.fields[*found];
  const auto names = schema.names();
  const auto near = nearest(name, names);
  return make_error(ErrorKind::config,
                    fmt::format("\"{}\" of the chart names the column \"{}\", which the query does "
                                "not have{}.",
                                place, excerpt(name, 40),
                                near ? fmt::format(" (did you mean \"{}\"?)", *near)
                                     : fmt::format(" ({})", join(names, ", "))));
}

// Bars stand side by side, one for each value; points and lines lie where the value is.
Json position(const Field& column, bool is_discrete) {
  Json channel;
  channel.set("field", field_name(column.name)).set("title", column.name);
  if (is_discrete) {
    channel.set("type", "nominal").set("sort", nullptr);  // the order of the query
    channel.set("axis", Json().set("labelOverlap", true).set("labelLimit", 160));
  } else if (is_time(column.type)) {
    channel.set("type", "temporal").set("scale", Json().set("type", "utc"));
  } else if (is_numeric(column.type)) {
    channel.set("type", "quantitative").set("scale", Json().set("zero", false));
  } else {
    channel.set("type", "nominal").set("sort", nullptr);
  }
  return channel;
}

Json amount(const std::string& field, const std::string& title) {
  return Json().set("field", field_name(field)).set("type", "quantitative").set("title", title);
}

Json series(const std::string& field, const std::string& title) {
  return Json()
      .set("field", field_name(field))
      .set("type", "nominal")
      .set("title", title.empty() ? Json() : Json(title))
      .set("sort", nullptr);
}

Json mark_of(const std::string& type) {
  if (type == "pie") return Json().set("type", "arc").set("innerRadius", 56);
  if (type == "line") return Json().set("type", "line").set("point", Json().set("size", 24));
  if (type == "area") return Json().set("type", "area").set("line", true);
  if (type == "point") return Json().set("type", "point").set("filled", true).set("size", 50);
  return Json().set("type", "bar");
}

// Figures of values that are shown under the pointer.
Json tooltip_of(const Json& channels) {
  Json list(Json::Array{});
  for (const auto& [name, channel] : channels.entries()) {
    if (name == "order") continue;  // it is that of the slices
    Json one;
    for (const char* key : {"field", "type", "title"}) {
      if (!channel[key].is_null()) one.set(key, channel[key]);
    }
    if (channel["type"].text() == "quantitative") one.set("format", ",");
    if (channel["type"].text() == "temporal") one.set("format", "%Y-%m-%d %H:%M");
    if (one["title"].is_null()) one.set("title", "");
    list.push(std::move(one));
  }
  return list;
}

struct Columns {
  const Field* x;
  std::vector<const Field*> y;
  const Field* color = nullptr;
};

Result<Columns> columns_of(const ChartWish& wish, const Schema& schema) {
  Columns columns;
  TRANCHE_ASSIGN(columns.x, find_column(schema, wish.x, "x"));
  for (const std::string& name : wish.y) {
    TRANCHE_ASSIGN(const Field* const y, find_column(schema, name, "y"));
    if (!is_numeric(y->type)) {
      return make_error(ErrorKind::config,
                        fmt::format("\"y\" of the chart is a number, and the column \"{}\" is a "
                                    "{}.",
                                    y->name, to_string(y->type)));
    }
    columns.y.push_back(y);
  }
  if (!wish.color.empty()) {
    TRANCHE_ASSIGN(columns.color, find_column(schema, wish.color, "color"));
  }
  return columns;
}

std::string summary_of(const ChartWish& wish, const Columns& columns) {
  std::vector<std::string> names;
  for (const Field* y : columns.y) names.push_back(readable(y->name));
  const std::string kind = wish.type == "horizontal_bar" ? "bar" : wish.type;
  std::string text =
      fmt::format("{} chart of {} by {}", kind, join(names, " and "), readable(columns.x->name));
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  if (columns.color != nullptr) text += fmt::format(", for each {}", readable(columns.color->name));
  return text;
}

Json channels_of(const ChartWish& wish, const Columns& columns) {
  const bool is_bar = wish.type == "bar" || wish.type == "horizontal_bar";
  const bool has_series = columns.y.size() > 1;
  // Several columns are folded into two: whose it is, and the value.
  const Json value =
      has_series ? amount("value", "") : amount(columns.y[0]->name, columns.y[0]->name);
  Json color;
  if (has_series) color = series("series", "");
  if (columns.color != nullptr) color = series(columns.color->name, columns.color->name);
  Json channels;
  if (wish.type == "pie") {
    channels.set("theta", Json(value).set("stack", true));
    channels.set("color", series(columns.x->name, columns.x->name));
    channels.set("order", Json(value).set("sort", "descending"));
    return channels;
  }
  const bool is_horizontal = wish.type == "horizontal_bar";
  channels.set(is_horizontal ? "y" : "x", position(*columns.x, is_bar));
  Json across = value;
  if (wish.type == "point") across.set("scale", Json().set("zero", false));
  channels.set(is_horizontal ? "x" : "y", across);
  if (!color.is_null()) channels.set("color", color);
  if (is_bar && has_series) {  // side by side: a sum of unlike figures says nothing
    channels.set(is_horizontal ? "yOffset" : "xOffset", series("series", ""));
  }
  return channels;
}

}  // namespace

const std::vector<std::string>& chart_types() {
  static const std::vector<std::string> types{"bar",  "horizontal_bar", "line",
                                              "area", "point",          "pie"};
  return types;
}

Result<void> check_chart(const ChartWish& wish) {
  if (!wish.vega_lite.empty()) {
    TRANCHE_ASSIGN(const Json spec, Json::parse(wish.vega_lite));
    if (!wish.type.empty() || !wish.x.empty() || !wish.y.empty() || !wish.color.empty()) {
      return make_error(ErrorKind::config,
                        "A chart is described by \"type\", \"x\" and \"y\", or by \"vega_lite\", "
                        "not by both.");
    }
    if (!spec["data"].is_null()) {
      return make_error(ErrorKind::config,
                        "The data of a chart are the rows of its query; leave \"data\" out of "
                        "\"vega_lite\".");
    }
    return {};
  }
  if (wish.type.empty() || wish.x.empty() || wish.y.empty()) {
    return make_error(ErrorKind::config,
                      "A chart needs \"type\", \"x\" and \"y\", as in chart: { type: bar, x: "
                      "store, y: revenue }, or \"vega_lite\".");
  }
  if (wish.y.size() > 1 && (wish.type == "pie" || !wish.color.empty())) {
    return make_error(ErrorKind::config,
                      "Several columns of \"y\" are a series each; a pie, or a chart with "
                      "\"color\", has one.");
  }
  return {};
}

Result<Chart> make_chart(const ChartWish& wish, const Schema& schema) {
  TRANCHE_TRY(check_chart(wish));
  if (!wish.vega_lite.empty()) return Chart{wish.vega_lite, "Chart"};
  TRANCHE_ASSIGN(const Columns columns, columns_of(wish, schema));
  Json spec;
  spec.set("mark", mark_of(wish.type).set("tooltip", true));
  if (columns.y.size() > 1) {
    Json names(Json::Array{});
    for (const Field* y : columns.y) names.push(field_name(y->name));
    Json fold;
    fold.set("fold", std::move(names)).set("as", Json::Array{"series", "value"});
    spec.set("transform", Json::Array{std::move(fold)});
  }
  Json channels = channels_of(wish, columns);
  channels.set("tooltip", tooltip_of(channels));
  spec.set("encoding", std::move(channels));
  if (wish.type == "horizontal_bar") spec.set("height", Json().set("step", 26));
  return Chart{spec.dump(), summary_of(wish, columns)};
}

void append_chart_value(std::string& out, const Column& column, std::size_t row) {
  const Type type = column.type();
  if (!column.is_valid(row)) {
    out += "null";
    return;
  }
  const bool is_float = type.id == TypeId::real || type.id == TypeId::double_;
  const double number = type.id == TypeId::real ? static_cast<double>(column.values<float>()[row])
                        : type.id == TypeId::double_ ? column.values<double>()[row]
                                                     : 0;
  if (is_float && !std::isfinite(number)) {
    out += "null";
    return;
  }
  if (type.id == TypeId::boolean || is_numeric(type)) {
    append_value_text(out, column, row);
    return;
  }
  std::string text;
  append_value_text(text, column, row);
  if (type.id == TypeId::timestamp) text += 'Z';  // or a browser would take it for its own time
  append_json_string(out, readable(text));
}

}  // namespace tranche::reporting
