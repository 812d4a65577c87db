-- types/ is what the code is: its modules, names and codes. What its functions take and return is compared with the
-- comments, which spec/reference_spec.lua compares with the code; options and values by the two specs beside this one.

local errors = require("pusher.base.errors")
local lists = require("spec.helpers.lists")
local luacats = require("spec.helpers.luacats")
local reference = require("spec.helpers.reference")
local signatures = require("spec.helpers.signatures")
local source = require("spec.helpers.source")

local assert_none, keys = lists.assert_none, lists.names

local types = luacats.read()

local ASYNC = "pusher.async_client" -- no module: the client's methods as they are over async

-- "methods:step" and "publisher.new" -> ":step" and ".new"
local function short(name)
  return name:match("[.:].*$")
end

-- Calls check(item, typed) with each public function that both have.
local function each_function(check)
  local wrong = {}
  for _, page in ipairs(reference.pages()) do
    for _, item in ipairs(reference.functions(page.path)) do
      local typed = (types.modules[page.module] or {})[short(item.name)]
      local message = typed and check(item, typed)
      wrong[#wrong + 1] = message and ("%s %s: %s"):format(page.module, item.name, message) or nil
    end
  end
  assert_none(wrong)
end

describe("types/", function()
  it("has a file for each public module, and no other", function()
    local expected = { [ASYNC] = true }
    for _, page in ipairs(reference.pages()) do
      expected[page.module] = true
    end
    assert.same(keys(expected), keys(types.modules))
  end)

  it("names the module in each file", function()
    for _, path in ipairs(source.files("types", "lua")) do
      local module = path:gsub("^types/", ""):gsub("%.lua$", ""):gsub("/", ".")
      assert.equal("---@meta " .. module, source.read(path):match("^[^\n]*"))
    end
  end)

  it("has all functions of each module, and no other", function()
    for _, page in ipairs(reference.pages()) do
      local expected = {}
      for _, item in ipairs(reference.functions(page.path)) do
        expected[short(item.name)] = true
        if page.module == "pusher.push" and item.name:find("^methods:") then
          expected["." .. short(item.name):sub(2)] = true -- the default registry's
        end
      end
      assert.same(keys(expected), keys(types.modules[page.module] or {}), page.module)
    end
  end)

  it("has what a module holds besides functions, with its value", function()
    local count = 0
    for _, page in ipairs(reference.pages()) do
      local typed = dofile("types/" .. page.module:gsub("%.", "/") .. ".lua")
      if typed then
        for name, value in pairs(require(page.module)) do
          if type(value) ~= "function" and name ~= "_VERSION" then
            assert.equal(type(value), type(typed[name]), page.module .. "." .. name)
            assert.is_true(type(value) == "table" or value == typed[name], page.module .. "." .. name)
            count = count + 1
          end
        end
      end
    end
    assert.is_true(count >= 11)
  end)

  it("has the parameters of each function, in order, and which ones may be left out", function()
    each_function(function(item, typed)
      local list = {}
      for index, param in ipairs(item.params) do
        list[index] = param.name .. ((param.optional or param.type:find("|nil", 1, true)) and "?" or "")
      end
      local found = {}
      for index, param in ipairs(typed.params) do
        found[index] = param.name .. ((param.optional or param.type:find("%?$")) and "?" or "")
      end
      local expected, got = table.concat(list, ", "), table.concat(found, ", ")
      if expected ~= got or table.concat(typed.arguments, ", ") ~= expected:gsub("%?", "") then
        return ("has (%s) and not (%s)"):format(got, expected)
      end
    end)
  end)

  it("has the types and defaults of the parameters", function()
    each_function(function(item, typed)
      for index, param in ipairs(item.params) do
        local found = typed.params[index]
        local default = param.default and param.default:gsub('"', "")
        local message = signatures.difference(types, param, found.type)
        if message then
          return ("%s: %s"):format(param.name, message)
        elseif (found.text .. ";"):match("default ([%w_]+)[; ]") ~= default then
          return ("%s has the default %s"):format(param.name, default)
        end
      end
    end)
  end)

  it("has the types of the results, and nil, message, details where a call may fail", function()
    each_function(function(item, typed)
      local expected = #item.returns
      for index, result in ipairs(item.returns) do
        local message = typed.returns[index] and signatures.difference(types, result, typed.returns[index], true)
        if message then
          return ("result %d: %s"):format(index, message)
        end
      end
      if item.fails then
        expected = 3
        if typed.returns[2] ~= "string" or typed.returns[3] ~= "pusher.Details" then
          return "may fail"
        end
      end
      return #typed.returns ~= expected and ("has %d results, not %d"):format(#typed.returns, expected) or nil
    end)
  end)

  it("has the methods of a registry as functions, with the same parameters and results", function()
    local typed, count = types.modules["pusher.push"], 0
    for name, method in pairs(typed) do
      local copy = name:sub(1, 1) == ":" and typed["." .. name:sub(2)]
      if copy then
        count = count + 1
        assert.same(method.returns, copy.returns, name)
        assert.equal(#method.params, #copy.params, name)
        assert.same(method.arguments, copy.arguments, name)
        for index, param in ipairs(method.params) do
          local found = copy.params[index]
          assert.same({ param.name, param.type, param.optional }, { found.name, found.type, found.optional }, name)
        end
      end
    end
    assert.equal(7, count)
  end)

  it("has each call to the server over async: the same parameters, and a pending", function()
    local expected, wrong = {}, {}
    for _, item in ipairs(reference.functions("lua/pusher/client.lua")) do
      expected[short(item.name)] = item.fails and item.fails:find("every call", 1, true) or nil
    end
    assert.same(keys(expected), keys(types.modules[ASYNC]))
    for name, typed in pairs(types.modules[ASYNC]) do
      local direct = types.modules["pusher.client"][name]
      local result = typed.returns[1]:match("^pusher%.Pending<(.*)>$")
      assert.same(direct.params, typed.params, name)
      wrong[#wrong + 1] = direct.returns[1] ~= tostring(result) .. "?" and name .. " has another result" or nil
    end
    assert_none(wrong)
  end)

  it("has all codes, and no other", function()
    assert.same(keys(errors.CODES), keys(types.aliases["pusher.ErrorCode"].members))
  end)
end)
