--- On a terminal, says how far a program is: "3 of 12, 0:45  spec/x_spec.lua", in one line that the next one replaces.
-- Where standard error is no terminal, or a dumb one, nothing is written. scripts/progress.sh is the same for
-- shell scripts, in lines that stay.

local progress = {}
local methods = {}
local metatable = { __index = methods }

local DEFAULT_COLUMNS = 80 -- of a terminal that does not say
local ERASE = "\r\27[K"

-- How many columns the terminal has; nil where there is none that knows ERASE.
local SIZE = [=[[ -t 2 ] && [ "${TERM:-dumb}" != dumb ] && { stty size <&2 2>/dev/null || echo 0 0; }]=]

local function columns()
  local pipe = assert(io.popen(SIZE))
  local count = tonumber(pipe:read("*a"):match("%d+ (%d+)"))
  pipe:close()
  return count == 0 and DEFAULT_COLUMNS or count
end

-- Without a letter of several bytes cut in two.
local function shorten(text, width)
  if #text <= width then
    return text
  end
  local last = width
  while text:find("^[\128-\191]", last + 1) do
    last = last - 1
  end
  return text:sub(1, last)
end

--- The text of a line.
-- @tparam number index of the step that begins, from 1
-- @tparam number total how many steps there are
-- @tparam number seconds since the first one began
-- @tparam string name
function progress.text(index, total, seconds, name)
  return ("%d of %d, %d:%02d  %s"):format(index, total, math.floor(seconds / 60), seconds % 60, name)
end

--- Begins to count the time.
-- @tparam number total how many steps there are
-- @tparam[opt] table options for specs: `columns` (of the terminal; false for none), `now` (function, seconds), `write`
--   (function)
function progress.new(total, options)
  options = options or {}
  local width = options.columns
  if width == nil then
    width = columns()
  end
  local now = options.now or os.time
  -- A line as wide as the terminal would wrap, and a wrapped line cannot be replaced.
  return setmetatable({ total = total, index = 0, width = width and width - 1, now = now, start = now(),
    write = options.write or function(text)
      io.stderr:write(text)
    end }, metatable)
end

--- The next step begins.
function methods:step(name)
  self:at(self.index + 1, name)
end

--- A step begins, of which the caller knows the number.
function methods:at(index, name)
  self.index = index
  self:say(name)
end

--- Says what the present step does now.
function methods:say(name)
  if self.width then
    io.stdout:flush()
    local text = progress.text(self.index, self.total, math.floor(self.now() - self.start), name)
    self.write(ERASE .. shorten(text, self.width))
  end
end

--- Removes the line: before anything else is written, and at the end.
function methods:clear()
  if self.width then
    self.write(ERASE)
  end
end

return progress
