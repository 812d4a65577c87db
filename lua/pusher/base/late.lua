--- Modules that are loaded when they are first needed: docs/install.md, "What is loaded when", says which and why.

local ascii = require "pusher.base.ascii"
local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"

-- Captured, since Luanti hides the global from mods; it finds only modules that are loaded already.
local require = require
local loaded = package and package.loaded or {} -- hidden by Luanti, too
local open = io and io.open -- missing in some sandboxes

local late = {}

local MAX_MESSAGE = 300 -- bytes of the loader's, which lists all paths that it tried

local NO_DESCRIPTORS = { [23] = true, [24] = true } -- ENFILE, EMFILE

-- Lua 5.1 and LuaJIT mark a module before they load it, and refuse it for ever when that has failed. The mark is a
-- userdata or a number, where a module of this library is a table.
local function remove_marks()
  for name, value in pairs(loaded) do
    local kind = type(value)
    if (kind == "userdata" or kind == "number") and type(name) == "string" and name:sub(1, 7) == "pusher." then
      loaded[name] = nil
    end
  end
end

-- Without a descriptor `require` says that there is no such file.
local function lacks_descriptors()
  local ok, file, _, code = pcall(open, ".") -- that of a Luanti mod raises
  if ok and file then
    file:close()
  end
  return NO_DESCRIPTORS[code]
end

-- pcall(require, name), with the message as text.
local function try(name)
  if type(loaded[name]) ~= "table" then
    remove_marks()
  end
  local ok, result = pcall(require, name)
  if not ok then
    remove_marks()
    result = callback.text(result)
  end
  return ok, result
end

--- Loads a module, unless it is loaded. Raises for lack of memory; later calls try again. A finalizer may call this
-- while the same module is being loaded.
-- @tparam string name of the module
-- @tparam string what it is, for a message
-- @tparam[opt] string field the option that asks for it
-- @treturn table|nil module
-- @fails config, network
function late.load(name, what, field)
  local ok, result = try(name)
  if not ok and not callback.is_out_of_memory(result) then
    ok, result = try(name) -- a lack of memory may look like a missing file
  end
  if ok then
    return result
  elseif callback.is_out_of_memory(result) then
    error(callback.OUT_OF_MEMORY, 0) -- without the file's name, which `require` has put before it
  elseif lacks_descriptors() then
    return errors.fail("network", what .. " cannot be loaded: out of file descriptors: raise the limit")
  end
  return errors.fail("config", ("%s cannot be loaded: %s"):format(what,
    ascii.shorten(result, MAX_MESSAGE):gsub(ascii.SPACE .. "+", " ")), { field = field })
end

return late
