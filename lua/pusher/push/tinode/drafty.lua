--- Drafty, the rich text of the tinode chat server, to plain text. Pure.
--
-- A document is `{ txt =, fmt = { { tp =, at =, len =, key = }, … }, ent = { { tp =, data = }, … } }`.
-- Positions count code points. A span with `at` below 0 is an attachment and is shown first.
--
-- The text is written once, front to back, whatever the spans: nothing is copied from level to level. What spans add is
-- limited, since any number of them may share an entity.

local arguments = require "pusher.base.arguments"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"

local drafty = {}

drafty.MAX_SPANS = 1000
drafty.MAX_BYTES = 256 * 1024 -- of the text, and of what all spans show of their entities

local fail = errors.fail
local is_null = json_codec.is_null

local function invalid(message)
  return fail("invalid", message, { field = "content" })
end

local NOT_UTF8 = "content is not valid UTF-8"

local function member_string(data, name)
  local value = type(data) == "table" and rawget(data, name)
  return type(value) == "string" and value or ""
end

-- A span's text is written between these two.
local MARKS = { ST = "*", EM = "_", DL = "~" }

-- These replace the text under them; the name of the entity goes in the middle.
local VOIDS = {
  BR = { "\n" },
  IM = { "[IMAGE '", "']" },
  EX = { "[FILE '", "']" },
}

-- What a span shows of its entity.
local function shown(span)
  if span.tp == "LN" then
    return member_string(span.data, "url")
  end
  return VOIDS[span.tp] and VOIDS[span.tp][2] and member_string(span.data, "name") or ""
end

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
  local tp = rawget(span, "tp")
  if type(tp) == "string" and tp ~= "" then
    return tp, nil
  elseif arguments.length(ent) == 0 then
    return "", nil
  end
  local found = rawget(ent, key + 1)
  if type(found) ~= "table" then
    return nil
  end
  tp = rawget(found, "tp")
  return type(tp) == "string" and tp or "", rawget(found, "data")
end

local function read_span(span, length, ent)
  local at, size, key = whole(rawget(span, "at")), whole(rawget(span, "len")), whole(rawget(span, "key"))
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
  local spans, count, left = {}, arguments.length(fmt), drafty.MAX_BYTES
  if count > drafty.MAX_SPANS then
    return fail("too_large", ("content must have at most %d spans, got %d"):format(drafty.MAX_SPANS, count),
      { field = "content" })
  end
  for index = 1, count do
    local given = rawget(fmt, index)
    if type(given) == "table" then
      local span, message, details = read_span(given, length, ent)
      if not span then
        return nil, message, details
      end
      span.order, span.shown = index, shown(span)
      if not core.utf8_valid(span.shown) then
        return invalid(NOT_UTF8)
      end
      left = left - #span.shown
      if left < 0 then
        return fail("too_large", ("content must show at most %d bytes of links and names"):format(drafty.MAX_BYTES),
          { field = "content" })
      end
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

local function write(out, text)
  out.count, out.bytes = out.count + 1, out.bytes + #text
  out[out.count] = text
end

-- Forgets what was written after `count` pieces of `bytes` bytes.
local function rewind(out, count, bytes)
  out.count, out.bytes = count, bytes
end

-- Ends a span whose text is what was written after `count` pieces of `bytes` bytes, the first of which is a
-- placeholder.
local function style(out, span, count, bytes)
  local mark, void = MARKS[span.tp], VOIDS[span.tp]
  if mark then
    out[count + 1] = mark
    write(out, mark)
  elseif void then
    rewind(out, count, bytes)
    write(out, void[1] .. span.shown .. (void[2] or ""))
  elseif span.shown ~= "" then -- a link, unless its text is the URL
    local same = out.bytes - bytes == #span.shown and table.concat(out, "", count + 1, out.count) == span.shown
    if same then -- one piece from here on, so that a link around this one does not put it together again
      rewind(out, count, bytes)
      write(out, span.shown)
    else
      out[count + 1] = "["
      write(out, "](" .. span.shown .. ")")
    end
  end
end

-- Writes text and spans of [at, stop): the spans from `index` on that begin before `stop`, or all of them at the
-- outermost level, where an empty span may sit at the very end. Returns the index of the first span not in it.
local function render(document, out, index, at, stop, outermost)
  while document.spans[index] and (outermost or document.spans[index].at < stop) do
    local span = document.spans[index]
    local from, to = math.max(span.at, at), math.max(span.stop, at)
    write(out, document.slice(at, from))
    local count, bytes = out.count, out.bytes
    write(out, "")
    index = render(document, out, index + 1, from, span.at < 0 and span.at or to)
    style(out, span, count, bytes)
    at = to
  end
  write(out, document.slice(at, stop))
  return index
end

local function convert(txt, fmt, ent)
  local starts = offsets(txt)
  local spans, message, details = read_spans(fmt, #starts - 1, ent)
  if not spans then
    return nil, message, details
  end
  local document, out = { spans = spans }, { count = 0, bytes = 0 }
  function document.slice(at, stop)
    return at < stop and txt:sub(starts[at + 1], starts[stop + 1] - 1) or ""
  end
  render(document, out, 1, 0, #starts - 1, true)
  return table.concat(out, "", 1, out.count)
end

local function check_text(text)
  if #text > drafty.MAX_BYTES then
    return fail("too_large", ("content must have at most %d bytes, got %d"):format(drafty.MAX_BYTES, #text),
      { field = "content" })
  elseif not core.utf8_valid(text) then
    return invalid(NOT_UTF8)
  end
  return text
end

--- The plain text of a message's content.
-- @param[opt] content nil, a string or a Drafty document
-- @treturn string|nil text, "" for nil
-- @fails invalid, too_large
-- @source tinode: drafty.ToPlainText
function drafty.to_text(content)
  if is_null(content) then
    return ""
  elseif type(content) == "string" then
    return check_text(content)
  elseif type(content) ~= "table" then
    return invalid("content unrecognized")
  end
  local txt, fmt, ent = rawget(content, "txt"), rawget(content, "fmt"), rawget(content, "ent")
  txt = type(txt) == "string" and txt or nil
  local text, message, details = check_text(txt or "")
  if not text then
    return nil, message, details
  elseif type(fmt) == "table" then
    return convert(text, fmt, type(ent) == "table" and ent or {})
  elseif not txt then
    return invalid("content unrecognized")
  end
  return txt
end

return drafty
