-- The comments of the public modules, from which `make docs` makes the reference, are complete: each public function has
-- its parameters, its results, and the codes that it fails with. spec/types_spec.lua compares types/ with them.

local errors = require("pusher.base.errors")
local reference = require("spec.helpers.reference")
local source = require("spec.helpers.source")

local PUBLIC_FOLDERS = { "lua/pusher/", "lua/pusher/transport/", "lua/pusher/push/tinode/" }
local PRIVATE_FILES = { ["lua/pusher/transport/late.lua"] = true }
local PUBLIC_FILES = { "lua/pusher.lua", "lua/pusher/push/fcm.lua", "lua/pusher/push/stdout.lua" }

local function public_files()
  local files = {}
  for _, path in ipairs(PUBLIC_FILES) do
    files[#files + 1] = path
  end
  for _, path in ipairs(source.files("lua", "lua")) do
    for _, folder in ipairs(PUBLIC_FOLDERS) do
      files[#files + 1] = path:match("^(.*/)[^/]*$") == folder and not PRIVATE_FILES[path] and path or nil
    end
  end
  table.sort(files)
  return files
end

-- Calls check(item) with each public function; the texts that it returns are what is wrong.
local function wrong(check)
  local list, count = {}, 0
  for _, page in ipairs(reference.pages()) do
    for _, item in ipairs(reference.functions(page.path)) do
      local message = check(item)
      count = count + 1
      list[#list + 1] = message and ("%s:%d: %s %s"):format(item.path, item.line, item.name, message)
    end
  end
  assert.is_true(count > 90)
  return table.concat(list, "\n")
end

local function names(params)
  local list = {}
  for index, param in ipairs(params) do
    list[index] = param.name
  end
  return table.concat(list, ", ")
end

-- What `@fails` lists before the words that explain it: "invalid, closed where …, and those of …; …".
local function check_codes(text)
  local count = 0
  for part in text:gsub(";.*", ""):gsub(" and those .*", ""):gmatch("[^,]+") do
    local code = part:match("[%w_]+")
    if code and errors.CODES[code] == nil then
      return code
    end
    count = count + 1
  end
  return count == 0 and "nothing" or nil
end

describe("the reference", function()
  it("has a page for each public module, and no other", function()
    local paths = {}
    for index, page in ipairs(reference.pages()) do
      paths[index] = page.path
    end
    table.sort(paths)
    assert.same(public_files(), paths)
  end)

  it("describes each function in a sentence", function()
    assert.equal("", wrong(function(item)
      if not item.description or not item.description:find("^ ?%u.*%.") then
        return "has no sentence"
      end
    end))
  end)

  it("has each parameter, in order, with its type", function()
    assert.equal("", wrong(function(item)
      local expected = table.concat(item.arguments, ", ")
      if names(item.params) ~= expected then
        return ("takes (%s), and has (%s)"):format(expected, names(item.params))
      end
    end))
  end)

  it("has what each function returns", function()
    assert.equal("", wrong(function(item)
      if item.has_result ~= (item.returns[1] ~= nil) then
        return item.has_result and "returns something" or "returns nothing"
      end
    end))
  end)

  it("says with which codes, or when, nil is returned", function()
    assert.equal("", wrong(function(item)
      local first = item.returns[1]
      if first and first.type:find("|nil", 1, true) and not item.fails and not first.text:find("%f[%w]nil%f[%W]") then
        return "may return nil"
      end
    end))
  end)

  -- What no rule says: why, and the functions, in all modules or in one.
  local OWN = {
    ["makes or ends an object, or counts what it has done"] = {
      "methods:close", "methods:stats", "methods:publisher", "transport.new", "push.new", "fcm.new", "stdout.new",
    },
    ["moves what waits, which each host does in its own way"] = { "methods:step", "methods:flush" },
    ["the outcome of a call, later"] = {
      "methods:result", "methods:on_done", "methods:wait", "methods:cancel", "methods:fail",
    },
    ["between a client and any transport"] = { "transport.resolve", "transport.refuse" },
    ["for tests"] = {
      "recorder.new", "methods:respond", "methods:requests", "recorder methods:events", "methods:reset",
      "recorder methods:send",
    },
  }

  -- Notes in `used` which entry it is.
  local function is_own(item, used)
    local file = item.path:match("([%w_]+)%.lua$")
    for _, list in pairs(OWN) do
      for _, name in ipairs(list) do
        if name == item.name or name == file .. " " .. item.name then
          used[name] = true
          return true
        end
      end
    end
    return false
  end

  it("names the rule that each function follows, unless there is none", function()
    local used, count = {}, 0
    assert.equal("", wrong(function(item)
      count = count + #item.sources
      if (item.sources[1] ~= nil) == is_own(item, used) then
        return item.sources[1] and "has a source, and is in the list of those without one" or "has no @source"
      end
    end))
    for _, list in pairs(OWN) do
      for _, name in ipairs(list) do
        assert.is_true(used[name], name)
      end
    end
    assert.is_true(count >= 70)
  end)

  it("names rules that config.ld has, and where in them; it has no other", function()
    local sources, used = reference.sources(), {}
    assert.equal("", wrong(function(item)
      for _, text in ipairs(item.sources) do
        local name, place = text:match("^([^:]+): (.+)$")
        if not name or not sources[name] or place:find("[<>&]") then
          return "has a source that is not known: " .. text
        end
        used[name] = sources[name]
      end
    end))
    assert.same(sources, used)
  end)

  it("names no code that does not exist", function()
    assert.equal("", wrong(function(item)
      local code = item.fails and check_codes(item.fails)
      return code and "fails with " .. code
    end))
  end)
end)
