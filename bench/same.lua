--- Sides are only worth comparing when they did the same work: their answers must say the same.

local cjson = require "cjson"

local same = {}

-- Members may come in any order; the signature of a presence channel covers that order, so it may differ then.
local function flat(text)
  if text:sub(1, 1) ~= "{" then return text end
  local lines, value = {}, cjson.decode(text)
  for name, member in pairs(value) do
    if not (name == "auth" and value.channel_data) then
      lines[#lines + 1] = name .. "=" .. flat(tostring(member):gsub("table: .*", "table"))
    end
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

--- Raises when two sides answered differently.
-- @tparam string work
-- @tparam table measured by side: a table with `text`, what one operation yielded
function same.check(work, measured)
  local first, first_text
  for side, m in pairs(measured) do
    local text = m.text and flat(m.text)
    if text and not first then first, first_text = side, text end
    if text and text ~= first_text then
      error(("%s: '%s' and '%s' answer differently:\n%s\n%s"):format(work, first, side, first_text, text), 0)
    end
  end
end

return same
