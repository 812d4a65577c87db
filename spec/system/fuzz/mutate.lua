--- Makes hostile texts of valid ones. Random numbers are math.random's, so that a seed repeats a text.

local mutate = {}

local MAX_CHANGES = 4
local MAX_BYTES = 64 * 1024
local GROWTH = 400 -- one text in so many becomes long

local TOKENS = {
  "\r\n", "\n", "\r", "\0", "\t", " ", "  ", "0", "9", "-1", "-", "+", ",", ":", ";", ".", "..", "/", "%", "%00", "%2e", "&", "=",
  "[", "]", "{", "}", "[]", "{}", '"', "'", "\\", "\\u0000", "\\ud800", "null", "true", "false", "NaN", "Infinity", "1e999",
  "-0", "0.1", "1e308", "9007199254740993", "18446744073709551616", "4294967296", "HTTP/1.1 ", "\255", "\192\128", "\237\160\128",
  "\226\128\168", "\240\159\152\128", "@", "#", "?", "*", "T", "Z", "+00:00", "GMT", "chunked", "close", "Content-Length: 1\r\n",
}

local random = math.random

local function pick(list)
  return list[random(#list)]
end
mutate.pick = pick

local function char()
  return string.char(random(0, 255))
end

-- Each gets the text, a place in it, and all valid texts.
local CHANGES = {
  function(text, at) return text:sub(1, at - 1) .. char() .. text:sub(at + 1) end,
  function(text, at) return text:sub(1, at - 1) .. char() .. text:sub(at) end,
  function(text, at) return text:sub(1, at - 1) .. text:sub(at + random(8)) end,
  function(text, at) return text:sub(1, at - 1) .. pick(TOKENS) .. text:sub(at) end,
  function(text, at) return text:sub(1, at - 1) .. pick(TOKENS) .. text:sub(at + random(8)) end,
  function(text, at) -- a part of the text again
    local from = random(#text + 1)
    return text:sub(1, at - 1) .. text:sub(from, from + random(40)) .. text:sub(at)
  end,
  function(text, at, all) -- the end of another text
    local other = pick(all)
    return text:sub(1, at - 1) .. other:sub(random(#other + 1))
  end,
  function(text, at) return text:sub(1, at - 1) end,
}

-- A part of the text many times.
local function grow(text)
  local from = random(#text + 1)
  local part = random(3) == 1 and pick(TOKENS) or text:sub(from, from + random(0, 12))
  local count = math.floor(random(MAX_BYTES) / math.max(#part, 1))
  return text:sub(1, from - 1) .. part:rep(count) .. text:sub(from)
end

--- A text made from one of the valid ones, of about its length.
-- @tparam table all list of valid texts
-- @treturn string
function mutate.short(all)
  local text = pick(all)
  for _ = 1, random(0, MAX_CHANGES) do
    text = pick(CHANGES)(text, random(#text + 1), all)
  end
  return text
end

--- The same, but some are long.
function mutate.text(all)
  local text = mutate.short(all)
  return random(GROWTH) == 1 and grow(text) or text
end

return mutate
