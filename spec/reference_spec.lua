-- The comments of the public modules, from which `make docs` makes the reference, are complete: each public function has
-- its parameters, its results, and the codes that it fails with. spec/types_spec.lua compares types/ with them.

local errors = require("pusher.base.errors")
local reference = require("spec.helpers.reference")
local source = require("spec.helpers.source")

local PUBLIC_FOLDERS = { "lua/pusher/", "lua/pusher/transport/", "lua/pusher/push/tinode/" }
local PUBLIC_FILES = { "lua/pusher.lua", "lua/pusher/push/fcm.lua", "lua/pusher/push/stdout.lua" }

local function public_files()
  local files = {}
  for _, path in ipairs(PUBLIC_FILES) do
    files[#files + 1] = path
  end
  for _, path in ipairs(source.files("lua", "lua")) do
    for _, folder in ipairs(PUBLIC_FOLDERS) do
      files[#files + 1] = path:match("^(.*/)[^/]*$") == folder and path or nil
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

  it("names no code that does not exist", function()
    assert.equal("", wrong(function(item)
      local code = item.fails and check_codes(item.fails)
      return code and "fails with " .. code
    end))
  end)
end)
