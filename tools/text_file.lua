--- Text files: to find, read and write one, and to replace a text that must be there.

local text_file = {}

function text_file.exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close()
end

function text_file.read(path)
  local file = assert(io.open(path, "rb"))
  local text = assert(file:read("*a"))
  file:close()
  return text
end

function text_file.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

--- Replaces a text, which is no pattern, wherever it stands; raises where it does not.
-- @tparam string text
-- @tparam string old
-- @tparam string new
-- @treturn string
-- @treturn number how often it stood there
function text_file.replace(text, old, new)
  local replaced, count = text:gsub((old:gsub("%p", "%%%0")), (new:gsub("%%", "%%%%")))
  if count == 0 then
    error("there is no " .. old, 2)
  end
  return replaced, count
end

return text_file
