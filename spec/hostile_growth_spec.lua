-- Readers of bytes that are not the program's own take time linear in their length, whatever the bytes are: each reader
-- of spec/helpers/hostile_readers.lua, times texts that make patterns with backtracking scan again and again.

local growth = require "spec.helpers.growth"
local interpreted = require "spec.helpers.interpreted"
local new_readers = require "spec.helpers.hostile_readers"
local source = require "spec.helpers.source"

-- What a text repeats, and what it ends in, for a pattern to fail at.
local PIECES = {
  " ", "a", "1", "=", "&", "%", "+", ";", ",", ".", ":", "/", "\\", '"', "[", "-", "@", "\0", "\r\n", "\t", "a ", "a=b&",
  "%25", "1.", "a,", "\n ", "[{", "/apps/", "\195\164",
}
local ENDS = { "!", " x" }

local MAX_FAULTS = 3 -- of one reader

local function text_maker(frame, piece, ending)
  return function(n)
    local text = piece:rep(math.floor(n / #piece)) .. ending
    return (frame:gsub("<>", function() return text end))
  end
end

-- Calls f(name, make, n) for each input of a reader.
local function each_input(reader, f)
  for name, make in pairs(reader.make or {}) do
    f(name, make, math.floor(reader.members / growth.FACTOR))
  end
  for _, frame in ipairs(reader.frames or {}) do
    for _, piece in ipairs(PIECES) do
      for _, ending in ipairs(ENDS) do
        f(("%q in %q before %q"):format(piece, frame, ending), text_maker(frame, piece, ending),
          math.floor(reader.bytes / growth.FACTOR))
      end
    end
  end
end

-- ---- whether the readers are all ----

-- Parts of lines whose patterns get short text only, and why.
local SHORT = {
  ["lua/pusher/base/addresses.lua"] = { -- 45 bytes
    '(text == "" and "" or text .. ":"):gmatch(', 'group:find("^%x%x?%x?%x?$")', 'text:match("^(.*:)([%d.]+)$")',
  },
  ["lua/pusher/base/arguments.lua"] = { "text:gsub(ascii.CONTROL" }, -- what is shown is cut before
  ["lua/pusher/base/json.lua"] = { "format:format(number)" }, -- a number
  ["lua/pusher/base/late.lua"] = { "shorten(result, MAX_MESSAGE)" },
  ["lua/pusher/channels/webhook.lua"] = { 'time:find("^[0-9]+$")' }, -- 15 digits
  ["lua/pusher/publisher.lua"] = { "queued:find(" }, -- in the queue
  ["lua/pusher/base/no_proxy.lua"] = { 'text:match("^([^/]*)/(%d%d?%d?)$")' }, -- an entry has 300 bytes
  ["lua/pusher/beams/audience.lua"] = { 'text:find("^[A-Za-z0-9_%-=@,.;]+$")' }, -- 164 bytes
  ["lua/pusher/channels/kind.lua"] = { 'channel:match("^[^-]*%-?")' }, -- a checked name
  ["lua/pusher/channels/validate.lua"] = { "text:find(ascii.CONTROL)" }, -- 200 bytes
  ["lua/pusher/openresty/reply.lua"] = { "[A-Za-z_$][A-Za-z0-9_$]*(.*)$", "[A-Za-z0-9_$]+" }, -- a callback has 128 bytes
  ["lua/pusher/push/fcm/credentials.lua"] = { "MAX_SHOWN_PATH" },
  ["lua/pusher/push/fcm/message.lua"] = { "rest:match(" }, -- ten digits
  ["lua/pusher/push/tinode/access_mode.lua"] = { 'letter:gsub("[^!-~]", "?")' }, -- one letter
  ["lua/pusher/push/tinode/timestamp.lua"] = { -- ten digits, and the parts of a checked text
    "fraction:sub(1, 10)", "parts.zone:",
  },
  ["lua/pusher/push/tinode/uid.lua"] = { -- 20 digits
    'significant:gmatch(".")', 'decimal_digit):gsub("^0+", "")',
  },
  ["lua/pusher/transport/ngx/connection.lua"] = { -- nginx's own messages
    "cause:find(hint.cause)", 'tostring(socket):match("context of',
  },
}

local function is_short(path, line)
  for _, part in ipairs(SHORT[path] or {}) do
    if line:find(part, 1, true) then
      return true
    end
  end
  return false
end

local LONG = 300 -- bytes

-- The lines of the library that search a text by a pattern: "lua/pusher/base/url.lua:15".
local function pattern_places()
  local places = {}
  for _, path in ipairs(source.files("lua", "lua")) do
    local number = 0
    for line in io.lines(path) do
      number = number + 1
      local code = source.code(line .. "\n")
      local plain = code:find(", true)", 1, true) or code:find("function methods:find", 1, true)
        or code:find("self.queue:find", 1, true)
      if not plain and (code:find(":gsub%(") or code:find(":g?match%(") or code:find(":find%(")) then
        places[#places + 1] = { name = path .. ":" .. number, short = is_short(path, line) }
      end
    end
  end
  return places
end

-- Runs f with the library loaded afresh, and calls note(text, place) for each search of a text by a pattern.
local function watch(note, f)
  local loaded, functions, place = {}, {}, nil
  local gsub = string.gsub -- not the one below
  local function place_of(info, line)
    local path = gsub(info.source, "^@%.?/?", "")
    return path:sub(1, 4) == "lua/" and path .. ":" .. line or nil
  end
  for name, module in pairs(package.loaded) do
    if name:find("^pusher%f[%z.]") and name ~= "pusher.core" and name ~= "pusher.curl" then
      loaded[name], package.loaded[name] = module, nil
    end
  end
  for _, name in ipairs { "find", "match", "gmatch", "gsub" } do
    local original = string[name]
    functions[name] = original
    string[name] = function(text, ...) -- luacheck: ignore 122
      local info = debug.getinfo(2, "Sl")
      note(text, info and place_of(info, info.currentline))
      note(text, place) -- after a tail call the stack does not show it
      return original(text, ...)
    end
  end
  local hook, mask, count = debug.gethook()
  debug.sethook(function(_, line)
    place = place_of(debug.getinfo(2, "S"), line) or place
  end, "l")
  local ok, message = pcall(f)
  debug.sethook(hook, mask, count)
  for name, original in pairs(functions) do
    string[name] = original -- luacheck: ignore 122
  end
  for name, module in pairs(loaded) do
    package.loaded[name] = module
  end
  assert(ok, message)
end

-- The set of the places that a reader's text gets to.
local function reached_patterns()
  local reached = {}
  watch(function(text, place)
    if place and #text >= LONG then
      reached[place] = true
    end
  end, function()
    for _, reader in ipairs(new_readers()) do
      for _, frame in ipairs(reader.frames or {}) do
        for _, piece in ipairs { "a", "1", "%41", "\255" } do
          reader.read(text_maker(frame, piece, "")(LONG))
        end
      end
    end
  end)
  return reached
end

describe("hostile text", function()
  interpreted(setup, teardown)

  for _, reader in ipairs(new_readers()) do
    it("is read in linear time by " .. reader.name, function()
      local faults = {}
      each_input(reader, function(name, make, n)
        local fault = not faults[MAX_FAULTS] and growth.fault(reader.read, make, n)
        faults[#faults + 1] = fault and name .. ": " .. fault or nil
      end)
      assert.equal("", table.concat(faults, "\n"))
    end)
  end

  it("reaches every pattern of the library", function()
    local missing, reached = {}, reached_patterns()
    for _, place in ipairs(pattern_places()) do
      if reached[place.name] and place.short then
        missing[#missing + 1] = place.name .. " is reached by long text"
      elseif not reached[place.name] and not place.short then
        missing[#missing + 1] = place.name .. " is not reached"
      end
    end
    assert.equal("", table.concat(missing, "\n"))
  end)
end)
