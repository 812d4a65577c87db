--- Drafty, the rich text of the tinode chat server, to plain text. Pure.
--
-- A document is `{ txt =, fmt = { { tp =, at =, len =, key = }, … }, ent = { { tp =, data = }, … } }`.
-- Positions count code points. A span with `at` below 0 is an attachment and is shown first.

local core = require "pusher.core"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"

local drafty = {}

drafty.MAX_SPANS = 1000
drafty.MAX_BYTES = 256 * 1024

local fail = errors.fail
local is_null = json_codec.is_null

local function invalid(message)
  return fail("invalid", message, { field = "content" })
end

local function member_string(data, name)
  local value = type(data) == "table" and data[name]
  return type(value) == "string" and value or ""
end

local function link(inner, data)
  local url = member_string(data, "url")
  return (url == "" or url == inner) and inner or ("[%s](%s)"):format(inner, url)
end

local function wrap(mark)
  return function(inner)
    return mark .. inner .. mark
  end
end

-- The last three replace the text under them.
local STYLES = {
  ST = wrap("*"),
  EM = wrap("_"),
  DL = wrap("~"),
  LN = link,
  BR = function()
    return "\n"
  end,
  IM = function(_, data)
    return "[IMAGE '" .. member_string(data, "name") .. "']"
  end,
  EX = function(_, data)
    return "[FILE '" .. member_string(data, "name") .. "']"
  end,
}

-- The integer part of a number; 0 for null, nil for what is not a number.
local function whole(value)
  if is_null(value) then
    return 0
  elseif type(value) ~= "number" or value ~= value then
    return nil
  end
  return value < 0 and math.ceil(value) or math.floor(value)
end

-- What a span shows: its own type, or type and data of the entity its key names.
local function entity(span, key, ent)
  if type(span.tp) == "string" and span.tp ~= "" then
    return span.tp, nil
  elseif #ent == 0 then
    return "", nil
  end
  local found = ent[key + 1]
  if type(found) ~= "table" then
    return nil
  end
  return type(found.tp) == "string" and found.tp or "", found.data
end

local function read_span(span, length, ent)
  local at, size, key = whole(span.at), whole(span.len), whole(span.key)
  if not at or not size or not key or size < 0 or at + size > length then
    return invalid("invalid format")
  end
  local tp, data = entity(span, key, ent)
  if not tp then
    return invalid("invalid format")
  elseif tp == "" and at == 0 and size == 0 and key == 0 then
    return invalid("content unrecognized")
  end
  -- An attachment has no place in the text.
  return { tp = tp, data = data, at = at, stop = at < 0 and at or at + size }
end

local function by_place(a, b)
  if a.at ~= b.at then
    return a.at < b.at
  elseif a.stop ~= b.stop then
    return a.stop > b.stop
  end
  return a.order < b.order
end

-- Of two spans that overlap without one being inside the other the first stays, as in later versions of the chat
-- server; earlier ones doubled the text under both.
local function without_overlaps(spans)
  local kept, open = {}, {}
  for _, span in ipairs(spans) do
    while open[1] and open[#open].stop <= span.at do
      open[#open] = nil
    end
    if not open[1] or span.stop <= open[#open].stop then
      kept[#kept + 1] = span
      open[#open + 1] = span
    end
  end
  return kept
end

local function read_spans(fmt, length, ent)
  if #fmt > drafty.MAX_SPANS then
    return fail("too_large", ("content must have at most %d spans, got %d"):format(drafty.MAX_SPANS, #fmt),
      { field = "content" })
  end
  local spans = {}
  for index = 1, #fmt do
    if type(fmt[index]) == "table" then
      local span, message, details = read_span(fmt[index], length, ent)
      if not span then
        return nil, message, details
      end
      span.order = index
      spans[#spans + 1] = span
    end
  end
  table.sort(spans, by_place)
  return without_overlaps(spans)
end

-- Where each code point starts, and where the text ends.
local function offsets(text)
  local starts = {}
  for position in text:gmatch("()[^\128-\191]") do
    starts[#starts + 1] = position
  end
  starts[#starts + 1] = #text + 1
  return starts
end

-- Text and spans of [at, stop): the spans from `index` on that begin before `stop`, or all of them at the outermost
-- level, where an empty span may sit at the very end. Returns the text and the index of the first span not in it.
local function render(document, index, at, stop, outermost)
  local parts = {}
  while document.spans[index] and (outermost or document.spans[index].at < stop) do
    local span = document.spans[index]
    local from, to = math.max(span.at, at), math.max(span.stop, at)
    parts[#parts + 1] = document.slice(at, from)
    local inner
    inner, index = render(document, index + 1, from, span.at < 0 and span.at or to)
    local style = STYLES[span.tp]
    parts[#parts + 1] = style and style(inner, span.data) or inner
    at = to
  end
  parts[#parts + 1] = document.slice(at, stop)
  return table.concat(parts), index
end

local function convert(txt, fmt, ent)
  local starts = offsets(txt)
  local spans, message, details = read_spans(fmt, #starts - 1, ent)
  if not spans then
    return nil, message, details
  end
  local document = { spans = spans }
  function document.slice(at, stop)
    return at < stop and txt:sub(starts[at + 1], starts[stop + 1] - 1) or ""
  end
  return (render(document, 1, 0, #starts - 1, true))
end

local function check_text(text)
  if #text > drafty.MAX_BYTES then
    return fail("too_large", ("content must have at most %d bytes, got %d"):format(drafty.MAX_BYTES, #text),
      { field = "content" })
  elseif not core.utf8_valid(text) then
    return invalid("content is not valid UTF-8")
  end
  return text
end

--- The plain text of a message's content.
-- @param content nil, a string or a Drafty document
-- @treturn string|nil text, "" for nil; nil, message, details otherwise
function drafty.to_text(content)
  if is_null(content) then
    return ""
  elseif type(content) == "string" then
    return check_text(content)
  elseif type(content) ~= "table" then
    return invalid("content unrecognized")
  end
  local txt = type(content.txt) == "string" and content.txt or nil
  local text, message, details = check_text(txt or "")
  if not text then
    return nil, message, details
  elseif type(content.fmt) == "table" then
    return convert(text, content.fmt, type(content.ent) == "table" and content.ent or {})
  elseif not txt then
    return invalid("content unrecognized")
  end
  return txt
end

return drafty
